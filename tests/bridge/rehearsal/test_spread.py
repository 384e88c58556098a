"""Many endings together: counts by ending, and the spread of each figure."""

from __future__ import annotations

from bridge.engine.progress import State
from bridge.rehearsal.run import Ending
from bridge.rehearsal.spread import Spread, ending_of, spread, summary


def ended(state: State = State.COMPLETED, waiting: str = "", exposed: int = 100, **changes) -> Ending:
    """An ending of a rollout of 100 devices, after a day."""
    values = {"installed": exposed, "seconds": 86400.0, "passes": 288, "calls": 500, "downloads": exposed, "cost": None}
    return Ending(state, waiting, f"it is {state}", 1, exposed, **{**values, **changes})


def test_the_spread_of_ten_values():
    """Least, the sixth, the tenth, most."""
    assert spread([float(value) for value in range(10)]) == Spread(0.0, 5.0, 9.0, 9.0)


def test_endings_are_counted_by_how_they_ended():
    """What completed, what stopped, and what waits for a person, each with its count and reason."""
    endings = [ended(), ended(), ended(State.STOPPED, exposed=7), ended(State.PAUSED, "resume", exposed=9)]
    made = summary("played", 100, endings, 1_000_000_000)

    assert made.endings == {"completed": 2, "stopped": 1, "paused, resume": 1}
    assert made.exposed_before_stop == Spread(7, 9, 9, 9)
    assert made.reasons == ("it is paused", "it is stopped")
    assert made.gigabytes.most == 100


def test_cost_is_there_only_where_a_price_is_told():
    """A figure that nobody gave is not zero."""
    assert summary("played", 100, [ended()], 1).cost is None
    assert summary("played", 100, [ended(cost=3.0)], 1).cost == Spread(3.0, 3.0, 3.0, 3.0)


def test_a_run_that_had_no_end_is_named_by_its_state():
    """Where the virtual year was over first."""
    assert ending_of(ended(State.RUNNING, "pending")) == "running, pending"

"""What the sweep plays: rollouts with everything in them that makes orders, withdraws them, and makes them again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial

from bridge.engine import controls
from bridge.engine.progress import State
from bridge.ledger import Act
from bridge.rehearsal.assumptions import Assumptions

Control = tuple[object, Act]
PAUSE, RESUME = (controls.pause, Act.PAUSED), (controls.resume, Act.RESUMED)
PROMOTE, ROLL_BACK = (partial(controls.promote, stage=0), Act.PROMOTED), (controls.roll_back, Act.ROLLING_BACK)
ABORT = (controls.abort, Act.ABORTED)


@dataclass(frozen=True, slots=True)
class Scenario:
    """A rollout, its devices, what a person does before which pass, and how it must end."""

    name: str
    ends: State
    rollout: Mapping[str, object] = field(default_factory=dict)
    assumptions: Assumptions = field(default_factory=lambda: Assumptions(0, 0, 0, offline=0))
    people: Mapping[int, Control] = field(default_factory=dict)


SCENARIOS = (
    Scenario("good, paused and resumed", State.COMPLETED, people={4: PAUSE, 6: RESUME}),
    Scenario(
        "good, through windows, some retried",
        State.COMPLETED,
        rollout={
            "windows": [{"cron": "0 8,11,14,17 * * *", "duration": "1h"}],
            "budget": {"failures": 20},
            "retries": {"download": 1, "trial": 1, "delay": "20m"},
        },
        assumptions=Assumptions(failing=10, falling_back=5, silent=0, offline=5, returns="2h"),
    ),
    Scenario(
        "bad, rolled back by its budget",
        State.ROLLED_BACK,
        rollout={"on_breach": "roll-back", "budget": {"failures": 3}},
        assumptions=Assumptions(failing=30, falling_back=0, silent=0, offline=0),
    ),
    Scenario(
        "bad, paused by its budget, resumed, rolled back by a person",
        State.ROLLED_BACK,
        rollout={"on_breach": "pause", "budget": {"failures": 1}},
        assumptions=Assumptions(failing=20, falling_back=5, silent=0, offline=0),
        people={9: RESUME, 14: ROLL_BACK},
    ),
    Scenario("good, promoted, then aborted", State.ABORTED, people={3: PROMOTE, 8: ABORT}),
)

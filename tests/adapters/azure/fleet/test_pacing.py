"""No faster than Azure allows, and no longer than anybody should wait; by a clock that the test moves."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.azure.fleet.pacing import LONGEST_DELAY, MINUTE, Pace, Patience, SystemClock, insist


class FakeClock:
    """Stands still but for sleep."""

    def __init__(self) -> None:
        self.time = 1000.0
        self.slept: list[float] = []

    def now(self) -> float:
        return self.time

    def monotonic(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += seconds


@given(st.integers(1, 20), st.lists(st.floats(0, 90), max_size=60))
def test_no_minute_has_too_many_calls(per_minute, pauses):
    """Whatever the pauses between them."""
    clock = FakeClock()
    pace = Pace(per_minute, clock)
    calls = []
    for pause in pauses:
        clock.time += pause
        pace.wait()
        calls.append(clock.time)

    assert all(late - early > MINUTE - 1e-6 for early, late in zip(calls, calls[per_minute:], strict=False))


def test_the_first_calls_do_not_wait():
    """As many as a minute has."""
    clock = FakeClock()
    pace = Pace(7, clock)

    for _ in range(7):
        pace.wait()
    assert clock.slept == []

    pace.wait()
    assert sum(clock.slept) == MINUTE


def test_patience_ends():
    """It waits from look to look, and not past its end."""
    clock = FakeClock()
    patience = Patience(5, 2, clock)

    assert [patience.wait() for _ in range(5)] == [True, True, True, False, False]
    assert clock.slept == [2, 2, 1]
    assert patience.is_over


def test_no_patience_looks_once():
    """Zero seconds wait for nothing."""
    assert not Patience(0, 1, FakeClock()).wait()


class Unlucky:
    """Fails as often as it is told."""

    def __init__(self, failures: int) -> None:
        self.calls = 0
        self._failures = failures

    def __call__(self) -> str:
        self.calls += 1
        if self.calls <= self._failures:
            raise LookupError(self.calls)
        return "answer"


@pytest.mark.parametrize(("asked", "slept"), [(3.0, 3.0), (3600.0, LONGEST_DELAY)])
def test_a_passing_error_is_tried_again(asked, slept):
    """After as long as the service asks for, within reason."""
    clock, call = FakeClock(), Unlucky(2)

    assert insist(call, lambda _: asked, clock) == "answer"
    assert clock.slept == [slept, slept]


def test_what_does_not_pass_is_raised_at_once():
    """Without a second try."""
    call = Unlucky(1)

    with pytest.raises(LookupError):
        insist(call, lambda _: None, FakeClock())
    assert call.calls == 1


def test_the_third_failure_is_raised():
    """Whoever called decides what then."""
    call = Unlucky(9)

    with pytest.raises(LookupError):
        insist(call, lambda _: 1.0, FakeClock())
    assert call.calls == 3


def test_the_clock_of_the_machine_goes_on():
    """By both of its hands, also while it sleeps."""
    clock = SystemClock()
    before = clock.monotonic(), clock.now()

    clock.sleep(0.01)

    assert clock.monotonic() > before[0]
    assert clock.now() > 1_700_000_000

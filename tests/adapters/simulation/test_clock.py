"""The virtual clock moves forward only, and the agenda keeps the order of time."""

from __future__ import annotations

import threading

import pytest

from adapters.simulation.clock import Agenda, Ticker, VirtualClock


def test_a_frozen_clock_moves_only_when_told():
    """Tests that compare times need a clock that stands still."""
    clock = VirtualClock(1000, frozen=True)
    before = clock.now()

    clock.advance(60)

    assert (before, clock.now()) == (1000, 1060)


def test_a_running_clock_adds_what_it_was_advanced_by():
    """Real time goes on, and the hour that was skipped is on top."""
    clock = VirtualClock()
    before = clock.now()

    clock.advance(3600)

    assert clock.now() >= before + 3600


def test_subscribers_have_caught_up_when_advance_returns():
    """A test sees the effects of time without waiting."""
    clock = VirtualClock(0, frozen=True)
    seen = []
    clock.subscribe(lambda: seen.append(clock.now()))

    clock.advance(5)

    assert seen == [5]


def test_a_listener_that_left_is_not_called():
    """A stopped simulator does not hear a clock that outlives it."""
    clock = VirtualClock(0, frozen=True)
    seen = []
    listener = seen.append
    action = lambda: listener(1)  # noqa: E731 - the very object is unsubscribed
    clock.subscribe(action)
    clock.unsubscribe(action)

    clock.advance(1)

    assert seen == []


def test_time_does_not_run_backwards():
    """The refusal names the number and the remedy."""
    with pytest.raises(ValueError, match=r"cannot advance by -1 s; give zero or more"):
        VirtualClock().advance(-1)


def test_the_agenda_runs_in_order_of_time_even_what_is_added_meanwhile():
    """A long jump plays every minute on its way, each with its own time."""
    agenda = Agenda()
    seen = []

    def every_minute(now):
        seen.append(now)
        agenda.at(now + 60, every_minute)

    agenda.at(60, every_minute)
    agenda.at(150, lambda now: seen.append(-now))

    agenda.run_due(200)

    assert seen == [60, 120, -150, 180]


def test_nothing_runs_before_its_time():
    """What is due later stays on the agenda."""
    agenda = Agenda()
    seen = []
    agenda.at(10, seen.append)

    agenda.run_due(9.9)
    assert seen == []

    agenda.run_due(10)
    assert seen == [10]


def test_a_ticker_calls_until_it_is_stopped():
    """After `stop` returned nothing is called any more."""
    called = threading.Event()
    ticker = Ticker(called.set, seconds=0.001, name="test")
    ticker.start()
    assert called.wait(10)

    ticker.stop()
    called.clear()

    assert not called.is_set()
    assert not any(thread.name == "test" for thread in threading.enumerate())

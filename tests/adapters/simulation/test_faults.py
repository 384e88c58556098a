"""Planned faults strike the operation, the subject and the time that were planned."""

from __future__ import annotations

from adapters.simulation.faults import Effect, Fault, Faults, Hit


def struck(faults, calls):
    """Which of these (operation, subject) calls were hit."""
    return [faults.take(*call) is not None for call in calls]


def test_a_fault_strikes_once_by_default():
    """One lost reply is one lost reply."""
    faults = Faults()
    faults.plan("Update", Effect.LOSE_REPLY)

    assert struck(faults, [("Update", "t1"), ("Update", "t1")]) == [True, False]


def test_a_fault_spares_the_first_matches_and_then_strikes_some():
    """`skip` and `times` count only calls that match."""
    faults = Faults()
    faults.plan("Update", Effect.THROTTLE, "t1", skip=1, times=2)
    calls = [("Update", "t1"), ("Update", "t2"), ("Get", "t1"), ("Update", "t1"), ("Update", "t1"), ("Update", "t1")]

    assert struck(faults, calls) == [False, False, False, True, True, False]


def test_patterns_choose_many():
    """A subject may be a shell pattern."""
    faults = Faults()
    faults.plan("*Job*", Effect.SERVER_ERROR, "dev-*", times=9)

    assert struck(faults, [("CreateJob", "dev-1"), ("GetObject", "dev-1"), ("UpdateJob", "x")]) == [True, False, False]


def test_every_hit_is_on_record():
    """A test can tell that its fault really happened."""
    faults = Faults()
    faults.add(Fault("GetObject", Effect.EXPIRED))
    faults.take("GetObject", "b/k")

    assert faults.hits() == (Hit("GetObject", "b/k", Effect.EXPIRED),)
    assert faults.wait_for_hits(1, timeout=0)
    assert not faults.wait_for_hits(2, timeout=0)


def test_cleared_faults_do_not_strike():
    """`clear` ends the trouble; the record stays."""
    faults = Faults()
    faults.plan("*", Effect.DISCONNECT, times=5)
    faults.take("Update", "t")
    faults.clear()

    assert faults.take("Update", "t") is None
    assert len(faults.hits()) == 1

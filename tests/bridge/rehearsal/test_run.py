"""A rehearsed rollout goes as the real one would: the same stages, stops and waits, in virtual time."""

from __future__ import annotations

import msgspec
import pytest

from bridge.engine.progress import State
from bridge.rehearsal.assumptions import Assumptions, ModelAssumptions
from bridge.rehearsal.run import rehearse

PERFECT = Assumptions(failing=0, falling_back=0, silent=0, offline=0)


def test_a_good_release_reaches_every_device(new_script, now):
    """With devices that are all on and all install it, the rollout completes, and each fetched it once."""
    ending = rehearse(new_script(), 1, now)

    assert ending.state is State.COMPLETED
    assert (ending.exposed, ending.installed, ending.downloads) == (2000, 2000, 2000)


def test_a_bad_release_is_stopped_in_the_first_stage(new_script, now):
    """Where every device fails, only those of the first stage meet the release."""
    ending = rehearse(new_script(Assumptions(failing=100, falling_back=0, silent=0, offline=0)), 1, now)

    assert ending.state is State.STOPPED
    assert 0 < ending.exposed <= 40  # 1 % of 2000 in a window of buckets
    assert ending.installed == 0


def test_a_roll_back_brings_back_what_was_installed(new_script, now):
    """After a roll back no device has the new release."""
    half_bad = Assumptions(failing=50, falling_back=0, silent=0, offline=0)
    ending = rehearse(new_script(half_bad, on_breach="roll-back", roll_back={"release": "back"}), 1, now)

    assert ending.state is State.ROLLED_BACK
    assert ending.installed == 0


def test_a_pause_ends_the_rehearsal_there(new_script, now):
    """Nobody resumes a rehearsal: it tells where a person would be needed."""
    ending = rehearse(new_script(Assumptions(failing=100), on_breach="pause"), 1, now)

    assert (ending.state, ending.waiting) == (State.PAUSED, "resume")


def test_soaks_and_windows_take_virtual_time(new_script, now):
    """Two days of soak are two days of virtual time, whose passes count, though they are not played."""
    stages = [{"percent": 10, "soak": "2d"}, {"percent": 100}]
    ending = rehearse(new_script(stages=stages), 1, now)

    assert ending.seconds > 2 * 86400
    assert ending.passes > 2 * 24 * 12
    assert ending.calls > ending.passes


def test_a_window_that_is_shut_offers_nothing(new_script, now):
    """From Monday morning the first window opens on Tuesday at two."""
    ending = rehearse(new_script(windows=[{"cron": "0 2 * * *", "duration": "3h"}]), 1, now)

    assert ending.state is State.COMPLETED
    assert ending.seconds > 18 * 3600


def test_the_same_seed_deals_the_same_fates(new_script, now):
    """A rehearsal can be repeated, and another seed is another fleet."""
    script = new_script(Assumptions(failing=5, offline=20), budget={"percent": 50})

    assert rehearse(script, 3, now) == rehearse(script, 3, now)
    assert rehearse(script, 3, now) != rehearse(script, 4, now)


def test_one_model_may_be_worse(new_script, now):
    """Only devices of the model fail, and the others install."""
    worse = msgspec.structs.replace(PERFECT, models={"rev-b": ModelAssumptions(failing=100)})
    ending = rehearse(new_script(worse, budget={"percent": 50}), 1, now)

    assert ending.state is State.COMPLETED
    assert (ending.exposed, ending.installed) == (2000, 1900)


def test_approvals_are_taken_for_given(new_script, now):
    """People are not rehearsed: a plan that needs their signatures runs as if it had them."""
    approvals = {"threshold": 1, "approvers": ["ada.pub"]}
    stages = [{"percent": 10, "sign_off": {"threshold": 1}}, {"percent": 100}]

    assert rehearse(new_script(approvals=approvals, stages=stages), 1, now).state is State.COMPLETED


@pytest.mark.parametrize("pace", [10, 100])
def test_a_pace_takes_its_time(new_script, now, pace):
    """2000 devices at so many a minute cannot be done sooner."""
    ending = rehearse(new_script(stages=[{"percent": 100}], pace=pace), 1, now)

    assert ending.state is State.COMPLETED
    assert ending.seconds >= (2000 / pace - 5) * 60

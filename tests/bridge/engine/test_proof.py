"""Whether a stage has ended, and whether its end proves anything."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest

from bridge.engine.evidence import PlaceCounts, stage_now
from bridge.engine.proof import doubt_of, has_ended, is_enough, is_under_way, spare, stage_counts
from bridge.tally import Tally
from tests.bridge.plans import D1, DEPOT, F1, FACTORY, changed, new_plan, report, running

NOBODY = PlaceCounts(4, 0, 0, 0, 0, 0, started=True, open=True, cancelled=False)


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        (replace(NOBODY, installed=4), True),
        (replace(NOBODY, installed=3), True),
        (replace(NOBODY, installed=2, waiting=2), False),
        (replace(NOBODY, installed=1, bad=3), True),
        (replace(NOBODY, installed=1, bad=1, withdrawn=2), True),
        (replace(NOBODY, installed=2, bad=1, retrying=1), False),
    ],
)
def test_enough_are_all_or_the_share_that_the_stage_calls_enough(counts, expected):
    """Sixty per cent of four devices are three, installed; or every device at its end."""
    plan = new_plan((4, 0), stages=[{"percent": 100, "enough": 60}])

    assert is_enough(plan, F1, counts) is expected


def test_a_stage_waits_for_every_order_to_be_told_of_and_for_devices_in_the_middle():
    """Of earlier stages too: their end may be a failure."""
    plan = new_plan((2, 0), (2, 2))
    good = running(plan, {FACTORY: Tally(installed=2)}, {FACTORY: Tally(installed=2), DEPOT: Tally(installed=2)})
    untold = running(plan, {FACTORY: Tally(installed=2)}, {FACTORY: Tally(installed=2)})
    back = report(good, F1, Tally(installed=1, running=1))

    ended = [has_ended(plan, each, stage_now(plan, each, {})) for each in (good, untold, back)]

    assert ended == [True, False, False]
    assert is_under_way(plan, back, stage_now(plan, back, {}))


def test_an_order_whose_devices_have_all_ended_has_none_in_the_middle():
    """Whatever else its cloud says: two fleets of one name of a device must not hold it for ever."""
    plan = new_plan((2, 0))

    progress = running(plan, {FACTORY: Tally(installed=2, running=1)})

    assert not is_under_way(plan, progress, stage_now(plan, progress, {}))


IN_THE_MIDDLE = Tally(installed=180, running=2, waiting=18)
ENOUGH = [{"percent": 50, "enough": 90}, {"percent": 100}]
RATE = {"limit": 2, "minimum": 10}
BEARS = {
    "the budget": ({"budget": {"failures": 2}}, True),
    "less than the budget": ({"budget": {"failures": 1}}, False),
    "not the silence": ({"budget": {"failures": 20, "silent": 1}}, False),
    "the silence": ({"budget": {"failures": 20, "silent": 2}}, True),
    "not the fallbacks": ({"budget": {"failures": 20}, "gates": {"fallbacks": 1}}, False),
    "not the rate": ({"budget": {"failures": 20}, "gates": {"failure_rate": RATE}}, False),
    "the rate": ({"budget": {"failures": 20}, "gates": {"failure_rate": {**RATE, "limit": 10}}}, True),
}


@pytest.mark.parametrize("case", BEARS)
def test_a_stage_ends_while_all_in_the_middle_may_come_to_harm(case):
    """In whichever way: none of them may break a gate once the next stage has begun."""
    changes, expected = BEARS[case]
    plan = new_plan((200, 0), (200, 0), stages=ENOUGH, **changes)
    progress = running(plan, {FACTORY: IN_THE_MIDDLE})

    assert has_ended(plan, progress, stage_now(plan, progress, {})) is expected


def test_what_a_person_forgave_may_happen_again_to_others():
    """Two fell back and were forgiven; one more may."""
    plan = new_plan((4, 0), budget={"failures": 20}, gates={"fallbacks": 1})
    progress = msgspec.structs.replace(
        running(plan, {FACTORY: Tally(installed=4)}), figures={"fallbacks": 2}, forgiven={"fallbacks": 2}
    )

    assert spare(plan, progress) == 1


def test_a_stage_with_devices_in_the_middle_is_not_called_unproven_yet():
    """Their end may be the proof: nobody is asked to promote it before."""
    plan = new_plan((10, 0), stages=[{"percent": 100, "enough": 80}], gates={"failure_rate": RATE})
    waits = running(plan, {FACTORY: Tally(installed=8, running=2)})
    ended = running(plan, {FACTORY: Tally(installed=10)})

    assert doubt_of(plan, waits, stage_now(plan, waits, {})) is None
    assert "promote it, or abort" in doubt_of(plan, ended, stage_now(plan, ended, {})).reason


@pytest.mark.parametrize(("found", "told"), [(100, False), (50, False), (49, True)])
def test_a_cloud_that_found_far_fewer_devices_than_were_planned_proves_nothing(found, told):
    """The others are in no later window: nobody would update them, and nobody would know."""
    plan = new_plan((100, 0), by_bucket=True)
    progress = running(plan, {FACTORY: Tally(installed=found, open=False)})

    doubt = doubt_of(plan, progress, stage_now(plan, progress, {}))

    assert (doubt is not None) is told
    assert not told or "fleet factory found 49 devices for stage 1, of 100 when it was planned" in doubt.reason


ODD = {
    "fine": (Tally(installed=4, open=False), ""),
    "still open": (Tally(installed=1, waiting=3), ""),
    "cancelled by others": (
        Tally(installed=3, withdrawn=1, open=False, cancelled=True),
        "order gates-abababab-s1 of stage 1 was cancelled in the cloud with 3 devices installed",
    ),
    "as many withdrawn as installed": (Tally(installed=2, withdrawn=2, open=False), "installed and 2 withdrawn"),
    "few withdrawn": (Tally(installed=3, withdrawn=1, open=False), ""),
    "closed too early": (Tally(installed=3, waiting=1, open=False), "with 1 devices unfinished"),
    "closed with one in the middle": (Tally(installed=3, running=1, open=False), ""),
    "none installed": (Tally(failed=4, open=False), "stage 1 ended and no device was installed"),
}


@pytest.mark.parametrize("case", ODD)
def test_an_odd_end_proves_nothing(case):
    """What was not asked for is for a person, with the order by name."""
    tally, words = ODD[case]
    plan = new_plan((4, 0))
    progress = running(plan, {FACTORY: tally})

    doubt = doubt_of(plan, progress, stage_now(plan, progress, {}))

    assert (words in doubt.reason) if words else doubt is None


def test_an_end_that_otabridge_asked_for_is_not_odd():
    """A window closed, or a person paused."""
    plan = new_plan((4, 0))
    tally = Tally(installed=1, withdrawn=3, open=False, cancelled=True)
    progress = changed(running(plan, {FACTORY: tally}), F1, closing=True)

    assert doubt_of(plan, progress, stage_now(plan, progress, {})) is None


def test_devices_that_are_to_be_tried_again_are_not_missing():
    """Their order is closed, and they are waited for."""
    plan = new_plan((4, 0))
    progress = running(plan, {FACTORY: Tally(installed=3, failed=1, open=False)})
    counts = {F1: replace(stage_now(plan, progress, {})[F1], bad=0, retrying=1)}

    assert doubt_of(plan, progress, counts) is None


def test_withdrawn_devices_say_nothing_about_the_failure_rate():
    """Bad and installed ones do, of all fleets."""
    seen = {F1: replace(NOBODY, installed=1, bad=2, withdrawn=1), D1: replace(NOBODY, installed=3)}

    assert stage_counts(seen) == (2, 6)

"""The counts behind a decision: of a place, of a stage, of the budget."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.engine.evidence import Spared, bad_events, count, live, silent_events, size_of, weigh
from bridge.engine.orders import add, reopen, some, withdraw
from bridge.engine.progress import OrderKind, Progress
from bridge.planning.planned import Place
from bridge.tally import Tally
from tests.bridge.plans import D1, DEPOT, F1, FACTORY, NOW, changed, new_plan, report, running

PLAN = new_plan((4, 2), (4, 2))


def again(progress: Progress, tally: Tally) -> Progress:
    """The order of the factory withdrawn, made again, and told of."""
    closed = changed(progress, F1, closing=True)
    return report(reopen(PLAN, closed, NOW), F1, tally)


def test_a_place_that_has_not_begun_has_its_planned_size():
    """And nothing else."""
    seen = count(PLAN, F1, ())

    assert (seen.size, seen.ended, seen.started, seen.open) == (4, 0, False, False)


def test_only_the_newest_order_counts_the_devices():
    """Those that installed under the first answer the second at once; until then they are not counted twice."""
    progress = running(PLAN, {FACTORY: Tally(installed=2, waiting=2)})
    progress = again(progress, Tally(installed=1, waiting=3))

    seen = count(PLAN, F1, progress.at(F1))

    assert (seen.size, seen.installed, seen.waiting) == (4, 1, 3)


def test_devices_that_we_withdrew_are_waiting():
    """Those that others withdrew have ended."""
    progress = running(PLAN, {FACTORY: Tally(installed=1, withdrawn=3, open=False)})

    theirs, ours = count(PLAN, F1, progress.at(F1)), count(PLAN, F1, withdraw(progress).at(F1))

    assert (theirs.waiting, theirs.withdrawn, theirs.ended) == (0, 3, 4)
    assert (ours.waiting, ours.withdrawn, ours.ended) == (3, 0, 1)


def test_a_retry_takes_the_failure_back_until_it_fails_too():
    """The device is neither bad nor at its end meanwhile."""
    failed = running(PLAN, {FACTORY: Tally(installed=3, failed=1)})
    trying = add(failed, F1, msgspec.structs.replace(some(PLAN, F1, OrderKind.RETRY, ("a",), NOW), again=1))
    cases = [trying, report(trying, F1, Tally(running=1)), report(trying, F1, Tally(installed=1))]
    cases.append(report(trying, F1, Tally(failed=1)))

    found = [count(PLAN, F1, each.at(F1)) for each in cases]

    assert [(seen.bad, seen.installed, seen.ended) for seen in found] == [(0, 3, 3), (0, 3, 3), (0, 4, 4), (1, 3, 4)]
    assert [bad_events(PLAN, each) for each in cases] == [0, 0, 0, 1]


def test_devices_that_are_to_be_tried_again_are_counted_apart():
    """In the place, in the stage and in the budget."""
    progress = running(PLAN, {FACTORY: Tally(installed=2, failed=1, timed_out=1)})

    seen = count(PLAN, F1, progress.at(F1), retrying=1)
    evidence = weigh(PLAN, progress, {F1: Spared(1, 1)})

    assert (seen.bad, seen.ended, seen.retrying) == (1, 3, 1)
    assert (evidence.bad, evidence.ended, evidence.retrying, evidence.silent) == (1, 3, 1, 0)


def test_devices_that_joined_make_the_place_larger():
    """They count like all others."""
    progress = add(
        running(PLAN, {FACTORY: Tally(installed=4)}), F1, some(PLAN, F1, OrderKind.LATE, ("new", "newer"), NOW)
    )

    seen = count(PLAN, F1, report(progress, F1, Tally(installed=1, failed=1)).at(F1))

    assert (seen.size, seen.installed, seen.bad, seen.ended) == (6, 5, 1, 6)


@pytest.mark.parametrize(("told", "expected"), [(None, 4), (Tally(installed=6), 6), (Tally(), 4)])
def test_a_cloud_that_finds_devices_itself_says_how_many(told, expected):
    """The count of the plan holds until it does, and where it finds nobody."""
    plan = new_plan((4, 2), by_bucket=True)
    progress = running(plan, {FACTORY: told} if told else {})

    assert size_of(plan, F1, progress.at(F1)[0]) == expected


def test_harm_of_all_stages_and_fleets_adds_up():
    """Failed, rejected and silent devices; silence also by itself."""
    bad = Tally(failed=1, rejected=1, timed_out=1)
    progress = running(PLAN, {FACTORY: bad, DEPOT: Tally(failed=2)}, {FACTORY: bad})

    assert (bad_events(PLAN, progress), silent_events(PLAN, progress)) == (8, 2)


@pytest.mark.parametrize(
    ("second", "failed_again", "expected"),
    [
        (Tally(waiting=4), 0, 2),
        (Tally(installed=2, waiting=2), 0, 2),
        (Tally(installed=3, waiting=1), 0, 1),
        (Tally(installed=4), 0, 0),
        (Tally(installed=2, failed=1, waiting=1), 1, 2),
        (Tally(installed=2, failed=2), 2, 2),
        (Tally(installed=2, failed=1, waiting=1), 0, 2),
        (Tally(failed=2, waiting=2), 0, 4),
    ],
)
def test_after_a_pause_a_failed_device_counts_until_it_has_ended_again(second, failed_again, expected):
    """Two of four failed before; the same ones failing again are no further failures."""
    progress = again(running(PLAN, {FACTORY: Tally(failed=2, waiting=2)}), second)

    assert bad_events(PLAN, changed(progress, F1, again=failed_again)) == expected


def test_what_was_forgiven_is_not_counted():
    """Nor does silence with a budget of its own spend the other."""
    plan = new_plan((9, 2), budget={"failures": 1, "silent": 1})
    progress = running(plan, {FACTORY: Tally(failed=3, timed_out=2)})

    before = weigh(plan, progress)
    after = weigh(plan, msgspec.structs.replace(progress, forgiven={"bad": 5, "silent": 2}))

    assert (before.bad, before.silent, before.limit, before.silent_limit) == (3, 2, 1, 1)
    assert (after.bad, after.silent) == (0, 0)


def test_orders_that_were_made_again_for_the_same_devices_are_gone():
    """Those for the whole stage stay: their failures were failures."""
    progress = add(running(PLAN, {}), F1, some(PLAN, F1, OrderKind.RETRY, ("a",), NOW))
    reopened = add(withdraw(progress), F1, some(PLAN, F1, OrderKind.RETRY, ("a",), NOW))

    assert [order.kind for order in live(reopened.at(F1))] == [OrderKind.STAGE, OrderKind.RETRY]
    assert [order.closing for order in live(reopened.at(F1))] == [True, False]


COUNTS = st.integers(0, 4)
TALLIES = st.builds(Tally, waiting=COUNTS, running=COUNTS, installed=COUNTS, failed=COUNTS, timed_out=COUNTS)


@given(st.lists(TALLIES, min_size=1, max_size=4), TALLIES)
def test_evidence_is_never_negative(tallies, depot):
    """However often an order was made again, and whatever clouds say."""
    progress = running(PLAN, {FACTORY: tallies[0], DEPOT: depot})
    for tally in tallies[1:]:
        progress = again(progress, tally)

    evidence = weigh(PLAN, progress)

    assert all(value is None or value >= 0 for value in (getattr(evidence, name) for name in evidence.__slots__))
    assert evidence.bad <= sum(tally.bad for tally in (*tallies, depot))
    assert evidence.bad >= tallies[-1].bad + depot.bad


def test_places_of_the_stage_are_those_of_the_plan_and_those_that_others_joined():
    """The depot had no device in the stage."""
    plan = new_plan((4, 0))
    progress = add(running(plan, {FACTORY: Tally(installed=4)}), D1, some(plan, D1, OrderKind.LATE, ("new",), NOW))

    assert weigh(plan, progress).devices == 5
    assert plan.places(0) == (Place(0, FACTORY),)

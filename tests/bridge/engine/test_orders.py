"""Orders: how they are made, paced, withdrawn, made again, and turned back."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bridge.engine.orders import add, admit, begin, is_offering, reopen, some, tell, turn_back, withdraw
from bridge.engine.progress import OrderKind, Progress
from bridge.planning.pace import admitted, pace
from bridge.planning.planned import Facts, Place
from bridge.tally import Tally
from tests.bridge.plans import D1, F1, FACTORY, MINUTE, NOW, changed, kinds, new_plan, opened, report, running

SIZES = ((4, 2), (0, 6))
GONE = Tally(installed=1, withdrawn=3, open=False, cancelled=True)


def test_a_stage_begins_with_an_order_where_it_has_devices():
    """A fleet without any is told nothing."""
    plan = new_plan(*SIZES)

    first = begin(plan, Progress(), 0, NOW)
    second = begin(plan, first, 1, NOW + MINUTE)

    assert [(at.place, len(at.orders)) for at in first.orders] == [(F1, 1), (D1, 1)]
    assert [at.place for at in second.orders] == [F1, D1, Place(1, "depot")]
    assert (second.stage, second.begun, second.proven) == (1, NOW + MINUTE, None)
    assert second.at(Place(1, FACTORY)) == ()


def test_what_is_withdrawn_offers_nothing():
    """Until a fleet confirms it, or has nothing left to offer, an order may still be taken up."""
    plan = new_plan(*SIZES)
    progress = running(plan, {})

    assert is_offering(progress)
    assert is_offering(report(progress, F1, Tally(installed=4, open=False)))
    assert not is_offering(withdraw(progress))
    assert not is_offering(report(report(progress, F1, Tally(open=False)), D1, Tally(open=False)))


@pytest.mark.parametrize(
    ("tally", "again"),
    [
        (None, True),
        (Tally(waiting=4), True),
        (GONE, True),
        (Tally(installed=2, running=1, withdrawn=1, open=False), True),
        (Tally(installed=3, running=1, open=False), False),
        (Tally(installed=3, failed=1, open=False), False),
        (Tally(installed=3, open=False), True),
        (Tally(), True),
    ],
    ids=[
        "never started",
        "not told",
        "withdrawn",
        "one in the middle",
        "all begun",
        "all ended",
        "one lost",
        "all lost",
    ],
)
def test_an_order_is_made_again_for_devices_that_were_left_out(tally, again):
    """Those in the middle come to their end by themselves."""
    plan = new_plan(*SIZES)
    progress = running(plan, {FACTORY: tally} if tally else {})

    reopened = reopen(plan, changed(withdraw(progress), D1, closing=False), NOW + MINUTE)

    assert opened(reopened, F1) == ([False, True] if again else [False])
    assert opened(reopened, D1) == [True]
    assert reopen(plan, reopened, NOW + MINUTE) == reopened


def test_an_order_of_an_earlier_stage_is_made_again_too():
    """Its stage had enough, and its devices keep their offer."""
    plan = new_plan(*SIZES)
    progress = withdraw(report(begin(plan, running(plan, {}), 1, NOW), F1, GONE))

    assert opened(reopen(plan, progress, NOW), F1) == [False, True]


def test_named_devices_are_offered_it_again_by_name():
    """Those that joined, and those that were tried again under a stage that has ended otherwise."""
    plan = new_plan(*SIZES)
    ended = running(plan, {FACTORY: Tally(installed=3, failed=1, open=False)})
    retried = add(ended, F1, some(plan, F1, OrderKind.RETRY, ("factory-s1-001",), NOW))
    joined = add(retried, F1, some(plan, F1, OrderKind.LATE, ("factory-new",), NOW))

    reopened = reopen(plan, withdraw(joined), NOW)

    assert kinds(reopened, F1)[3:] == [OrderKind.LATE, OrderKind.RETRY]
    assert [order.devices for order in reopened.at(F1)[3:]] == [("factory-new",), ("factory-s1-001",)]
    assert reopen(plan, reopened, NOW) == reopened


def test_a_retry_is_not_made_again_beside_the_whole_stage():
    """The new order for the stage holds its device."""
    plan = new_plan(*SIZES)
    stage = running(plan, {FACTORY: Tally(installed=1, failed=1, waiting=2)})
    retried = add(stage, F1, some(plan, F1, OrderKind.RETRY, ("factory-s1-001",), NOW))

    reopened = reopen(plan, withdraw(retried), NOW)

    assert kinds(reopened, F1) == [OrderKind.STAGE, OrderKind.RETRY, OrderKind.STAGE]
    assert reopen(plan, reopened, NOW) == reopened


def test_a_way_back_leads_from_every_order_forward():
    """One for the place, one for those that joined it; twice is once."""
    plan = new_plan(*SIZES)
    progress = add(running(plan, {}), F1, some(plan, F1, OrderKind.LATE, ("factory-new",), NOW))

    back = turn_back(plan, progress, NOW)

    assert kinds(back, F1) == [OrderKind.STAGE, OrderKind.LATE, OrderKind.BACK, OrderKind.BACK]
    assert [order.devices for order in back.at(F1)] == [(), ("factory-new",), (), ("factory-new",)]
    assert opened(back, F1) == [False, False, True, True]
    assert (kinds(back, D1), back.at(D1)[1].size) == ([OrderKind.STAGE, OrderKind.BACK], 2)


@pytest.mark.parametrize(("minutes", "expected"), [(-5, 4), (0, 4), (0.9, 4), (1, 8), (9.5, 40), (10, 40), (1000, 40)])
def test_the_pace_is_counted_from_the_begin_of_each_minute(minutes, expected):
    """Six a minute for 60 devices are four for these 40; a clock that goes back takes nothing away."""
    plan = new_plan((40, 20), pace=6)

    assert admitted(plan, F1, 40, NOW, NOW + timedelta(minutes=minutes)) == expected


def test_the_slowest_pace_is_one_device_at_first():
    """Half a device cannot be offered anything; then the rate holds."""
    plan = new_plan((10, 10), pace=1)

    assert [admitted(plan, F1, 10, NOW, NOW + minutes * MINUTE) for minutes in range(5)] == [1, 1, 1, 2, 2]


def test_without_pace_or_in_a_cloud_that_paces_all_are_admitted():
    """The cloud's own pace is in the order instead."""
    assert pace(new_plan((10, 10)), F1) is None
    assert admitted(new_plan((10, 10)), F1, 10, NOW, NOW) == 10
    assert admitted(new_plan((10, 10), facts=Facts("test", paces=1000), pace=1), F1, 10, NOW, NOW) == 10


def test_no_device_is_admitted_to_what_is_withdrawn():
    """And never fewer than before."""
    plan = new_plan((40, 20), pace=6)
    progress = changed(running(plan, {}), D1, closing=True)

    later = admit(plan, progress, NOW + 3 * MINUTE)
    earlier = admit(plan, later, NOW)

    assert [later.at(place)[0].admitted for place in (F1, D1)] == [16, 2]
    assert earlier == later


def test_an_order_that_is_made_again_begins_where_the_other_ended():
    """Of 40 devices 16 were admitted and 12 have ended: those do not wait for their turn once more."""
    plan = new_plan((40, 20), pace=6)
    progress = admit(plan, running(plan, {}), NOW + 3 * MINUTE)
    progress = withdraw(report(progress, F1, Tally(installed=11, failed=1, withdrawn=28, open=False)))

    again = reopen(plan, progress, NOW + 60 * MINUTE)
    later = admit(plan, again, NOW + 61 * MINUTE)

    assert [each.at(F1)[1].admitted for each in (again, later)] == [16, 20]


def test_what_fleets_were_told_is_noted_order_by_order():
    """The others stay as they are."""
    plan = new_plan(*SIZES)
    progress = running(plan, {})
    order = changed(progress, F1, told=4).at(F1)[0]

    assert tell(progress, {(F1, 0): order}) == changed(progress, F1, told=4)

"""What one pass finds out, and what it does not ask."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from bridge.engine.observing import STRAGGLERS, Observed, Observer, may_change, reachable
from bridge.engine.progress import Progress, State
from bridge.engine.record import Material, Parcel, Record
from bridge.engine.sight import Consent, FailedDevice
from bridge.errors import UsageError
from bridge.fleet import HealthCount, StageOrder
from bridge.planning.planned import Place, Plan
from bridge.release.errors import FailureCode
from bridge.release.report import Outcome
from bridge.tally import Tally
from tests.bridge.fakes import FakeFleet, Refuse
from tests.bridge.plans import D1, DEPOT, F1, FACTORY, NOW, changed, ids, new_plan, running

SECOND = timedelta(seconds=1)
MATERIAL = Material(Parcel(b"new", Path()), ())


def fleets(**factory) -> dict[str, FakeFleet]:
    """The devices of stage 1 of a plan for four and two."""
    return {
        FACTORY: FakeFleet(FACTORY, ids("factory-s1", 4), **factory),
        DEPOT: FakeFleet(DEPOT, ids("depot-s1", 2)),
    }


def started(plan: Plan, known: dict[str, FakeFleet], ticks: int = 2) -> Progress:
    """Stage 1 under way in all fleets."""
    progress = running(plan, {})
    for place, number, order in progress.each():
        key, devices = plan.key(place, number), plan.cohort(place).devices
        known[place.fleet].start(StageOrder(key, b"new", (), devices, 60, size=order.size))
    for _ in range(ticks):
        for fleet in known.values():
            fleet.tick()
    return progress


def look(plan: Plan, progress: Progress, known: dict[str, FakeFleet], stage_consent: Consent | None = None) -> Observed:
    """One look of a new observer."""
    record = Record(plan, MATERIAL, NOW, NOW, progress)
    observer = Observer(reachable(known.__getitem__))
    return observer.look(record, NOW, Consent(), stage_consent or Consent())


def test_the_newest_counts_are_in_the_progress():
    """Of every order that may still change."""
    plan, known = new_plan((4, 2)), fleets(silent=frozenset({"factory-s1-000"}))

    observed = look(plan, started(plan, known), known)

    assert observed.record.progress.at(F1)[0].tally == Tally(waiting=1, installed=3)
    assert observed.record.progress.at(D1)[0].tally == Tally(installed=2, open=False)
    assert (observed.sight.unseen, observed.troubles) == ({}, ())


def test_a_fleet_that_refuses_does_not_hide_the_others():
    """Its last counts stay, and the reason is kept for people."""
    plan, known = new_plan((4, 2)), fleets()
    progress = started(plan, known)
    known[FACTORY].hook = Refuse(("tally",))

    observed = look(plan, progress, known)

    assert observed.sight.unseen == {F1: "fleet factory: throttled"}
    assert [str(trouble) for trouble in observed.troubles] == ["fleet factory: throttled"]
    assert observed.record.progress.at(F1)[0].tally is None
    assert observed.record.progress.at(D1)[0].tally is not None


def test_a_fleet_with_broken_settings_is_one_that_cannot_be_reached():
    """The message is that of the configuration."""

    def broken(_: str):
        raise UsageError("fleets.factory.region is missing")

    observed = Observer(reachable(broken)).look(
        Record(new_plan((4, 0)), MATERIAL, NOW, NOW, running(new_plan((4, 0)), {})), NOW, Consent(), Consent()
    )

    assert observed.sight.unseen == {F1: "fleets.factory.region is missing"}


def test_an_order_that_vanished_is_a_cancelled_one():
    """What had ended counts; the rest is not to be expected."""
    plan, known = new_plan((4, 2)), fleets()
    before = running(plan, {FACTORY: Tally(waiting=1, running=1, installed=1, failed=1)})

    observed = look(plan, before, known)

    assert observed.record.progress.at(F1)[0].tally == Tally(
        waiting=2, installed=1, failed=1, open=False, cancelled=True
    )


@pytest.mark.parametrize(
    ("tally", "changes", "newest", "expected"),
    [
        (None, {}, True, True),
        (None, {"closed": True}, True, False),
        (Tally(installed=4, open=False), {}, True, True),
        (Tally(installed=4, open=False), {}, False, False),
        (Tally(installed=3, waiting=1), {}, False, True),
        (Tally(installed=3, waiting=1, open=False), {}, False, False),
        (Tally(installed=3, running=1, open=False), {"closing": True, "closed": True}, False, True),
        (Tally(installed=3, withdrawn=1, open=False), {"closing": True, "closed": True}, True, False),
    ],
)
def test_an_order_is_asked_for_until_nothing_about_it_changes(tally, changes, newest, expected):
    """And always while it is the newest: somebody may cancel it in the console."""
    plan = new_plan((4, 0), (2, 0))
    progress = running(plan, {FACTORY: tally} if tally else {}, *([] if newest else [{}]))
    progress = changed(progress, F1, **changes)

    assert may_change(plan, progress, F1, 0, progress.at(F1)[0]) is expected


def test_who_failed_is_asked_only_where_it_matters():
    """With the number of the order, and None for silence."""
    known = fleets(outcomes={"factory-s1-000": Outcome.FAILED, "factory-s1-001": None})
    plan, strict = new_plan((4, 2), retries={"download": 1}), new_plan((4, 2))
    progress = started(plan, known)

    assert look(plan, progress, known).sight.failed == {
        F1: (
            FailedDevice("factory-s1-000", 0, FailureCode.DOWNLOAD),
            FailedDevice("factory-s1-001", 0, None),
        )
    }
    assert look(strict, progress, known).sight.failed == {}


def test_reports_that_cannot_be_read_leave_the_place_out():
    """Half of them would make a device fail that was tried again."""
    known = fleets(outcomes={"factory-s1-000": Outcome.FAILED})
    plan = new_plan((4, 2), retries={"download": 1})
    progress = started(plan, known)
    known[FACTORY].hook = Refuse(("reports",))

    sight = look(plan, progress, known).sight

    assert (sight.failed, list(sight.unseen)) == ({}, [F1])


HEALTH = {"gates": {"watchdog_resets": 0, "health": [{"name": "disk", "queries": {FACTORY: "q"}, "limit": 5}]}}


def test_figures_of_all_fleets_are_added_up():
    """Health of those fleets that the gate has a query for."""
    known = fleets(conditions={"q": frozenset({"factory-s1-000"})}, resets=frozenset({"factory-s1-001"}))
    known[DEPOT].resets = frozenset(known[DEPOT].ids)
    plan = new_plan((4, 2), **HEALTH)

    sight = look(plan, started(plan, known), known).sight

    assert sight.resets == 3
    assert sight.health == {"disk": {FACTORY: HealthCount(1, 4, 0, 0)}}


def test_half_a_figure_is_none():
    """A fleet that refuses makes the rollout unknown, not healthy."""
    known = fleets(conditions={"q": frozenset()})
    known[DEPOT].hook = Refuse(("watchdog",))
    plan = new_plan((4, 2), **HEALTH)

    sight = look(plan, started(plan, known), known).sight

    assert (sight.resets, list(sight.unseen.values())) == (None, ["fleet depot: throttled"])


def test_devices_that_joined_are_those_that_no_order_names():
    """Asked when the last stage has ended, and its sign-off is there."""
    plan, known = new_plan((4, 2), late_joiners="include"), fleets()
    progress = started(plan, known)
    known[FACTORY].ids = (*known[FACTORY].ids, "factory-new")

    assert look(plan, progress, known).sight.joined == {FACTORY: ("factory-new",), DEPOT: ()}
    assert look(plan, progress, known, Consent(missing=1)).sight.joined == {}


def test_a_fleet_that_finds_devices_by_bucket_has_no_joiners():
    """They are in the windows of the stages that begin after them."""
    known = fleets(silent=frozenset())
    plan = new_plan((4, 2), late_joiners="include", by_bucket=True)
    ended = running(plan, {FACTORY: Tally(installed=4, open=False), DEPOT: Tally(installed=2, open=False)})
    progress = changed(changed(ended, F1, closed=True), D1, closed=True)

    assert look(plan, progress, known).sight.joined == {}


def test_nothing_is_asked_of_a_rollout_that_has_ended_everywhere():
    """Its orders are closed."""
    plan, known = new_plan((4, 2)), fleets()
    calls: list[str] = []
    for fleet in known.values():
        fleet.hook = calls.append
    ended = running(plan, {FACTORY: Tally(installed=4, open=False), DEPOT: Tally(installed=2, open=False)})
    closed = changed(changed(ended, F1, closed=True), D1, closed=True)

    look(plan, msgspec.structs.replace(closed, state=State.COMPLETED), known)

    assert calls == []


def test_a_place_of_another_stage_is_named_as_such():
    """The error is told of the place that was asked."""
    plan, known = new_plan((4, 2), (1, 0)), fleets()
    progress = running(plan, {FACTORY: Tally(installed=4, open=False)}, {})
    known[FACTORY].hook = Refuse(("tally",))

    assert list(look(plan, progress, known).sight.unseen) == [Place(1, FACTORY)]


ENOUGH = {"stages": [{"percent": 50, "enough": 50}, {"percent": 100}]}
LEFT = {FACTORY: Tally(installed=2, waiting=1, running=1)}


def second_look(after: timedelta, tally: Tally | None = None, **changes) -> tuple[int, Observed]:
    """How often tallies were asked for at the second look, `after` the first one, in stage 2; and what it saw."""
    plan, known, calls = new_plan((4, 0), (4, 0), **{**ENOUGH, **changes}), fleets(), list[str]()
    progress = running(plan, {FACTORY: tally or LEFT[FACTORY]}, {FACTORY: Tally(waiting=4)})
    asked = changed(progress, F1, asked=NOW)
    known[FACTORY].hook = calls.append
    record = Record(plan, MATERIAL, NOW, NOW, asked)
    observed = Observer(known.__getitem__).look(record, NOW + after, Consent(), Consent())
    return calls.count("tally begins"), observed


def test_stragglers_of_earlier_stages_are_asked_now_and_then():
    """While the budget bears them all; the pass is told that they rested."""
    budget = {"failures": 2}
    soon, later = second_look(STRAGGLERS - SECOND, budget=budget), second_look(STRAGGLERS, budget=budget)

    assert [(count, seen.rested) for count, seen in (soon, later)] == [(1, True), (2, False)]


@pytest.mark.parametrize(
    "rules", [{"budget": {"failures": 1}}, {"budget": {"failures": 9, "silent": 1}},
              {"budget": {"failures": 9}, "gates": {"fallbacks": 0}}]
)  # fmt: skip
def test_stragglers_that_could_break_the_rollout_are_asked_each_time(rules):
    """Half an hour of offers is too long to learn that the budget is spent, of whatever kind."""
    count, observed = second_look(SECOND, **rules)

    assert (count, observed.rested) == (2, False)


def test_a_fleet_whose_counts_cannot_be_was_not_heard(monkeypatch):
    """The last counts stay, and the reason is told."""
    plan, known = new_plan((4, 0)), fleets()
    progress = running(plan, LEFT)
    monkeypatch.setattr(FakeFleet, "tally", lambda *_: Tally(installed=3, running=-1))

    observed = look(plan, progress, known)

    assert observed.record.progress == progress
    assert "-1 devices are running, which cannot be" in observed.sight.unseen[F1]


def test_a_health_that_cannot_be_is_none(monkeypatch):
    """It would be no figure to reckon with."""
    plan, known = new_plan((4, 2), **HEALTH), fleets()
    progress = started(plan, known)
    monkeypatch.setattr(FakeFleet, "health", lambda *_: HealthCount(5, 4, 0, 0))

    sight = look(plan, progress, known).sight

    assert (sight.health, len(sight.unseen)) == ({}, 1)


def test_a_device_that_is_reported_twice_failed_once(monkeypatch):
    """Counted twice it would take back another device's failure with its retry."""
    known = fleets(outcomes={"factory-s1-000": Outcome.FAILED})
    plan = new_plan((4, 2), retries={"download": 1})
    progress = started(plan, known)
    told = list(known[FACTORY].reports(plan.key(F1)))
    monkeypatch.setattr(FakeFleet, "reports", lambda *_: iter(told * 2))

    assert [each.device for each in look(plan, progress, known).sight.failed[F1]] == ["factory-s1-000"]

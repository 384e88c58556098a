"""The decision as time goes on: soaks, maintenance windows, freezes, pace, fleets that stay away."""

from __future__ import annotations

from datetime import timedelta

from bridge.engine.decide import Wait, decide
from bridge.engine.progress import OrderKind, State
from bridge.engine.sight import Consent, Sight, wants_reports
from bridge.ledger import Act
from bridge.planning.planned import Closure, Facts
from bridge.tally import Tally
from tests.bridge.plans import (
    D1,
    F1,
    FACTORY,
    GONE,
    GOOD1,
    GOOD2,
    GOOD4,
    HOUR,
    MINUTE,
    NOW,
    WINDOW,
    broken,
    first,
    kinds,
    new_plan,
    opened,
    outcome,
    report,
    running,
)


def test_a_proven_stage_soaks_from_the_moment_it_was_found_good():
    """Not from its begin; and the time that is left is told."""
    plan = new_plan((2, 1), (4, 4), stages=[{"percent": 10, "soak": "1h"}, {"percent": 100}])
    late = NOW + 10 * HOUR

    soaking = decide(plan, running(plan, *first(GOOD2, GOOD1)), Sight(), late)
    almost = decide(plan, soaking.progress, Sight(), late + HOUR - timedelta(seconds=1))
    done = decide(plan, almost.progress, Sight(), late + HOUR)

    assert "it soaks for another 1 h" in soaking.reason
    assert outcome(almost) is Wait.SOAK
    assert outcome(done) is Act.ADVANCED
    assert done.progress.begun == late + HOUR


def test_a_device_that_comes_back_during_the_soak_begins_it_anew():
    """The stage must stay good; a device in the middle is not good yet."""
    plan = new_plan((2, 1), (4, 4), stages=[{"percent": 10, "soak": "1h", "enough": 50}, {"percent": 100}])
    soaking = decide(plan, running(plan, *first(Tally(installed=1, waiting=1), GOOD1)), Sight(), NOW)

    back = decide(plan, report(soaking.progress, F1, Tally(installed=1, running=1)), Sight(), NOW + HOUR / 2)
    ended = decide(plan, report(back.progress, F1, GOOD2), Sight(), NOW + HOUR)

    assert [outcome(each) for each in (soaking, back, ended)] == [Wait.SOAK, Wait.PENDING, Wait.SOAK]
    assert ended.progress.proven == NOW + HOUR


def test_a_failure_during_the_soak_spends_the_budget():
    """That is what it soaks for."""
    plan = new_plan((2, 1), (4, 4), stages=[{"percent": 10, "soak": "1h", "enough": 50}, {"percent": 100}])
    soaking = decide(plan, running(plan, *first(Tally(installed=1, waiting=1), GOOD1)), Sight(), NOW)

    decision = decide(plan, report(soaking.progress, F1, Tally(installed=1, failed=1)), Sight(), NOW + HOUR / 2)

    assert outcome(decision) is Act.STOPPED


def test_a_window_that_closes_withdraws_the_offers_and_one_that_opens_makes_them_again():
    """The next order is for the same devices; those that have the release answer it at once."""
    plan = new_plan((4, 4), windows=[WINDOW])
    progress = running(plan, *first(Tally(installed=1, waiting=3), GOOD4))

    shut = decide(plan, progress, Sight(), NOW + HOUR)
    stopped = report(shut.progress, F1, Tally(installed=1, withdrawn=3, open=False, cancelled=True))
    still = decide(plan, stopped, Sight(), NOW + 2 * HOUR)
    again = decide(plan, still.progress, Sight(), NOW + 24 * HOUR)

    assert outcome(shut) is outcome(still) is Wait.WINDOW
    assert "outside the maintenance windows; the next opens 2026-03-02 12:00 UTC" in shut.reason
    assert opened(shut.progress, F1) == opened(still.progress, F1) == [False]
    assert outcome(again) is Wait.PENDING
    assert (kinds(again.progress, F1), opened(again.progress, F1)) == ([OrderKind.STAGE] * 2, [False, True])
    assert kinds(again.progress, D1) == [OrderKind.STAGE]


def test_a_freeze_withdraws_the_offers_too():
    """Its summary is in the reason."""
    plan = new_plan((4, 4), closures=(Closure(NOW, NOW + HOUR, "Black Friday"),))
    progress = running(plan, *first(Tally(installed=1, waiting=3), GOOD4))

    frozen = decide(plan, progress, Sight(), NOW)
    thawed = decide(plan, frozen.progress, Sight(), NOW + HOUR)

    assert outcome(frozen) is Wait.FREEZE
    assert "frozen by 'Black Friday' until 2026-03-01 13:00 UTC" in frozen.reason
    assert opened(frozen.progress, F1) == [False]
    assert opened(thawed.progress, F1) == [False, True]


def test_a_fleet_that_is_away_does_not_keep_the_window_open():
    """Unknown is the heavier answer, and yet no device of the other fleet is offered anything outside the hours."""
    plan = new_plan((4, 4), windows=[WINDOW])

    decision = decide(plan, running(plan, *first(Tally(waiting=4))), GONE, NOW + HOUR)

    assert outcome(decision) is Wait.UNKNOWN
    assert opened(decision.progress, F1) == [False]


def test_the_last_stage_may_complete_at_any_hour():
    """Nothing is left to be offered."""
    plan = new_plan((2, 1), windows=[WINDOW])

    decision = decide(plan, running(plan, *first(GOOD2, GOOD1)), Sight(), NOW + HOUR)

    assert outcome(decision) is Act.COMPLETED


def test_a_device_that_fails_every_night_is_one_failure():
    """Three nights, one broken device of ten: the budget of one holds, until another device fails."""
    plan = new_plan((10, 0), windows=[WINDOW], budget={"failures": 1})
    night, progress = NOW, running(plan, {FACTORY: Tally(installed=4, failed=1, waiting=5)})
    for number, installed in enumerate((6, 8), start=1):
        shut = decide(plan, progress, Sight(failed={F1: broken(*range(number))}), night + HOUR)
        night += 24 * HOUR
        opens = decide(plan, shut.progress, Sight(failed={F1: broken(*range(number))}), night)
        seen = report(opens.progress, F1, Tally(installed=installed, failed=1, waiting=9 - installed))
        again = decide(plan, seen, Sight(failed={F1: broken(*range(number + 1))}), night)
        assert outcome(again) is Wait.PENDING
        assert (opens.evidence.bad, again.evidence.bad) == (1, 1)
        progress = again.progress

    other = broken(2, device="factory-s1-001")
    worse = report(progress, F1, Tally(installed=8, failed=2))
    assert outcome(decide(plan, worse, Sight(failed={F1: broken(0, 1, 2) + other}), night)) is Act.STOPPED


def test_devices_that_a_night_broke_for_good_add_up():
    """They do not answer the next night, and others fail: that is more than the budget."""
    plan = new_plan((10, 0), windows=[WINDOW], budget={"failures": 1})
    shut = decide(plan, running(plan, {FACTORY: Tally(installed=4, failed=1, waiting=5)}), Sight(), NOW + HOUR)
    again = decide(plan, shut.progress, Sight(), NOW + 24 * HOUR)
    sight = Sight(failed={F1: broken(0) + broken(1, device="factory-s1-001")})

    decision = decide(plan, report(again.progress, F1, Tally(installed=4, failed=1, waiting=5)), sight, NOW + 24 * HOUR)

    assert (outcome(decision), decision.evidence.bad) == (Act.STOPPED, 2)


def test_who_failed_twice_is_asked_before_it_is_called_a_breach():
    """Reports of the second night that cannot be read stop nothing yet."""
    plan = new_plan((10, 0), windows=[WINDOW], budget={"failures": 1})
    shut = decide(plan, running(plan, {FACTORY: Tally(installed=4, failed=1, waiting=5)}), Sight(), NOW + HOUR)
    again = decide(plan, shut.progress, Sight(), NOW + 24 * HOUR)
    progress = report(again.progress, F1, Tally(installed=4, failed=1, waiting=5))

    assert wants_reports(plan, progress)
    assert not wants_reports(plan, again.progress)
    assert outcome(decide(plan, progress, Sight(unseen={F1: "throttled"}), NOW + 24 * HOUR)) is Wait.UNKNOWN


def test_devices_are_admitted_by_the_minute():
    """Ten a minute over two fleets of 40 and 20; never more than there are."""
    plan = new_plan((40, 20), pace=9)
    progress = running(plan, *first(Tally(waiting=40), Tally(waiting=20)))

    counts = []
    for minutes in (0, 1, 3, 100):
        progress = decide(plan, progress, Sight(), NOW + minutes * MINUTE).progress
        counts.append([progress.at(place)[0].admitted for place in (F1, D1)])

    assert counts == [[6, 3], [12, 6], [24, 12], [40, 20]]


def test_nobody_is_admitted_while_a_fleet_is_away():
    """Time goes on, offers do not."""
    plan = new_plan((40, 20), pace=9)

    decision = decide(plan, running(plan, *first(Tally(waiting=40), None)), GONE, NOW + HOUR)

    assert decision.progress.at(F1)[0].admitted == 6


def test_a_fleet_that_paces_by_itself_is_told_all_at_once():
    """The cloud holds the pace."""
    plan = new_plan((40, 20), facts=Facts("test", paces=1000), pace=9)

    assert running(plan, {}).at(F1)[0].admitted == 40


def test_a_new_window_goes_on_where_the_last_one_ended():
    """Devices that have the release do not wait for their turn once more, or the last would never be reached."""
    plan = new_plan((40, 0), pace=9, windows=[WINDOW])
    progress = running(plan, {FACTORY: Tally(installed=30, waiting=10)})
    shut = decide(plan, progress, Sight(), NOW + HOUR)

    again = decide(plan, shut.progress, Sight(), NOW + 24 * HOUR)
    later = decide(plan, again.progress, Sight(), NOW + 24 * HOUR + MINUTE)

    assert again.progress.at(F1)[-1].admitted == 39
    assert later.progress.at(F1)[-1].admitted == 40


def test_a_fleet_that_stays_away_pauses_the_rollout_in_the_end():
    """After a day, unless the file says otherwise; an answer in between begins the time anew."""
    plan = new_plan((2, 1))
    progress = running(plan, *first(Tally(waiting=2), Tally(waiting=1)))

    away = decide(plan, progress, GONE, NOW)
    still = decide(plan, away.progress, GONE, NOW + 24 * HOUR)
    beyond = decide(plan, still.progress, GONE, NOW + 24 * HOUR + MINUTE)
    back = decide(plan, still.progress, Sight(), NOW + 24 * HOUR + MINUTE)

    assert (still.progress.unknown_since, still.progress.unknown_passes) == (NOW, 2)
    assert (beyond.act, beyond.wait, beyond.progress.state) == (Act.PAUSED, Wait.RESUME, State.PAUSED)
    assert beyond.reason.endswith("fleet depot: throttled; that has lasted for more than 1 d")
    assert beyond.progress.breach is not None
    assert beyond.progress.breach.gate == "unknown"
    assert opened(beyond.progress, F1) == [False]
    assert back.progress.unknown_since is None


def test_a_stage_may_be_signed_off_while_the_window_is_shut():
    """People are asked at once, not in the night in which the next stage could have begun."""
    plan = new_plan((2, 1), (4, 4), windows=[WINDOW])
    unsigned = Sight(stage_consent=Consent(missing=1, words="stage 1 needs the signature of 1 more approver"))

    shut = decide(plan, running(plan, *first(GOOD2, GOOD1)), unsigned, NOW + HOUR)
    signed = decide(plan, shut.progress, Sight(), NOW + HOUR)

    assert (outcome(shut), opened(shut.progress, F1)) == (Wait.APPROVAL, [True])
    assert "needs the signature" in shut.reason
    assert outcome(signed) is Wait.WINDOW
    assert outcome(decide(plan, signed.progress, Sight(), NOW + 24 * HOUR)) is Act.ADVANCED


def test_a_stage_that_waits_for_devices_in_the_middle_says_so():
    """The counts alone look like an end."""
    plan = new_plan((2, 0), (4, 0), stages=[{"percent": 10, "enough": 50}, {"percent": 100}])

    decision = decide(plan, running(plan, {FACTORY: Tally(installed=1, running=1)}), Sight(), NOW)

    assert outcome(decision) is Wait.PENDING
    assert "1 devices of all stages are in the middle of installing, and 0 more may come to harm" in decision.reason


def test_a_fleet_that_was_away_saves_up_no_devices():
    """After five hours beyond reach the pace goes on where it was, not with five hours' worth at once."""
    plan = new_plan((1000, 0), pace=2)
    known = decide(plan, running(plan, {FACTORY: Tally(waiting=1000)}), Sight(), NOW)
    away = Sight(unseen={F1: "fleet factory: throttled"})

    lost = decide(plan, known.progress, away, NOW + MINUTE)
    still = decide(plan, lost.progress, away, NOW + 4 * HOUR)
    back = decide(plan, still.progress, Sight(), NOW + 5 * HOUR + MINUTE)
    later = decide(plan, back.progress, Sight(), NOW + 5 * HOUR + 2 * MINUTE)

    assert [each.progress.at(F1)[0].admitted for each in (known, still, back, later)] == [2, 2, 4, 6]

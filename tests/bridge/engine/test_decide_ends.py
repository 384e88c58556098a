"""What a decision leads to: a breach, the way back, a person's word, devices that joined late."""

from __future__ import annotations

import msgspec
import pytest

from bridge.engine.decide import AS_BEFORE, Wait, decide
from bridge.engine.progress import Breach, OrderKind, State
from bridge.engine.sight import Sight
from bridge.ledger import Act
from bridge.planning.planned import Place
from bridge.release.errors import FailureCode
from bridge.tally import Tally
from tests.bridge.plans import (
    D1,
    DEPOT,
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
    changed,
    failed,
    first,
    kinds,
    new_plan,
    opened,
    outcome,
    report,
    running,
    second,
)


@pytest.mark.parametrize(
    ("on_breach", "act", "state"),
    [
        ("pause", Act.PAUSED, State.PAUSED),
        ("abort", Act.STOPPED, State.STOPPED),
        ("roll-back", Act.ROLLING_BACK, State.ROLLING_BACK),
    ],
)
def test_a_breach_does_what_the_file_says(on_breach, act, state):
    """In every case no device is offered the release any more."""
    plan = new_plan((4, 4), on_breach=on_breach)

    decision = decide(plan, running(plan, *first(Tally(failed=1, waiting=3), Tally(waiting=4))), Sight(), NOW)

    assert (decision.act, decision.progress.state) == (act, state)
    assert decision.progress.breach == Breach("budget", decision.reason)
    forward = [order for _, _, order in decision.progress.each() if order.kind is not OrderKind.BACK]
    assert all(order.closing for order in forward)


def test_a_roll_back_offers_the_previous_release_to_every_stage_begun():
    """And ends when all have answered, also those that could not go back."""
    plan = new_plan((2, 1), (4, 4), (9, 9), on_breach="roll-back")
    progress = running(plan, *second(Tally(failed=1, installed=3), GOOD4))
    places = [F1, D1, Place(1, FACTORY), Place(1, DEPOT)]

    back = decide(plan, progress, Sight(), NOW)
    waits = decide(plan, back.progress, Sight(), NOW)
    ended = back.progress
    for place in places:
        size = plan.cohort(place).size
        ended = report(ended, place, Tally(installed=size - 1, failed=1) if size > 1 else GOOD1)
    done = decide(plan, ended, Sight(), NOW)

    assert [kinds(back.progress, place)[-1] for place in places] == [OrderKind.BACK] * 4
    assert Place(2, FACTORY) not in [at.place for at in back.progress.orders]
    assert (outcome(waits), waits.reason) == (Wait.ROLL_BACK, "0 of 11 devices run 1.9.0 again, 0 failed to go back")
    assert (outcome(done), done.progress.state) == (Act.ROLLED_BACK, State.ROLLED_BACK)
    assert done.reason == "8 of 11 devices run 1.9.0 again, 3 failed to go back"


def test_a_roll_back_knows_neither_window_nor_freeze_but_the_pace():
    """Devices run a release that has proven bad."""
    plan = new_plan((40, 20), on_breach="roll-back", windows=[WINDOW], pace=9)
    progress = running(plan, *first(Tally(installed=39, failed=1), Tally(installed=20)))

    back = decide(plan, progress, Sight(), NOW + HOUR)
    later = decide(plan, back.progress, Sight(), NOW + HOUR + MINUTE)

    assert [each.progress.at(F1)[-1].admitted for each in (back, later)] == [6, 12]
    assert opened(later.progress, F1) == [False, True]


def test_a_roll_back_waits_for_a_fleet_that_is_away():
    """It neither ends nor goes on, and says why."""
    plan = new_plan((2, 1), on_breach="roll-back")
    back = decide(plan, running(plan, *first(Tally(failed=2), GOOD1)), Sight(), NOW)

    decision = decide(plan, back.progress, GONE, NOW)

    assert outcome(decision) is Wait.UNKNOWN
    assert decision.progress.state is State.ROLLING_BACK


def test_a_paused_rollout_waits_for_a_person_and_says_why():
    """Whatever is seen."""
    plan = new_plan((2, 1))
    progress = msgspec.structs.replace(running(plan, *first(Tally(failed=2))), state=State.PAUSED)
    broken = msgspec.structs.replace(progress, breach=Breach("budget", "2 devices failed"))

    by_person = decide(plan, progress, GONE, NOW)
    by_gate = decide(plan, broken, Sight(), NOW)
    no_way_back = decide(msgspec.structs.replace(plan, back=None), broken, Sight(), NOW)

    assert outcome(by_person) is outcome(by_gate) is Wait.RESUME
    assert by_person.reason == AS_BEFORE
    assert by_gate.reason == "paused (budget: 2 devices failed); resume, roll back or abort it"
    assert no_way_back.reason == "paused (budget: 2 devices failed); resume or abort it"


def test_a_promoted_stage_goes_on_without_its_proof():
    """The ledger is told so; the budget still holds."""
    plan = new_plan((4, 0), (4, 0))
    doubtful = running(plan, {FACTORY: Tally(installed=1, waiting=3, open=False)})
    promoted = msgspec.structs.replace(doubtful, promoted=0)

    on = decide(plan, promoted, Sight(), NOW)
    bad = decide(plan, report(promoted, F1, Tally(installed=1, failed=1)), Sight(), NOW)

    assert outcome(decide(plan, doubtful, Sight(), NOW)) is Wait.INCONCLUSIVE
    assert outcome(on) is Act.ADVANCED
    assert on.reason.startswith("promoted by a person; stage 1 has enough, 3 devices have not ended: 1 of 4")
    assert on.progress.stage == 1
    assert outcome(bad) is Act.STOPPED


JOINED = Sight(joined={FACTORY: ("factory-new",), DEPOT: ()})


def test_devices_that_joined_are_offered_the_release_in_the_last_stage():
    """It completes when they have ended too; what they do spends the same budget."""
    plan = new_plan((2, 1), late_joiners="include")

    late = decide(plan, running(plan, *first(GOOD2, GOOD1)), JOINED, NOW)
    waits = decide(plan, report(late.progress, F1, Tally(waiting=1)), Sight(), NOW)
    done = decide(plan, report(late.progress, F1, GOOD1), Sight(), NOW)
    bad = decide(plan, report(late.progress, F1, Tally(failed=1)), Sight(), NOW)

    assert late.reason == "1 devices joined since the plan was made"
    assert kinds(late.progress, F1) == [OrderKind.STAGE, OrderKind.LATE]
    assert kinds(late.progress, D1) == [OrderKind.STAGE]
    assert [outcome(each) for each in (waits, done, bad)] == [Wait.PENDING, Act.COMPLETED, Act.STOPPED]
    assert "4 of 4 devices installed" in done.reason


def test_devices_that_joined_wait_for_the_window():
    """Completing may happen at any hour, offering may not."""
    plan = new_plan((2, 1), late_joiners="include", windows=[WINDOW])

    decision = decide(plan, running(plan, *first(GOOD2, GOOD1)), JOINED, NOW + HOUR)

    assert outcome(decision) is Wait.WINDOW
    assert kinds(decision.progress, F1) == [OrderKind.STAGE]


def test_devices_that_joined_a_fleet_without_others_in_the_stage_are_waited_for():
    """The depot had none when the plan was made."""
    plan = new_plan((2, 0), late_joiners="include", pace=60)
    joined = Sight(joined={DEPOT: ("depot-new", "depot-newer")})

    late = decide(plan, running(plan, {FACTORY: GOOD2}), joined, NOW)
    waits = decide(plan, report(late.progress, D1, Tally(waiting=2)), Sight(), NOW)
    done = decide(plan, report(late.progress, D1, Tally(installed=2)), Sight(), NOW)

    assert late.progress.at(D1)[0].admitted == 2
    assert (outcome(waits), outcome(done)) == (Wait.PENDING, Act.COMPLETED)


def test_devices_that_joined_go_back_too():
    """They have the release that has proven bad."""
    plan = new_plan((2, 0), late_joiners="include", on_breach="roll-back", stages=[{"percent": 100, "enough": 50}])
    late = decide(plan, running(plan, {FACTORY: Tally(installed=1, waiting=1)}), JOINED, NOW)
    bad = report(report(late.progress, F1, GOOD1), F1, Tally(installed=1, failed=1), 0)

    back = decide(plan, bad, Sight(), NOW)
    half = decide(plan, report(back.progress, F1, GOOD2, 2), Sight(), NOW)
    done = decide(plan, report(report(back.progress, F1, GOOD2, 2), F1, GOOD1, 3), Sight(), NOW)

    orders = [(order.kind, order.devices) for order in back.progress.at(F1)[2:]]
    assert orders == [(OrderKind.BACK, ()), (OrderKind.BACK, ("factory-new",))]
    assert (outcome(half), outcome(done)) == (Wait.ROLL_BACK, Act.ROLLED_BACK)
    assert done.reason.startswith("3 of 3 devices run 1.9.0 again")


def test_a_withdrawn_order_of_an_earlier_night_is_not_taken_up_beside_the_new_one():
    """The new order for the whole stage holds the device that was being tried again."""
    plan = new_plan((4, 0), windows=[WINDOW], retries={"download": 2, "delay": "0s"})
    sight = failed(FailureCode.DOWNLOAD)
    tried = decide(plan, running(plan, {FACTORY: Tally(installed=1, failed=1, waiting=2)}), sight, NOW)
    shut = decide(plan, report(tried.progress, F1, Tally(waiting=1)), sight, NOW + HOUR)

    again = decide(plan, shut.progress, Sight(), NOW + 24 * HOUR)
    later = decide(plan, again.progress, Sight(), NOW + 24 * HOUR)

    assert kinds(again.progress, F1) == [OrderKind.STAGE, OrderKind.RETRY, OrderKind.STAGE]
    assert later.progress == changed(again.progress, F1)


@pytest.mark.parametrize(
    "cut",
    [Tally(withdrawn=2, open=False, cancelled=True), Tally(waiting=2, open=False, cancelled=True),
     Tally(withdrawn=2, open=False)],
)  # fmt: skip
def test_a_roll_back_that_others_cut_off_has_brought_nobody_back(cut):
    """It neither claims so nor waits for ever without a word."""
    plan = new_plan((2, 0), on_breach="roll-back")
    back = decide(plan, running(plan, {FACTORY: Tally(failed=1, running=1)}), Sight(), NOW)

    decision = decide(plan, report(report(back.progress, F1, GOOD2, 0), F1, cut), Sight(), NOW)

    assert (outcome(decision), decision.progress.state) == (Wait.INCONCLUSIVE, State.ROLLING_BACK)
    assert "0 of 2 devices run 1.9.0 again, 0 failed to go back" in decision.reason
    assert "was cut off in the cloud, and otabridge did not ask for that: 2 devices are not back" in decision.reason

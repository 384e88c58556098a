"""Rollouts that wait for people: for approvals of the plan, and for the sign-off of a stage."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from bridge.approvals import Verdict, new_statement, render_approval, sign_statement
from bridge.approvers import approver_of
from bridge.engine.decide import Wait
from bridge.engine.progress import State
from bridge.keys import KeyType, create_key
from bridge.ledger import Act, Entry
from bridge.signing import find_key
from tests.bridge.worlds import World, new_request

PEOPLE = ("ana", "ben")
TWO = {"approvals": {"threshold": 2, "approvers": ["keys/ana.pub", "keys/ben.pub"]}}
SIGNED_OFF = {"stages": [{"percent": 10, "sign_off": {"threshold": 1}}, {"percent": 100}]}


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    """The keys of two approvers."""
    folder = tmp_path_factory.mktemp("keys")
    made = {name: create_key(name, KeyType.ED25519, folder, None) for name in PEOPLE}
    return {name: find_key(str(files.private)) for name, files in made.items()}


@pytest.fixture
def request_of(keys):
    """A request that needs both of them."""
    approvers = tuple(approver_of(keys[name].public) for name in PEOPLE)
    return lambda **changes: replace(new_request(**{**TWO, **changes}), approvers=approvers)


def sign(world: World, key, verdict: Verdict = Verdict.APPROVE, stage: int | None = None) -> None:
    """What `otabridge rollout approve` does: about the plan, or a stage from 1."""
    plan, now = world.record().plan, world.clock()
    statement = new_statement(plan, stage, verdict, keyid=key.public.key.keyid, now=now)
    document = render_approval(sign_statement(statement, key, lambda _: ""))
    entry = Entry(now, "gates", key.public.name, Act.APPROVED, verdict.value)
    assert world.store.approve("gates", key.public.key.keyid, statement.signed, document, entry)


def test_nothing_happens_before_enough_approvers_have_signed(world, keys, request_of):
    """Not even an artifact is sent; the last signature lets it begin."""
    waits = world.apply(request_of())
    sign(world, keys["ana"])
    still = world.go_on()
    puts = list(world.factory.puts)
    sign(world, keys["ben"])
    done = world.go_on()

    assert (waits.record.state, waits.record.progress.waiting) == (State.PLANNED, Wait.APPROVAL)
    assert waits.needs_person
    assert "needs the signatures of 1 more approver (given: ana)" in still.record.reason
    assert (puts, world.history()[:4]) == ([], ["planned", "approved", "approved", "published"])
    assert done.record.state is State.COMPLETED


def test_a_plan_that_was_rejected_waits_until_its_critic_approves(world, keys, request_of):
    """The newest word of each person counts."""
    world.apply(request_of())
    sign(world, keys["ana"])
    sign(world, keys["ben"], Verdict.REJECT)
    rejected = world.go_on()
    world.now += timedelta(minutes=1)
    sign(world, keys["ben"])

    assert rejected.needs_person
    assert "was rejected by ben" in rejected.record.reason
    assert world.go_on().record.state is State.COMPLETED


def begin(world: World, keys, request) -> None:
    """Both approve the plan."""
    world.apply(request)
    for key in keys.values():
        sign(world, key)


def test_a_stage_is_signed_off_before_the_next_begins(world, keys, request_of):
    """The figures alone do not suffice."""
    begin(world, keys, request_of(**SIGNED_OFF))
    waits = world.go_on()
    offered = len(world.factory.offered)
    sign(world, keys["ben"], stage=1)
    done = world.go_on()

    assert (waits.record.state, waits.record.progress.waiting, waits.record.progress.stage) == (
        State.RUNNING, Wait.APPROVAL, 0,
    )  # fmt: skip
    assert "stage 1 ended: 4 of 4 devices installed" in waits.record.reason
    assert offered == 2
    assert done.record.state is State.COMPLETED


def test_a_stage_that_was_rejected_pauses_the_rollout(world, keys, request_of):
    """A resume does not help while the word stands; an approval does."""
    begin(world, keys, request_of(**SIGNED_OFF))
    world.go_on()
    sign(world, keys["ben"], Verdict.REJECT, stage=1)
    paused = world.go_on()
    world.resume()
    again = world.go_on()
    world.now += timedelta(minutes=1)
    sign(world, keys["ben"], stage=1)
    world.resume()
    done = world.go_on()

    assert [each.record.state for each in (paused, again, done)] == [State.PAUSED, State.PAUSED, State.COMPLETED]
    assert paused.record.progress.breach.gate == "sign-off"
    assert "the success of stage 1 was rejected by ben" in paused.record.reason


def test_an_approval_of_the_plan_is_no_sign_off(world, keys, request_of):
    """Each signature names what it is about."""
    begin(world, keys, request_of(**SIGNED_OFF))

    assert world.go_on().record.progress.waiting == Wait.APPROVAL


def test_a_plan_that_is_rejected_while_its_artifacts_are_sent_does_not_begin(world, keys, request_of):
    """An upload takes hours; the word that came meanwhile counts before any device is offered anything."""
    begin_with = world.apply(request_of())
    for key in keys.values():
        sign(world, key)
    publish = world.publisher.publish

    def slowly(folder, fleets):
        publish(folder, fleets)
        world.now += timedelta(minutes=1)
        sign(world, keys["ben"], Verdict.REJECT)

    world.publisher.publish = slowly
    done = world.go_on()

    assert begin_with.record.state is done.record.state is State.PLANNED
    assert "was rejected by ben" in done.record.reason
    assert (world.factory.offered, world.factory.orders) == ([], {})


def test_nobody_signs_off_a_stage_before_it_began(world, keys, request_of):
    """Such a signature is of somebody who has seen nothing; a rejection counts whenever it came."""
    world.apply(request_of(**SIGNED_OFF))
    sign(world, keys["ana"], stage=1)
    world.now += timedelta(hours=1)
    for key in keys.values():
        sign(world, key)
    waits = world.go_on()
    sign(world, keys["ana"], stage=1)
    done = world.go_on()

    assert waits.record.progress.waiting == Wait.APPROVAL
    assert "before stage 1 began at" in waits.record.reason
    assert done.record.state is State.COMPLETED

"""Adoption: a job of others as a rollout that is counted, ended, and never made again."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest

from bridge.engine import controls
from bridge.engine.adoption import adopt, adopted_plan, require_same
from bridge.engine.decide import decide
from bridge.engine.progress import State
from bridge.engine.sight import Sight
from bridge.engine.stage_orders import key_of
from bridge.errors import UsageError
from bridge.fleet import Adopted
from bridge.ledger import Act
from bridge.planning.planned import Facts, Place, Plan
from bridge.tally import Tally
from tests.bridge.plans import NOW, report

JOB = Adopted("native-job-7", "job-7", 5, "1.2.3", datetime(2026, 2, 1, tzinfo=UTC))
HERE = Place(0, "depot")


def plan_of(failures: int | None = None, job: Adopted = JOB) -> Plan:
    """The plan that watches a job."""
    return adopted_plan("old-job", "depot", Facts("aws"), job, failures)


def decided(tally: Tally, failures: int | None = None):
    """What is decided once its counts are known."""
    record = adopt(plan_of(failures), JOB, NOW)
    return decide(record.plan, report(record.progress, HERE, tally), Sight(), NOW)


def test_it_is_one_stage_of_one_fleet_under_the_name_that_its_cloud_knows():
    """Begun when the job was made; the fleet is never told to start it."""
    record = adopt(plan_of(), JOB, NOW)
    (order,) = record.progress.at(HERE)

    assert (record.state, record.progress.begun, record.created) == (State.RUNNING, JOB.created, NOW)
    assert key_of(record.plan, HERE, 0, order) == "native-job-7"
    assert (order.size, order.told, order.admitted) == (5, 5, 5)


def test_its_plan_is_one_that_the_store_reads_back():
    """With every limit of a rollout file."""
    plan = plan_of(job=msgspec.json.decode(msgspec.json.encode(JOB), type=Adopted))

    assert msgspec.json.decode(msgspec.json.encode(plan), type=Plan) == plan
    assert plan.digest == plan_of().digest != plan_of(3).digest


@pytest.mark.parametrize(
    ("tally", "failures", "act"),
    [
        (Tally(waiting=2, running=1, installed=2), None, Act.HELD),
        (Tally(waiting=1, failed=4), None, Act.HELD),
        (Tally(waiting=1, failed=4), 3, Act.STOPPED),
        (Tally(installed=4, failed=1, open=False), None, Act.COMPLETED),
    ],
)
def test_it_is_judged_by_its_counts(tally, failures, act):
    """Failures stop it only where that was asked."""
    assert decided(tally, failures).act is act


def test_when_it_completes_its_job_is_left_as_it_is():
    """Others may go on with it; nothing is left to tell a fleet."""
    (order,) = decided(Tally(installed=5, open=False)).progress.at(HERE)

    assert (order.closing, order.closed) == (False, True)


def test_a_job_without_devices_may_still_get_some():
    """It is not over before it began."""
    record = adopt(plan_of(job=msgspec_replace(size=0)), JOB, NOW)

    assert record.plan.stages[0].size == 1
    assert decide(record.plan, report(record.progress, HERE, Tally()), Sight(), NOW).act is Act.HELD


def msgspec_replace(**changes) -> Adopted:
    """The job, otherwise."""
    return Adopted(**{**{name: getattr(JOB, name) for name in JOB.__slots__}, **changes})


@pytest.mark.parametrize(("control", "state"), [(controls.pause, State.RUNNING), (controls.resume, State.PAUSED)])
def test_what_would_have_to_be_made_again_is_refused(control, state):
    """In words that say what can be done."""
    record = adopt(plan_of(), JOB, NOW)
    progress = msgspec.structs.replace(record.progress, state=state)

    with pytest.raises(UsageError, match="job-7 was made without otabridge, which could withdraw its offers but not"):
        control(record.plan, progress, NOW)


def test_an_abort_closes_it():
    """By its own name."""
    record = adopt(plan_of(), JOB, NOW)

    aborted = controls.abort(record.plan, record.progress, NOW)

    assert aborted.state is State.ABORTED
    assert aborted.at(HERE)[0].closing


def test_the_same_job_is_found_again_and_another_is_refused():
    """Names are for ever."""
    record = adopt(plan_of(), JOB, NOW)
    other = msgspec_replace(key="native-job-8", native="job-8")

    require_same(record, plan_of(), JOB)
    with pytest.raises(UsageError, match="rollout old-job is running and is not job-8: import it under another name"):
        require_same(record, plan_of(job=other), other)

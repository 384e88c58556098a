"""The life of jobs by the virtual clock: rollout, timers, retries, abort, groups, cancellation."""

from __future__ import annotations

import pytest

from adapters.aws.simulator.errors import Refusal, ServiceError
from adapters.aws.simulator.model import JobStatus
from adapters.aws.simulator.request import Describe, ExecutionCancel, JobCancel, JobUpdate, StartNext, parse

MINUTE = 60
START = StartNext()


def abort(failure_type, percent, minimum):
    """An abortConfig of one criterion."""
    criterion = {
        "failureType": failure_type,
        "action": "CANCEL",
        "thresholdPercentage": percent,
        "minNumberOfExecutedThings": minimum,
    }
    return {"criteriaList": [criterion]}


def retry(**numbers):
    """A retry config, one criterion a failure type."""
    return {"criteriaList": [{"failureType": kind, "numberOfRetries": n} for kind, n in numbers.items()]}


def test_a_snapshot_job_ends_when_every_thing_has_answered(world):
    """Success, failure and rejection are all answers."""
    job = world.create()
    world.report("a", "SUCCEEDED")
    world.report("b", "FAILED")
    assert job.status is JobStatus.IN_PROGRESS

    world.report("c", "REJECTED")

    assert job.status is JobStatus.COMPLETED
    assert world.states() == {"a": ["SUCCEEDED"], "b": ["FAILED"], "c": ["REJECTED"]}


def test_a_snapshot_of_nobody_is_complete_at_once(world):
    """An empty group leaves nothing to do."""
    world.members = []

    assert world.create().status is JobStatus.COMPLETED


def test_a_snapshot_does_not_see_who_joins_later(world):
    """Membership is latched when the job is made."""
    world.create()
    world.members.append("d")
    world.engine.tick()

    assert set(world.states()) == {"a", "b", "c"}


def test_a_continuous_job_follows_its_group(world):
    """Newcomers get an execution at once; leavers lose a queued one, not a started one."""
    job = world.create(targetSelection="CONTINUOUS")
    world.devices.start_next("a", START)
    world.members[:] = ["c", "d"]

    world.engine.tick()

    assert world.states() == {"a": ["IN_PROGRESS"], "b": ["REMOVED"], "c": ["QUEUED"], "d": ["QUEUED"]}
    assert world.latest("b").version == 1
    for thing in ("a", "c", "d"):
        world.report(thing, "SUCCEEDED")
    assert job.status is JobStatus.IN_PROGRESS


def test_a_thing_that_rejoins_starts_again_with_the_next_number(world):
    """The new execution has its own retry budget."""
    world.create(targetSelection="CONTINUOUS", jobExecutionsRetryConfig=retry(FAILED=1))
    world.members.remove("a")
    world.engine.tick()
    world.members.append("a")
    world.engine.tick()

    world.report("a", "FAILED")
    world.report("a", "FAILED")

    assert world.states()["a"] == ["REMOVED", "FAILED", "FAILED"]
    assert world.latest("a").number == 3


def test_versions_count_every_change(world):
    """QUEUED is 1, the start makes it 2, each update adds one."""
    world.create()
    versions = [world.latest("a").version]
    world.devices.start_next("a", START)
    versions.append(world.latest("a").version)
    for status in ("IN_PROGRESS", "SUCCEEDED"):
        world.report("a", status)
        versions.append(world.latest("a").version)

    assert versions == [1, 2, 3, 4]


def test_a_started_execution_is_handed_out_again_unchanged(world):
    """After a reboot start-next resumes; status details are still there."""
    world.create()
    world.devices.start_next("a", StartNext({"phase": "download"}))

    again = world.devices.start_next("a", StartNext({"phase": "other"}))

    assert (again["versionNumber"], again["statusDetails"]) == (2, {"phase": "download"})


RATES = {
    "constant": ({"maximumPerMinute": 2}, [2, 4, 6, 8]),
    "the default reaches all": ({}, [12]),
    "growing with notified things": (
        {
            "maximumPerMinute": 1000,
            "exponentialRate": {
                "baseRatePerMinute": 1,
                "incrementFactor": 2,
                "rateIncreaseCriteria": {"numberOfNotifiedThings": 1},
            },
        },
        [1, 3, 11, 12],
    ),
    "capped by the maximum": (
        {
            "maximumPerMinute": 3,
            "exponentialRate": {
                "baseRatePerMinute": 2,
                "incrementFactor": 5,
                "rateIncreaseCriteria": {"numberOfNotifiedThings": 2},
            },
        },
        [2, 5, 8, 11],
    ),
    "no success, no growth": (
        {
            "maximumPerMinute": 1000,
            "exponentialRate": {
                "baseRatePerMinute": 2,
                "incrementFactor": 5,
                "rateIncreaseCriteria": {"numberOfSucceededThings": 1},
            },
        },
        [2, 4, 6, 8],
    ),
}


@pytest.mark.parametrize(("config", "reached"), RATES.values(), ids=RATES)
def test_a_rollout_keeps_its_rate(world, config, reached):
    """So many things have an execution after each minute."""
    world.members[:] = [f"t{number:02}" for number in range(12)]
    world.create(jobExecutionsRolloutConfig=config)

    seen = [len(world.states())]
    for _ in reached[1:]:
        world.clock.advance(MINUTE)
        seen.append(len(world.states()))

    assert seen == reached


def test_success_speeds_a_rollout_up(world):
    """rate = base x factor for each multiple of the threshold, as the developer guide counts."""
    world.members[:] = [f"t{number}" for number in range(20)]
    config = {
        "maximumPerMinute": 1000,
        "exponentialRate": {
            "baseRatePerMinute": 2,
            "incrementFactor": 1.5,
            "rateIncreaseCriteria": {"numberOfSucceededThings": 2},
        },
    }
    world.create(jobExecutionsRolloutConfig=config)
    for thing in ("t0", "t1"):
        world.report(thing, "SUCCEEDED")

    world.clock.advance(MINUTE)

    assert len(world.states()) == 2 + 3


def test_a_long_jump_plays_every_minute_of_a_rollout(world):
    """Ten minutes at once do what ten single minutes do."""
    world.members[:] = [f"t{number}" for number in range(5)]
    job = world.create(jobExecutionsRolloutConfig={"maximumPerMinute": 1})
    world.clock.advance(10 * MINUTE)

    offsets = [tries[0].queued_at - job.created_at for tries in job.tries.values()]

    assert offsets == [0, 60, 120, 180, 240]


def test_late_joiners_of_a_continuous_job_are_not_throttled(world):
    """The rate holds for the members at creation only."""
    world.create(targetSelection="CONTINUOUS", jobExecutionsRolloutConfig={"maximumPerMinute": 1})
    world.members += ["d", "e", "f"]

    world.engine.tick()

    assert list(world.states()) == ["a", "d", "e", "f"]


def test_an_execution_times_out_and_its_late_report_is_refused(world):
    """The in-progress timer starts with IN_PROGRESS, and a terminal state is final."""
    world.create(timeoutConfig={"inProgressTimeoutInMinutes": 5})
    world.clock.advance(60 * MINUTE)
    shape = world.devices.start_next("a", START)
    assert shape["approximateSecondsBeforeTimedOut"] == 300

    world.clock.advance(5 * MINUTE)

    assert world.states() == {"a": ["TIMED_OUT"], "b": ["QUEUED"], "c": ["QUEUED"]}
    with pytest.raises(ServiceError, match="already finished with status TIMED_OUT") as caught:
        world.report("a", "SUCCEEDED")
    assert caught.value.refusal is Refusal.INVALID_TRANSITION


STEPS = {
    "a step ends first": ([3], 3),
    "a later step replaces it": ([3, 8], 8),
    "a step cannot outlast the job's timer": ([30], 10),
    "minus one clears it": ([3, -1], 10),
}


@pytest.mark.parametrize(("steps", "minutes"), STEPS.values(), ids=STEPS)
def test_a_step_timer_can_only_shorten(world, steps, minutes):
    """Each update sets the step timer anew; the job's own bound stays."""
    world.create(timeoutConfig={"inProgressTimeoutInMinutes": 10})
    world.devices.start_next("a", StartNext(step_timeout_in_minutes=steps[0]))
    for step in steps[1:]:
        world.report("a", "IN_PROGRESS", step_timeout_in_minutes=step)

    world.clock.advance(minutes * MINUTE - 1)
    before = world.states()["a"]
    world.clock.advance(1)

    assert (before, world.states()["a"]) == (["IN_PROGRESS"], ["TIMED_OUT"])


RETRIES = {
    "failures": (retry(FAILED=2), ["FAILED"] * 5, ["FAILED"] * 3),
    "rejection is never tried again": (retry(ALL=3), ["REJECTED"], ["REJECTED"]),
    "success ends it": (retry(FAILED=2), ["FAILED", "SUCCEEDED"], ["FAILED", "SUCCEEDED"]),
    "other failures are not covered": (retry(TIMED_OUT=2), ["FAILED"], ["FAILED"]),
    "zero retries": (retry(FAILED=0), ["FAILED"], ["FAILED"]),
}


@pytest.mark.parametrize(("config", "reports", "tries"), RETRIES.values(), ids=RETRIES)
def test_failures_are_tried_again_within_their_budget(world, config, reports, tries):
    """A retry is a new execution with the next number, counted in retryAttempt."""
    world.create(jobExecutionsRetryConfig=config)
    for status in reports:
        if world.latest("a").pending:
            world.report("a", status)

    assert world.states()["a"] == tries
    assert world.latest("a").attempt == len(tries) - 1
    assert world.latest("a").number == len(tries)


def test_timeouts_are_retried_with_their_own_budget(world):
    """ALL counts failures and timeouts together."""
    world.create(jobExecutionsRetryConfig=retry(ALL=1), timeoutConfig={"inProgressTimeoutInMinutes": 1})
    world.devices.start_next("a", START)
    world.clock.advance(MINUTE)

    world.report("a", "FAILED")

    assert world.states()["a"] == ["TIMED_OUT", "FAILED"]


ABORTS = {
    "too few have finished": (abort("FAILED", 10, 3), ["FAILED", "FAILED"], None),
    "the share is reached": (abort("FAILED", 50, 2), ["SUCCEEDED", "FAILED"], "50.00%"),
    "the share is not reached": (abort("FAILED", 51, 2), ["SUCCEEDED", "FAILED"], None),
    "another failure does not count": (abort("TIMED_OUT", 1, 1), ["FAILED"], None),
    "all kinds count together": (abort("ALL", 100, 2), ["FAILED", "REJECTED"], "100.00%"),
}


@pytest.mark.parametrize(("config", "reports", "share"), ABORTS.values(), ids=ABORTS)
def test_a_job_aborts_itself_when_a_criterion_is_met(world, config, reports, share):
    """The service leaves ABORT_CANCEL and says which criterion it was."""
    world.members.append("d")
    job = world.create(abortConfig=config)
    for thing, status in zip("abcd", reports, strict=False):
        world.report(thing, status)

    assert job.status is (JobStatus.CANCELED if share else JobStatus.IN_PROGRESS)
    assert job.reason_code == ("ABORT_CANCEL" if share else None)
    assert share is None or share in job.comment


def test_an_abort_leaves_running_executions_alone(world):
    """It cancels what is queued, as CancelJob without force does."""
    world.create(abortConfig=abort("FAILED", 1, 1))
    world.devices.start_next("a", START)

    world.report("b", "FAILED")

    assert world.states() == {"a": ["IN_PROGRESS"], "b": ["FAILED"], "c": ["CANCELED"]}
    world.report("a", "SUCCEEDED")
    assert world.states()["a"] == ["SUCCEEDED"]


def test_cancel_withdraws_what_is_queued_and_stops_the_rollout(world):
    """In progress goes on and may still report; nobody new is reached."""
    job = world.create(jobExecutionsRolloutConfig={"maximumPerMinute": 2})
    world.devices.start_next("a", START)

    world.control.cancel_job("j", JobCancel("PAUSED", "operator"), force=False)
    world.clock.advance(5 * MINUTE)

    assert world.states() == {"a": ["IN_PROGRESS"], "b": ["CANCELED"]}
    assert (job.status, job.reason_code, job.comment) == (JobStatus.CANCELED, "PAUSED", "operator")
    world.report("a", "SUCCEEDED")


def test_a_forced_cancel_also_ends_what_runs(world):
    """The device's next report is refused with the state it has now."""
    world.create()
    world.devices.start_next("a", START)

    world.control.cancel_job("j", JobCancel(), force=True)

    assert set(map(tuple, world.states().values())) == {("CANCELED",)}
    with pytest.raises(ServiceError) as caught:
        world.report("a", "SUCCEEDED")
    assert caught.value.execution is world.latest("a")


def test_a_finished_job_cannot_be_canceled(world):
    """The refusal names the job and its state."""
    world.members = []
    world.create()

    with pytest.raises(ServiceError, match="Job j is in status COMPLETED and cannot be canceled"):
        world.control.cancel_job("j", JobCancel(), force=True)


EXECUTION_CANCELS = {
    "queued": (False, False, None, None),
    "running needs force": (True, False, None, Refusal.INVALID_TRANSITION),
    "running with force": (True, True, None, None),
    "stale version": (True, True, 1, Refusal.VERSION_CONFLICT),
    "current version": (True, True, 2, None),
}


@pytest.mark.parametrize(("started", "force", "expected", "refusal"), EXECUTION_CANCELS.values(), ids=EXECUTION_CANCELS)
def test_one_execution_can_be_canceled(world, started, force, expected, refusal):
    """As CancelJobExecution allows it."""
    world.create()
    if started:
        world.devices.start_next("a", START)
    request = ExecutionCancel(expected_version=expected)

    if refusal is None:
        world.control.cancel_execution("j", "a", request, force=force)
        assert world.states()["a"] == ["CANCELED"]
    else:
        with pytest.raises(ServiceError) as caught:
            world.control.cancel_execution("j", "a", request, force=force)
        assert caught.value.refusal is refusal


def test_a_scheduled_job_starts_and_ends_by_the_clock(world):
    """Nobody is reached before; FORCE_CANCEL ends all that is left."""
    schedule = {"startTime": "2027-01-15T09:00", "endTime": "2027-01-15T10:00", "endBehavior": "FORCE_CANCEL"}
    job = world.create(schedulingConfig=schedule)  # the clock stands at 2027-01-15T08:00
    assert (job.status, world.states()) == (JobStatus.SCHEDULED, {})

    world.clock.advance(60 * MINUTE)
    assert (job.status, len(world.states())) == (JobStatus.IN_PROGRESS, 3)
    world.devices.start_next("a", START)
    world.clock.advance(60 * MINUTE)

    assert job.status is JobStatus.CANCELED
    assert world.states()["a"] == ["CANCELED"]


def test_updates_change_what_comes_later(world):
    """A new timeout holds for executions that start afterwards; retries can only be switched off."""
    world.create(jobExecutionsRetryConfig=retry(FAILED=5))
    world.control.update_job("j", parse({"timeoutConfig": {"inProgressTimeoutInMinutes": 7}}, JobUpdate))
    world.control.update_job("j", parse({"jobExecutionsRetryConfig": retry(FAILED=0)}, JobUpdate))

    assert world.devices.start_next("a", START)["approximateSecondsBeforeTimedOut"] == 420
    world.report("b", "FAILED")
    assert world.states()["b"] == ["FAILED"]
    with pytest.raises(ServiceError, match="can only be set to 0"):
        world.control.update_job("j", parse({"jobExecutionsRetryConfig": retry(FAILED=1)}, JobUpdate))


def test_a_job_with_work_left_is_deleted_by_force_only(world):
    """Things lose what was pending and are told."""
    world.create()
    with pytest.raises(ServiceError, match="cannot be deleted without force"):
        world.control.delete_job("j", force=False)
    world.notices.clear()

    world.control.delete_job("j", force=True)

    assert world.notices == [("a", [], True), ("b", [], True), ("c", [], True)]


def test_things_are_told_when_their_queue_changes_and_not_otherwise(world):
    """notify for every change of the set, notify-next only for another front."""
    world.members = ["a"]
    world.create("one")
    world.create("two")
    world.devices.start_next("a", START)
    world.report("a", "IN_PROGRESS", "one")
    world.report("a", "SUCCEEDED", "one")

    assert world.notices == [
        ("a", ["one#1"], True),
        ("a", ["one#1", "two#1"], False),
        ("a", ["two#1"], True),
    ]


def test_an_execution_that_starts_out_of_turn_comes_to_the_front(world):
    """IN_PROGRESS stands before QUEUED."""
    world.members = ["a"]
    world.create("one")
    world.create("two")
    world.notices.clear()

    world.report("a", "IN_PROGRESS", "two")

    assert world.notices == [("a", ["two#1", "one#1"], True)]
    assert world.devices.start_next("a", START)["jobId"] == "two"


def test_next_is_absent_when_there_is_nothing(world):
    """`$next` of an idle thing is no error."""
    assert world.devices.describe("a", "$next", Describe()) is None
    assert world.devices.start_next("a", START) is None


def test_null_members_are_dropped_on_delivery(world):
    """AWS re-serialises the document; nobody may rely on an explicit null."""
    world.create(document='{"keep": [{"x": null, "y": 1}], "gone": null}')

    assert world.devices.start_next("a", START)["jobDocument"] == {"keep": [{"y": 1}]}

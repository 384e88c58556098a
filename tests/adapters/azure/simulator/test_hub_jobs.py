"""Scheduled jobs: one patch for many devices, at the hub's pace."""

from __future__ import annotations

import pytest

from adapters.azure.simulator.hub import Hub
from adapters.azure.simulator.hub_errors import HubError, Refusal
from adapters.azure.simulator.jobs import JobRequest, Jobs
from adapters.simulation.clock import VirtualClock
from adapters.simulation.faults import Effect, Faults

NOW = 1_800_000_000
PATCH = {"etag": "*", "tags": {"team": "g"}, "properties": {"desired": {"stage": "S"}}}


@pytest.fixture
def hub():
    """Five devices; time stands."""
    made = Hub(VirtualClock(NOW, frozen=True))
    for name in "abcde":
        made.add_device(name)
    return made


@pytest.fixture
def jobs(hub):
    """Two devices a second, one job at a time."""
    made = Jobs(hub, Faults(), devices_per_second=2)
    hub.clock.subscribe(made.tick)
    return made


def request(job_id="j", condition="*", start=NOW, limit=None):
    """A job that tags."""
    return JobRequest(job_id, condition, PATCH, start, limit)


def tagged(hub):
    """The devices that the job has reached."""
    return "".join(each.device_id for each in hub.devices() if each.tags.values.get("team") == "g")


def test_a_job_goes_through_its_devices(hub, jobs):
    """Queued, then running at the hub's pace, then completed with its count."""
    assert jobs.create(request())["status"] == "queued"
    hub.clock.advance(1)
    assert (tagged(hub), jobs.show("j")["status"]) == ("ab", "running")
    assert jobs.show("j")["deviceJobStatistics"] == {
        "deviceCount": 5,
        "failedCount": 0,
        "succeededCount": 2,
        "runningCount": 0,
        "pendingCount": 3,
    }
    hub.clock.advance(60)

    assert (tagged(hub), jobs.show("j")["status"]) == ("abcde", "completed")
    assert hub.desired("e") == {"stage": "S"}
    assert jobs.show("j")["endTime"] == "2027-01-15T08:01:01.0000000Z"


def test_without_a_pace_all_is_done_at_once(hub, jobs):
    """The usual test does not want to wait."""
    jobs.devices_per_second = None
    jobs.create(request(condition="deviceId IN ['a','c'] AND NOT is_defined(tags.team)"))

    assert (tagged(hub), jobs.show("j")["status"]) == ("ac", "completed")


def test_one_job_at_a_time(hub, jobs):
    """The second is refused until the first has ended."""
    jobs.create(request())
    with pytest.raises(HubError, match="1 jobs are active, of 1 that may be") as caught:
        jobs.create(request("k"))
    assert caught.value.refusal.value[:2] == (429, "ThrottlingMaxActiveJobCountExceeded")

    hub.clock.advance(60)
    assert jobs.create(request("k"))["status"] == "queued"


def test_an_id_is_used_once(hub, jobs):
    """Even after the job has ended."""
    jobs.create(request())
    hub.clock.advance(60)
    with pytest.raises(HubError, match="Job with id 'j' already exists") as caught:
        jobs.create(request())

    assert caught.value.refusal is Refusal.JOB_EXISTS


def test_a_cancelled_job_leaves_what_it_did(hub, jobs):
    """And does no more; cancelling it again, or once it has ended, changes nothing."""
    jobs.create(request())
    hub.clock.advance(1)
    assert jobs.cancel("j")["status"] == "cancelled"
    hub.clock.advance(60)

    assert tagged(hub) == "ab"
    assert jobs.cancel("j")["status"] == "cancelled"
    with pytest.raises(HubError, match="Job other not found"):
        jobs.cancel("other")


def test_the_condition_is_judged_when_the_job_begins(hub, jobs):
    """A job for later sees the devices of later."""
    jobs.devices_per_second = None
    jobs.create(request(start=NOW + 3600))
    assert jobs.show("j")["status"] == "scheduled"
    hub.add_device("f")
    hub.clock.advance(3600)

    assert tagged(hub) == "abcdef"


def test_a_job_that_takes_too_long_fails(hub, jobs):
    """What it reached in its time stays."""
    jobs.create(request(limit=1))
    hub.clock.advance(60)

    assert (tagged(hub), jobs.show("j")["status"]) == ("ab", "failed")
    assert jobs.show("j")["deviceJobStatistics"]["pendingCount"] == 3


def test_devices_that_cannot_be_written_are_counted(hub):
    """One is gone meanwhile, one fails by plan; the job completes all the same."""
    faults = Faults()
    faults.plan("job_device", Effect.SERVER_ERROR, "b")
    jobs = Jobs(hub, faults, devices_per_second=1)
    jobs.create(request())
    hub.remove_device("e")
    hub.clock.advance(60)
    jobs.tick()

    assert tagged(hub) == "acd"
    assert jobs.show("j")["status"] == "completed"
    assert jobs.show("j")["deviceJobStatistics"]["failedCount"] == 2


def test_unknown_jobs_and_lists(hub, jobs):
    """The hub answers for jobs that it does not know, with status `unknown`."""
    jobs.create(request())
    hub.clock.advance(60)
    jobs.create(request("k"))

    assert jobs.show("other") == {"jobId": "other", "type": "unknown", "status": "unknown"}
    assert [each["jobId"] for each in jobs.listed(None, None)] == ["k", "j"]
    assert [each["jobId"] for each in jobs.listed("scheduleUpdateTwin", "completed")] == ["j"]
    assert jobs.listed("scheduleDeviceMethod", None) == ()


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (request("x" * 65), "A job id has 1 to 64 characters"),
        (request(condition="deviceId IN"), "[ expected"),
        (request(condition=f"deviceId = '{'x' * 8192}'"), "the limit is 8192"),
    ],
)
def test_what_is_no_job(jobs, asked, said):
    """Refused before anything happens."""
    with pytest.raises(HubError) as caught:
        jobs.create(asked)

    assert said in caught.value.message
    assert jobs.listed(None, None) == ()


RANGES = [
    ("(properties.reported.bucket >= 3 AND properties.reported.bucket <= 4)", "d"),
    ("((properties.reported.bucket >= 3 AND properties.reported.bucket <= 4) OR properties.reported.bucket < 1)", "ad"),
    ("properties.reported.bucket > 0 AND (NOT is_defined(tags.held) OR tags.held NIN ['x','y'])", "b"),
    ("properties.reported.bucket >= 0 AND NOT (properties.reported.bucket IN [0,1] OR tags.held = 'y')", ""),
    ("NOT properties.reported.bucket >= 1", "a"),
]


@pytest.mark.parametrize(("condition", "reached"), RANGES)
def test_a_condition_over_numbers_reaches_those_who_report_them(hub, jobs, condition, reached):
    """Who reports none, or a text, is neither within a range nor outside of it."""
    for name, bucket in {"a": 0, "b": 1, "c": "3", "d": 3}.items():
        hub.report(name, {"bucket": bucket})
    hub.patch_twin("d", {"tags": {"held": "y"}})

    jobs.create(request(condition=condition))
    hub.clock.advance(60)

    assert tagged(hub) == reached


@pytest.mark.parametrize("condition", ["(" * 65 + "a = 1" + ")" * 65, "a = 1 OR " * 1000 + "a = 1", "a = 1 GROUP BY b"])
def test_a_condition_beyond_the_hubs_bounds_makes_no_job(jobs, condition):
    """Depth, length and clauses."""
    with pytest.raises(HubError) as raised:
        jobs.create(request(condition=condition))

    assert raised.value.refusal is Refusal.ARGUMENT_INVALID
    assert jobs.show("j")["status"] == "unknown"

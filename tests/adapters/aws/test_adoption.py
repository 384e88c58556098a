"""Jobs that were made without otabridge, watched and stopped as if they were its own."""

from __future__ import annotations

import json
import logging

import pytest

from adapters.aws.adoption import remarks
from adapters.aws.request import document_of
from adapters.aws.wire import render_document
from bridge.fleet import FleetError, LimitError
from bridge.release.report import Outcome
from bridge.tally import Tally
from tests.adapters.aws.indexing import INDEXED

GROUP = "warehouse"
DEVICES = ("gate-1", "gate-2", "gate-3")
REBOOT = json.dumps({"version": "1.0", "steps": []})


@pytest.fixture
def iot(simulator):
    """Three devices in somebody's own group."""
    iot = simulator.client("iot")
    simulator.populate({name: {} for name in DEVICES})
    iot.create_thing_group(thingGroupName=GROUP)
    for name in DEVICES:
        iot.add_thing_to_thing_group(thingGroupName=GROUP, thingName=name)
    return iot


@pytest.fixture
def make(simulator, iot):
    """CreateJob for that group."""

    def create(job, document=REBOOT, **wishes):
        iot.create_job(jobId=job, targets=[simulator.group_arn(GROUP)], document=document, **wishes)

    return create


def test_a_job_is_watched_and_stopped(simulator, fleet, iot, make):
    """Under a key that leads to that very job; its group is left alone."""
    make("weekly_Reboot-7")
    adopted = fleet.adopt("weekly_Reboot-7")
    data = simulator.client("iot-jobs-data")
    data.update_job_execution(jobId="weekly_Reboot-7", thingName="gate-1", status="FAILED")
    data.start_next_pending_job_execution(thingName="gate-2")

    assert (adopted.native, adopted.size, adopted.version) == ("weekly_Reboot-7", 3, "")
    assert adopted.created.tzinfo is not None
    assert fleet.tally(adopted.key) == Tally(waiting=1, running=1, failed=1)
    (report,) = fleet.reports(adopted.key)
    assert (report.device, report.outcome) == ("gate-1", Outcome.FAILED)

    fleet.stop(adopted.key, "wrong week")

    job = iot.describe_job(jobId="weekly_Reboot-7")["job"]
    assert (job["status"], job["comment"], job.get("forceCanceled")) == ("CANCELED", "wrong week", False)
    assert fleet.tally(adopted.key) == Tally(running=1, failed=1, withdrawn=1, open=False, cancelled=True)
    assert iot.describe_thing_group(thingGroupName=GROUP)["thingGroupName"] == GROUP


def test_a_job_with_a_release_tells_its_version(simulator, fleet, package, make):
    """Made by a script from what `translate` prints."""
    place = {"region": simulator.region, "bucket": "adapter-artifacts", "prefix": "otabridge"}
    document = render_document(document_of(package.release, package.document, (), **place))
    make("by-script", document, presignedUrlConfig={"roleArn": simulator.role_arn})

    assert fleet.adopt("by-script").version == package.release.version


def test_a_job_that_is_not_there_is_refused(fleet):
    """With its name."""
    with pytest.raises(FleetError, match="fleet factory: there is no job nowhere in this account and region"):
        fleet.adopt("nowhere")


def test_what_is_peculiar_is_said(fleet, iot, make, caplog):
    """Ended, continuous, retried, still rolling out: a person reads it in the log."""
    make("done")
    iot.cancel_job(jobId="done")
    retries = {"criteriaList": [{"failureType": "FAILED", "numberOfRetries": 2}]}
    slow = {"maximumPerMinute": 1}
    make("endless", targetSelection="CONTINUOUS", jobExecutionsRetryConfig=retries, jobExecutionsRolloutConfig=slow)

    with caplog.at_level(logging.WARNING):
        done, endless = fleet.adopt("done"), fleet.adopt("endless")

    said = [record.getMessage() for record in caplog.records]
    assert fleet.tally(done.key) == Tally(withdrawn=3, open=False, cancelled=True)
    assert fleet.tally(endless.key) == Tally(waiting=1)
    assert [words.partition(":")[2].split(":")[0] for words in said] == [
        " job done has ended already (CANCELED)",
        " job endless is CONTINUOUS",
        " job endless is retried by AWS, which counts every attempt",
        " job endless is still being rolled out",
    ]


def test_a_completed_job_needs_no_stop(simulator, fleet, make):
    """Its counts stay as they are."""
    make("done")
    data = simulator.client("iot-jobs-data")
    for name in DEVICES:
        data.update_job_execution(jobId="done", thingName=name, status="SUCCEEDED")
    key = fleet.adopt("done").key

    fleet.stop(key, "late")

    assert fleet.tally(key) == Tally(installed=3, open=False)


def test_a_job_that_is_being_deleted_is_refused(fleet, make, monkeypatch):
    """A state that passes, in which nothing can be watched."""
    make("gone")
    look = fleet._job
    monkeypatch.setattr(fleet, "_job", lambda name: {**look(name), "status": "DELETION_IN_PROGRESS"})

    with pytest.raises(FleetError, match="job gone is being deleted: there is nothing to adopt"):
        fleet.adopt("gone")


def test_an_ordinary_job_has_no_remarks(iot, make):
    """SNAPSHOT, at work, all of its devices found."""
    make("plain")

    assert list(remarks(iot.describe_job(jobId="plain")["job"])) == []


def test_health_of_a_foreign_document_cannot_be_told(fleet, iot, make):
    """Nobody knows which release the devices would report."""
    iot.update_indexing_configuration(thingIndexingConfiguration=INDEXED)
    make("reboot")
    key = fleet.adopt("reboot").key

    with pytest.raises(LimitError, match="job: reboot; its document is none of otabridge's"):
        fleet.watchdog_resets((key,))

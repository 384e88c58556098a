"""What only AWS can do to a device, and how the channel comes through it. Real awsiotsdk against the simulator."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from dataclasses import replace

import pytest
import urllib3

from adapters.aws.device import AwsChannel, open_channel
from adapters.aws.mqtt import AwsSettings
from adapters.aws.request import render_request
from adapters.devices import open_channel as open_by_name
from adapters.simulation.faults import Effect
from adapters.simulation.pki import CertificateAuthority
from agent.cloud.channel import OfferWithdrawn
from bridge.names import stage_name
from bridge.release.errors import ChannelError, FailureCode
from bridge.release.report import Outcome, Phase, Progress, Report
from bridge.tally import Tally

WAIT = 30.0
THING = "device-1"
INSTALLED = Report(Outcome.INSTALLED, "b", "2.0.0")
LOST = [Effect.LOSE_REQUEST, Effect.LOSE_REPLY, Effect.DISCONNECT, Effect.THROTTLE, Effect.SERVER_ERROR]


def details(simulator, key="spring/1"):
    """statusDetails of the one execution of a stage."""
    return simulator.executions(stage_name(key))[0].details


def offer_document(simulator, document, job_id="foreign"):
    """A job with `document` for the device, made past otabridge."""
    role = {"roleArn": simulator.role_arn}
    target = simulator.thing_arn(THING)
    body = json.dumps(document)
    simulator.client("iot").create_job(jobId=job_id, targets=[target], document=body, presignedUrlConfig=role)


@contextmanager
def meanwhile(act):
    """Runs `act` in another thread a moment after the block began to wait."""
    timer = threading.Timer(0.3, act)
    timer.start()
    yield
    timer.join()


@pytest.mark.parametrize("effect", LOST)
def test_the_question_for_an_offer_survives(simulator, fleet, channel, order, effect):
    """Lost, throttled or cut off: the channel asks again and gets the offer once."""
    fleet.start(order)
    simulator.faults.plan("StartNextPendingJobExecution", effect, times=2)

    offer = channel.next_offer(WAIT)

    assert offer.id == stage_name(order.key)
    assert len(simulator.faults.hits()) == 2
    assert fleet.tally(order.key) == Tally(running=1)


@pytest.mark.parametrize("effect", LOST)
def test_a_report_survives(simulator, fleet, channel, order, effect):
    """Whether the update or only its reply was lost, the cloud ends with exactly this report."""
    fleet.start(order)
    offer = channel.next_offer(WAIT)
    simulator.faults.plan("UpdateJobExecution", effect, times=2)

    channel.conclude(offer.id, INSTALLED)

    assert len(simulator.faults.hits()) == 2
    assert fleet.tally(order.key) == Tally(installed=1, open=False)
    assert details(simulator) == {"outcome": "installed", "slot": "b", "version": "2.0.0", "fallbacks": "0"}


@pytest.mark.parametrize("effect", LOST)
def test_a_renewal_survives(simulator, fleet, channel, order, effect):
    """Asking for fresh URLs is repeated like any question."""
    fleet.start(order)
    offer = channel.next_offer(WAIT)
    simulator.faults.plan("DescribeJobExecution", effect, times=2)

    assert channel.renew(offer.id).release == order.release


def test_a_report_that_never_gets_through_says_so(simulator, fleet, channel, order):
    """After its attempts the channel gives the report back, to be told later; the cloud holds nothing of it."""
    fleet.start(order)
    offer = channel.next_offer(WAIT)
    simulator.faults.plan("UpdateJobExecution", Effect.THROTTLE, times=100)

    with pytest.raises(ChannelError, match=r"report SUCCEEDED did not get through: RequestThrottled") as raised:
        channel.conclude(offer.id, INSTALLED)
    assert raised.value.retryable
    assert fleet.tally(order.key) == Tally(running=1)


@pytest.mark.parametrize("effect", LOST)
def test_a_lost_sign_of_life_costs_nothing(simulator, fleet, channel, order, effect):
    """Progress is dropped, not repeated, and the report after it still arrives."""
    fleet.start(order)
    offer = channel.next_offer(WAIT)
    simulator.faults.plan("UpdateJobExecution", effect)

    channel.progress(offer.id, Progress(Phase.DOWNLOADING, 10))
    channel.conclude(offer.id, INSTALLED)

    assert fleet.tally(order.key) == Tally(installed=1, open=False)


def test_signs_of_life_are_sparse(simulator, fleet, channel, order):
    """One update for each ten per cent of a phase: an account's devices share 200 a second."""
    fleet.start(order)
    offer = channel.next_offer(WAIT)
    before = simulator.executions(offer.id)[0].version

    for percent in range(100):
        channel.progress(offer.id, Progress(Phase.DOWNLOADING, percent))

    assert simulator.executions(offer.id)[0].version == before + 10
    assert details(simulator) == {"phase": "downloading", "percent": "90"}


def test_what_a_device_waits_for_is_told_once_each(simulator, fleet, channel, order):
    """Two who are in the way one after the other are two messages."""
    fleet.start(order)
    offer = channel.next_offer(WAIT)
    before = simulator.executions(offer.id)[0].version

    for what in ("install: consent: nobody", "install: consent: nobody", "install: window: opens Sunday"):
        channel.progress(offer.id, Progress(Phase.WAITING, 0, what))

    assert simulator.executions(offer.id)[0].version == before + 2
    assert details(simulator) == {"phase": "waiting", "percent": "0", "detail": "install: window: opens Sunday"}
    channel.progress(offer.id, Progress(Phase.SWITCHING))
    assert details(simulator) == {"phase": "switching", "percent": "0"}


def test_an_execution_that_somebody_else_moved_is_adopted(simulator, fleet, channel, order):
    """Another program raised the version: the report goes through all the same, on the version that it finds."""
    fleet.start(order)
    offer = channel.next_offer(WAIT)
    data = simulator.client("iot-jobs-data")
    data.update_job_execution(jobId=offer.id, thingName=THING, status="IN_PROGRESS", statusDetails={"by": "hand"})

    channel.conclude(offer.id, INSTALLED)

    assert fleet.tally(order.key) == Tally(installed=1, open=False)


def test_progress_on_a_moved_execution_catches_up(simulator, fleet, channel, order):
    """The first sign of life after it is dropped, the next one counts."""
    fleet.start(order)
    offer = channel.next_offer(WAIT)
    data = simulator.client("iot-jobs-data")
    data.update_job_execution(jobId=offer.id, thingName=THING, status="IN_PROGRESS", statusDetails={"by": "hand"})

    channel.progress(offer.id, Progress(Phase.DOWNLOADING, 10))
    channel.progress(offer.id, Progress(Phase.DOWNLOADING, 20))

    assert details(simulator) == {"phase": "downloading", "percent": "20"}


def test_a_dropped_connection_is_asked_on_again(simulator, fleet, channel, order):
    """The notification is lost with the connection; the new connection is reason enough to ask."""
    assert channel.next_offer(0.2) is None
    simulator.faults.plan("NotifyNext", Effect.LOSE_REQUEST)

    def start_and_hang_up():
        fleet.start(order)
        simulator.disconnect(THING)

    with meanwhile(start_and_hang_up):
        offer = channel.next_offer(WAIT)

    assert offer.id == stage_name(order.key)
    assert len(simulator.faults.hits()) == 1


def test_a_lost_notification_is_made_up_for(simulator, settings, fleet, order):
    """Nobody tells the device, nothing drops: it asks by itself after its interval."""
    channel = AwsChannel(AwsSettings(**settings, ask_again_seconds=0.2))
    assert channel.next_offer(0.1) is None
    simulator.faults.plan("NotifyNext", Effect.LOSE_REQUEST)

    with meanwhile(lambda: fleet.start(order)):
        offer = channel.next_offer(WAIT)

    channel.close()
    assert offer.id == stage_name(order.key)
    assert len(simulator.faults.hits()) == 1


def test_a_timed_out_device_is_told_and_reported(simulator, fleet, channel, order):
    """The cloud's clock ran out: too late for a report, and the fleet's reports say in which phase."""
    fleet.start(order)
    offer = channel.next_offer(WAIT)
    channel.progress(offer.id, Progress(Phase.DOWNLOADING, 40))

    simulator.clock.advance(31 * 60)

    with pytest.raises(OfferWithdrawn, match="TIMED_OUT"):
        channel.conclude(offer.id, INSTALLED)
    assert fleet.tally(order.key) == Tally(timed_out=1, open=False)
    assert [(each.device, each.outcome, each.detail) for each in fleet.reports(order.key)] == [
        (THING, None, "AWS IoT closed it as TIMED_OUT while downloading (40 %)")
    ]


def test_a_deleted_job_is_withdrawn(simulator, fleet, channel, order):
    """Gone without a trace, also from the device's view."""
    fleet.start(order)
    offer = channel.next_offer(WAIT)
    simulator.client("iot").delete_job(jobId=offer.id, force=True)

    for act in (
        lambda: channel.renew(offer.id),
        lambda: channel.progress(offer.id, Progress(Phase.CHECKING)),
        lambda: channel.conclude(offer.id, INSTALLED),
    ):
        with pytest.raises(OfferWithdrawn, match=offer.id):
            act()


@pytest.mark.usefixtures("put")
def test_an_expired_url_is_renewed(simulator, fleet, channel, order, package):
    """After an hour the store refuses the first URL and takes the renewed one."""
    fleet.start(replace(order, timeout_minutes=600))
    offer = channel.next_offer(WAIT)
    name = package.artifact.name
    simulator.clock.advance(3700)
    assert urllib3.request("GET", offer.urls[name], retries=False).status == 403

    fresh = channel.renew(offer.id)

    assert urllib3.request("GET", fresh.urls[name], retries=False).data == package.files[name]


PLACEHOLDER_LEFT = (
    "job document: artifacts['a.full'] still holds a placeholder: AWS IoT could not sign the URL; check that the "
    "job's presign role exists, trusts iot.amazonaws.com and may s3:GetObject"
)
FOREIGN = [
    ({"steps": []}, "107", "the job document is not for this agent: its schema is 'None', expected 'otabridge/1'"),
    ({"schema": 7}, "107", "the job document is not for this agent: its schema is '7', expected 'otabridge/1'"),
    (
        {"schema": "otabridge/2"},
        "107",
        "the job document has schema 'otabridge/2', this agent reads 'otabridge/1': update it",
    ),
    (
        {"schema": "otabridge/1", "operation": "reboot"},
        "107",
        "the job document asks for operation 'reboot', not 'ota'",
    ),
    (
        {"schema": "otabridge/1", "operation": "ota"},
        "100",
        "job document: Object missing required field `release`",
    ),
    (
        {
            "schema": "otabridge/1",
            "operation": "ota",
            "release": {},
            "metadata": "e30=",
            "roots": [],
            "artifacts": {"a.full": "${aws:iot:not-a-placeholder}"},
        },
        "100",
        PLACEHOLDER_LEFT,
    ),
]


@pytest.mark.parametrize(("document", "code", "detail"), FOREIGN)
def test_what_is_no_offer_is_rejected_with_the_reason(simulator, channel, document, code, detail):
    """The agent never sees it; whoever made the job reads why in its statusDetails."""
    offer_document(simulator, document)

    assert channel.next_offer(0.3) is None

    (execution,) = simulator.executions("foreign")
    assert execution.status == "REJECTED"
    assert execution.details == {"outcome": "rejected", "code": code, "detail": detail, "fallbacks": "0"}


def test_a_second_attempt_is_another_offer(simulator, fleet, channel, order):
    """Where somebody's job retries failures, its second attempt is not taken for the first by the agent's journal."""
    retry = {"criteriaList": [{"failureType": "FAILED", "numberOfRetries": 1}]}
    request = replace(fleet._request_of(order), targets=(simulator.thing_arn(THING),))
    simulator.client("iot").create_job(**render_request(request), jobExecutionsRetryConfig=retry)
    first = channel.next_offer(WAIT)
    channel.conclude(first.id, Report(Outcome.FAILED, "a", "1.0.0", FailureCode.DOWNLOAD))

    second = channel.next_offer(WAIT)
    channel.renew(second.id)
    channel.conclude(second.id, INSTALLED)

    assert (first.id, second.id) == (stage_name(order.key), f"{stage_name(order.key)}#2")
    assert [each.status for each in simulator.executions(first.id)] == ["FAILED", "SUCCEEDED"]


def test_no_connection_names_the_endpoint_and_the_reason(settings):
    """Nobody listens there: an error that may pass, with the address that was tried."""
    channel = AwsChannel(AwsSettings(**{**settings, "port": 1}))

    with pytest.raises(ChannelError, match=r"no connection to AWS IoT at localhost:1 as device-1: AWS_") as raised:
        channel.next_offer(1.0)
    channel.close()
    channel.close()
    assert raised.value.retryable


def test_a_certificate_that_the_cloud_refuses_says_what_to_look_at(settings, tmp_path):
    """Expired, deactivated, of another account: AWS IoT hangs up without a word, so the message has some."""
    stranger = CertificateAuthority(tmp_path / "elsewhere").device(THING, "stranger")
    files = {"certificate_file": str(stranger.cert_file), "key_file": str(stranger.key_file)}
    channel = AwsChannel(AwsSettings(**{**settings, **files}))

    with pytest.raises(ChannelError, match="hangs up on a certificate that is expired, not active") as raised:
        channel.next_offer(5.0)
    channel.close()
    assert raised.value.retryable


def test_without_a_connection_a_sign_of_life_is_dropped_at_once(settings):
    """The agent is not held up by a dead link."""
    channel = AwsChannel(AwsSettings(**{**settings, "port": 1}))

    channel.progress("any", Progress(Phase.DOWNLOADING, 10))

    channel.close()


def test_a_missing_certificate_is_named(settings, tmp_path):
    """A final error: waiting does not make the file appear."""
    missing = tmp_path / "absent.pem"
    channel = AwsChannel(AwsSettings(**{**settings, "certificate_file": str(missing)}))

    with pytest.raises(ChannelError, match=f"certificate_file {missing}: No such file") as raised:
        channel.next_offer(1.0)
    assert not raised.value.retryable


def test_a_file_that_is_no_certificate_is_named(settings, tmp_path):
    """The SDK's complaint, with the three files that it may be about."""
    garbage = tmp_path / "garbage.pem"
    garbage.write_text("not PEM")
    channel = AwsChannel(AwsSettings(**{**settings, "certificate_file": str(garbage)}))

    with pytest.raises(ChannelError, match=f"certificate {garbage}.*is not usable PEM") as raised:
        channel.next_offer(1.0)
    assert not raised.value.retryable


BAD_SETTINGS = [
    ({"thing": "a b"}, r"\$\.thing"),
    ({"keep_alive_seconds": 5}, r"keep_alive_seconds"),
    ({"endpoint": "https://x/"}, r"\$\.endpoint"),
    ({"colour": "red"}, r"colour"),
]


@pytest.mark.parametrize(("change", "message"), BAD_SETTINGS)
def test_a_wrong_setting_is_named(settings, change, message):
    """Before anything connects."""
    with pytest.raises(ChannelError, match=message) as raised:
        open_channel({**settings, **change})
    assert not raised.value.retryable


def test_channels_are_opened_by_the_name_of_the_cloud(settings):
    """`adapters.devices` knows the clouds; another name is refused with those there are."""
    assert isinstance(open_by_name("aws", settings), AwsChannel)
    with pytest.raises(ChannelError, match="no cloud is named 'gcp'; there is aws"):
        open_by_name("gcp", {})


def test_reaching_the_cloud_begins_nothing(simulator, fleet, channel, order):
    """A trial boot asks whether it is heard: the job that waits stays as it is, and so does an empty queue."""
    channel.reach(WAIT)
    fleet.start(order)
    channel.reach(WAIT)

    assert [each.status for each in simulator.executions(stage_name(order.key))] == ["QUEUED"]


@pytest.mark.parametrize("effect", [Effect.LOSE_REPLY, Effect.THROTTLE])
def test_an_answer_that_does_not_come_is_none(simulator, channel, effect):
    """The check tries again."""
    channel.reach(WAIT)
    simulator.faults.plan("DescribeJobExecution", effect)

    with pytest.raises(ChannelError):
        channel.reach(WAIT)
    channel.reach(WAIT)


def test_a_cloud_that_is_not_there_is_not_reached(settings):
    """The reason of the last failure to connect is told."""
    lost = AwsChannel(AwsSettings(**{**settings, "port": 1}))
    with pytest.raises(ChannelError, match="no connection to AWS IoT"):
        lost.reach(0.5)
    lost.close()

"""Logs that the service asks for: uploaded once, and never in the way of an update."""

from __future__ import annotations

import contextlib
import threading

import pytest
from werkzeug.wrappers import Response

from adapters.azure.channel.diagnostics import Result, answer, pending_request
from adapters.simulation.faults import Effect
from bridge.release.errors import ChannelError
from bridge.release.report import Outcome, Report

WAIT = 30.0
DEVICE = "device-1"
INSTALLED = Report(Outcome.INSTALLED, "b", "2.0.0")


@pytest.fixture
def logs(tmp_path):
    """Two log files, of which one is long."""
    short, long = tmp_path / "agent.log", tmp_path / "system.log"
    short.write_bytes(b"started\n")
    long.write_bytes(b"x" * 5000 + b"the end\n")
    return {"log_files": (str(short), str(long)), "log_kilobytes": 1}


def reported(deployer):
    """What the device said of its logs."""
    agent = deployer.reported["diagnosticInformation"]["agent"]
    return agent["resultCode"], agent["operationId"]


def test_logs_are_uploaded_once(opened, deployer, logs):
    """The end of each file, under the names of device and operation; acknowledged, and not again after a restart."""
    deployer.ask_for_logs("op-1")
    assert opened(**logs).next_offer(0.1) is None
    deployer.uploads, uploaded = {}, deployer.uploads
    assert opened(**logs).next_offer(0.1) is None

    assert uploaded == {
        "/logs/device-1/op-1/agent.log": ("secret", b"started\n"),
        "/logs/device-1/op-1/system.log": ("secret", b"x" * (1024 - 8) + b"the end\n"),
    }
    assert reported(deployer) == (200, "op-1")
    service = deployer.reported["diagnosticInformation"]["service"]
    assert (service["ac"], service["av"]) == (200, deployer.hub.device(DEVICE).desired.version)
    assert deployer.uploads == {}


def test_another_operation_is_another_upload(opened, deployer, logs):
    """The same logs, later."""
    channel = opened(**logs)
    deployer.ask_for_logs("op-1")
    channel.next_offer(0.1)
    deployer.ask_for_logs("op-2")
    channel.next_offer(0.1)

    assert "/logs/device-1/op-2/agent.log" in deployer.uploads
    assert reported(deployer) == (200, "op-2")


def test_an_update_goes_first(opened, deployer, package, logs):
    """The logs follow once nothing is to be installed."""
    channel = opened(**logs)
    deployer.ask_for_logs()
    deployer.deploy(package)

    offer = channel.next_offer(WAIT)
    assert deployer.uploads == {}
    channel.conclude(offer.id, INSTALLED)
    assert channel.next_offer(0.1) is None

    assert reported(deployer) == (200, "op-1")
    assert deployer.result[0] == 0


def test_a_lost_answer_uploads_nothing_again(opened, simulator, deployer, logs):
    """The answer is repeated, the logs are not."""
    channel = opened(**logs)
    assert channel.next_offer(0.1) is None
    deployer.ask_for_logs()
    simulator.faults.plan("twin_patch", Effect.THROTTLE)

    with contextlib.suppress(ChannelError):
        channel.next_offer(0.0)
    assert channel.next_offer(0.1) is None

    assert reported(deployer) == (200, "op-1")
    assert len([path for path in deployer.asked if path.endswith("agent.log")]) == 1


def test_a_request_too_deep_for_a_twin_is_answered(opened, deployer, logs):
    """What is echoed lies deeper than what was received, and the hub has a limit."""
    deep: dict[str, object] = {}
    for _ in range(7):
        deep = {"x": deep}
    service = {"operationId": "op-1", "storageSasUrl": "http://[", "odd": deep}
    deployer.write({"diagnosticInformation": {"__t": "c", "service": service}})

    assert opened(**logs).next_offer(0.1) is None

    assert reported(deployer) == (-2, "op-1")


def two_of_a_name(tmp_path):
    """The same name in two folders."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "app.log").write_text(name)
    return {"log_files": tuple(str(tmp_path / name / "app.log") for name in ("a", "b"))}


def test_two_logs_of_one_name_are_both_kept(opened, deployer, tmp_path):
    """Neither overwrites the other."""
    deployer.ask_for_logs()
    opened(**two_of_a_name(tmp_path)).next_offer(0.1)

    assert sorted(data for _, data in deployer.uploads.values()) == [b"a", b"b"]


def refuse(deployer, status):
    """The store answers the upload so."""
    deployer.planned["/logs/device-1/op-1/agent.log"] = [Response("no", status)]


TROUBLE = [
    ("a signature that is refused", {}, lambda deployer: refuse(deployer, 403), -4),
    ("a store that fails", {}, lambda deployer: refuse(deployer, 500), -2),
    ("no logs set up", {"log_files": ()}, None, -5),
    ("no such file", {"log_files": ("/nowhere/x.log",)}, None, -1),
]


@pytest.mark.parametrize(("changes", "trouble", "code"), [row[1:] for row in TROUBLE], ids=[row[0] for row in TROUBLE])
def test_trouble_with_logs_is_an_answer(*, opened, deployer, package, logs, changes, trouble, code):
    """Once, by the codes of Microsoft's agent; and the next update is installed as usual."""
    deployer.ask_for_logs()
    if trouble:
        trouble(deployer)
    channel = opened(**{**logs, **changes})

    assert channel.next_offer(0.1) is None
    assert reported(deployer) == (code, "op-1")
    deployer.deploy(package)
    assert channel.next_offer(WAIT).release == package.document


REQUESTS = [
    ("no component", {"$version": 1}, None),
    ("no object", {"diagnosticInformation": {"service": "now"}, "$version": 1}, None),
    ("no version", {"diagnosticInformation": {"service": {"operationId": "a"}}}, None),
    ("no operation", {"diagnosticInformation": {"service": {"storageSasUrl": "https://x"}}, "$version": 1}, ""),
    ("an odd operation", {"diagnosticInformation": {"service": {"operationId": 7}}, "$version": 1}, ""),
]


@pytest.mark.parametrize(("desired", "operation"), [row[1:] for row in REQUESTS], ids=[row[0] for row in REQUESTS])
def test_odd_requests_make_no_trouble(desired, operation):
    """What can be answered is answered, with a code; the rest is nothing."""
    request = pending_request(desired, {})

    assert (request and request.operation) == operation
    if request is not None:
        done = answer(request, Result.NO_OPERATION_ID)
        assert pending_request(desired, done) is None


@pytest.mark.parametrize("operation", ["../../etc", "a/b", "..", "a b", "x" * 200])
def test_an_operation_names_no_other_place(opened, deployer, logs, operation):
    """It is part of a blob's path."""
    deployer.ask_for_logs(operation)

    assert opened(**logs).next_offer(0.1) is None

    assert deployer.uploads == {}
    assert reported(deployer)[0] == -6


def test_a_store_that_takes_for_ever_is_given_up(opened, deployer, logs, shut):
    """The next update does not wait for it."""
    deployer.ask_for_logs()
    deployer.planned["/logs/device-1/op-1/agent.log"] = [shut]
    channel = opened(**logs, files_seconds=0.3)

    assert channel.next_offer(0.1) is None
    assert reported(deployer) == (-2, "op-1")


@pytest.fixture
def shut():
    """An answer that comes when the test is over."""
    over = threading.Event()

    def answer(environ, start_response):
        over.wait(WAIT)
        return Response(status=201)(environ, start_response)

    yield answer
    over.set()


def test_the_store_of_azure_takes_them(opened, simulator, logs):
    """Over TLS, by the signature that Device Update hands out."""
    channel = opened(**logs, allow_http=False)
    assert channel.next_offer(0.1) is None
    operation = simulator.send_log_request(DEVICE)

    assert channel.next_offer(0.1) is None

    agent = simulator.hub.reported(DEVICE)["diagnosticInformation"]["agent"]
    assert (agent["resultCode"], agent["operationId"]) == (200, operation)

"""AWS for the conformance suite: the simulator of this project, and ministack, an emulator that others wrote."""

from __future__ import annotations

import itertools
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch
from urllib.parse import urlsplit

import boto3
import msgspec
import pytest
import urllib3
from botocore.config import Config
from botocore.httpsession import URLLib3Session

from adapters.aws.cloud import AwsFleet
from adapters.aws.device import AwsChannel, open_channel
from adapters.aws.query import REPORTED
from adapters.aws.request import document_of, object_key
from adapters.aws.settings import AwsFleetSettings
from adapters.aws.simulator.simulator import AwsSimulator
from adapters.aws.wire import render_document
from adapters.simulation.faults import Effect
from bridge.fleet import Fleet
from tests.adapters.aws.indexing import INDEXED
from tests.conformance.cloud import End, Trouble
from tests.releases import Package

BUCKET = "conformance-artifacts"
LAUNCHER = Path(__file__).with_name("ministack_on_loopback.py")
REGION = "eu-west-1"
ACCOUNT = "000000000000"
STARTS_WITHIN = 60.0
POLL = 0.1
PREFIX = "otabridge"
FOREIGN = {"version": "1.0", "steps": [{"action": {"name": "reboot", "type": "runHandler", "input": {}}}]}
"""A document of AWS's own device client."""


TROUBLES = {
    Trouble.OFFER_LOST: ("StartNextPendingJobExecution", Effect.LOSE_REPLY),
    Trouble.OFFER_DROPPED: ("StartNextPendingJobExecution", Effect.DISCONNECT),
    Trouble.OFFER_THROTTLED: ("StartNextPendingJobExecution", Effect.THROTTLE),
    Trouble.OFFER_TWICE: ("NotifyNext", Effect.DUPLICATE),
    Trouble.REPORT_UNHEARD: ("UpdateJobExecution", Effect.LOSE_REQUEST),
    Trouble.REPORT_LOST: ("UpdateJobExecution", Effect.LOSE_REPLY),
    Trouble.REPORT_DROPPED: ("UpdateJobExecution", Effect.DISCONNECT),
    Trouble.REPORT_THROTTLED: ("UpdateJobExecution", Effect.THROTTLE),
    Trouble.ANY_DROPPED: ("[SUD]*", Effect.DISCONNECT),
    Trouble.DOWNLOAD_CUT: ("GetObject", Effect.CUT_BODY),
    Trouble.DOWNLOAD_CORRUPT: ("GetObject", Effect.CORRUPT_BODY),
    Trouble.DOWNLOAD_EXPIRED: ("GetObject", Effect.EXPIRED),
    Trouble.DOWNLOAD_REFUSED: ("GetObject", Effect.SERVER_ERROR),
}
"""Operations of the simulator, and what happens to them."""
DOWNLOADS = frozenset(trouble for trouble in Trouble if trouble.name.startswith("DOWNLOAD"))
SPOILED_AT = 1000


class _Aws:
    """What all have in common: boto3 on one side, awsiotsdk on the other."""

    name = "aws"
    differences: Mapping[str, str] = {}
    patience: Mapping[str, object] = {"reply_seconds": 20, "backoff_seconds": 0.05, "reconnect_seconds": 0.1}

    def __init__(self, environment: dict[str, str], role_arn: str, monkeypatch: pytest.MonkeyPatch) -> None:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        config = Config(s3={"addressing_style": "path"})
        self.iot = boto3.client("iot", config=config)
        self.s3 = boto3.client("s3", config=config)
        self.s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
        settings = AwsFleetSettings(
            region=REGION,
            bucket=BUCKET,
            role_arn=role_arn,
            settle_seconds=0,
            endpoint_url=environment["AWS_ENDPOINT_URL"],
        )
        self.fleet: Fleet = AwsFleet("factory", settings)
        self.by_bucket: Fleet | None = None
        self.fleet_settings = settings
        self.identities: dict[str, dict[str, object]] = {}
        self.numbers = itertools.count(1)

    def add_group(self, group: str, devices: tuple[str, ...]) -> None:
        self.iot.create_thing_group(thingGroupName=group)
        for device in devices:
            self.iot.add_thing_to_thing_group(thingGroupName=group, thingName=device)

    def settings(self, device: str) -> dict[str, object]:
        return {"thing": device, "flow_control": False, **self.patience, **self.identities[device]}

    def channel(self, device: str) -> AwsChannel:
        return open_channel(self.settings(device))

    def offer_foreign(self, device: str) -> None:
        create_foreign_job(self.iot, device, FOREIGN)

    def take_back(self, device: str, offer_id: str) -> None:
        self.iot.cancel_job_execution(jobId=offer_id, thingName=device, force=True)

    def disturb(self, trouble: Trouble, device: str, *, skip: int = 0, times: int = 1) -> None:
        pytest.skip(f"cannot be disturbed: {trouble}, {device}, {skip}, {times}")

    def troubles(self) -> int:
        return 0

    def heal(self) -> None:
        """Nothing was planned."""

    def condition(self, field: str, value: str) -> str:
        return f"{REPORTED}.{field}:{value}"


class AwsSimulatorCloud(_Aws):
    """The simulator of this project; also an account whose holder means harm."""

    differences: Mapping[str, str] = {
        "test_a_newer_release_replaces_the_one_that_is_being_installed": (
            "jobs of a thing queue up, the newer waits for the older to end"
        )
    }

    patience: Mapping[str, object] = {
        "reply_seconds": 2,
        "progress_seconds": 1.0,
        "backoff_seconds": 0.05,
        "reconnect_seconds": 0.05,
        "reconnect_most_seconds": 0.5,
    }

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.simulator = AwsSimulator(folder / "simulator", region=REGION).start()
        super().__init__(self.simulator.environment(), self.simulator.role_arn, monkeypatch)
        self.iot.update_indexing_configuration(thingIndexingConfiguration=INDEXED)
        self.by_bucket = AwsFleet("factory", msgspec.structs.replace(self.fleet_settings, by_bucket=True))

    def add_device(self, device: str) -> None:
        identity = self.simulator.add_thing(device)
        self.identities[device] = {
            "endpoint": identity.mqtt_host,
            "port": identity.mqtt_port,
            "certificate_file": str(identity.cert_file),
            "key_file": str(identity.key_file),
            "ca_file": str(identity.ca_file),
        }

    def disturb(self, trouble: Trouble, device: str, *, skip: int = 0, times: int = 1) -> None:
        operation, effect = TROUBLES[trouble]
        subject = "*" if trouble in DOWNLOADS else device
        self.simulator.faults.plan(operation, effect, subject, skip=skip, times=times, body_bytes=SPOILED_AT)

    def troubles(self) -> int:
        return len(self.simulator.faults.hits())

    def heal(self) -> None:
        self.simulator.faults.clear()

    def offer(self, device: str, package: Package, *, roots: Sequence[bytes] = (), body: bytes | None = None) -> str:
        artifact = package.artifact
        content = package.files[artifact.name] if body is None else body
        self.s3.put_object(Bucket=BUCKET, Key=object_key(PREFIX, artifact.sha256, artifact.name), Body=content)
        place = {"region": REGION, "bucket": BUCKET, "prefix": PREFIX}
        job = f"harm-{device}-{next(self.numbers)}"
        self.iot.create_job(
            jobId=job,
            targets=[self.simulator.thing_arn(device)],
            document=render_document(document_of(package.release, package.document, roots, **place)),
            presignedUrlConfig={"roleArn": self.simulator.role_arn},
        )
        return job

    def end(self, device: str, offer: str) -> End:
        (execution,) = [each for each in self.simulator.executions(offer) if each.thing == device]
        return End(execution.details.get("outcome", ""), execution.details.get("code", ""))

    def populate(self, reported: Mapping[str, Mapping[str, object]]) -> None:
        self.simulator.populate(reported)

    @contextmanager
    def calls(self) -> Iterator[list[str]]:
        made: list[str] = []
        send = URLLib3Session.send

        def counted(session, request):
            made.append(f"{request.method} {urlsplit(request.url).path}")
            return send(session, request)

        with patch.object(URLLib3Session, "send", counted):
            yield made

    def pass_minute(self) -> None:
        self.simulator.clock.advance(61)

    def fetched(self, package: Package) -> int:  # noqa: ARG002 - only artifacts are fetched here
        return self.simulator.bytes_sent

    def native(self, offer: str) -> str:
        return offer

    def stop(self) -> None:
        self.simulator.stop()


class MinistackCloud(_Aws):
    """ministack in a process of its own, on loopback."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        pytest.importorskip("ministack", reason="ministack, the independent emulator, is not installed")
        self.folder = folder
        self.mqtt_port = free_port()
        self.url = f"http://127.0.0.1:{free_port()}"
        self.process = self._start()
        try:
            self._await_ready()
            super().__init__(self._environment(), f"arn:aws:iam::{ACCOUNT}:role/otabridge-presign", monkeypatch)
        except BaseException:
            self.stop()
            raise

    def add_device(self, device: str) -> None:
        self.iot.create_thing(thingName=device)
        made = self.iot.create_keys_and_certificate(setAsActive=True)
        self.iot.attach_thing_principal(thingName=device, principal=made["certificateArn"])
        certificate, key = self.folder / f"{device}.pem", self.folder / f"{device}.key"
        certificate.write_text(made["certificatePem"])
        key.write_text(made["keyPair"]["PrivateKey"])
        self.identities[device] = {
            "endpoint": "localhost",
            "port": self.mqtt_port,
            "certificate_file": str(certificate),
            "key_file": str(key),
            "ca_file": str(self.folder / "ca.pem"),
        }

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(timeout=30)

    def _start(self) -> subprocess.Popen[bytes]:
        environment = {
            **os.environ,
            "GATEWAY_PORT": self.url.rpartition(":")[2],
            "BIND_HOST": "127.0.0.1",
            "MINISTACK_HOST": "127.0.0.1",
            "IOT_MTLS_PORT": str(self.mqtt_port),
            "IOT_MTLS_ENABLED": "1",
            "SFTP_ENABLED": "0",
            "TMPDIR": str(self.folder),
        }
        with (self.folder / "ministack.log").open("wb") as log:
            return subprocess.Popen([sys.executable, str(LAUNCHER)], env=environment, stdout=log, stderr=log)

    def _await_ready(self) -> None:
        """The CA is served once both listeners stand."""
        deadline = time.monotonic() + STARTS_WITHIN
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                answer = urllib3.request("GET", f"{self.url}/_ministack/iot/ca.pem", retries=False, timeout=5)
            except urllib3.exceptions.HTTPError:
                time.sleep(POLL)
                continue
            if answer.status == 200:
                (self.folder / "ca.pem").write_bytes(answer.data)
                return
        tail = (self.folder / "ministack.log").read_text(errors="replace")[-400:]
        pytest.skip(f"ministack, the independent emulator, did not start here: {tail}")

    def _environment(self) -> dict[str, str]:
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
        }


def create_foreign_job(iot, device: str, document: Mapping[str, object]) -> None:
    """A job that some other program has for the device."""
    arn = iot.describe_thing(thingName=device)["thingArn"]
    iot.create_job(jobId=f"reboot-{device}", targets=[arn], document=json.dumps(document))


def free_port() -> int:
    """A port of loopback that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])

"""What whoever holds the cloud account can do to a device: withhold updates, and nothing else.

The account creates any job it likes, moves any object in the store, rewrites any document. The device is the real
agent: its command line, its AWS channel over MQTT, its download over HTTP, its engine, its file boot loader.
"""

from __future__ import annotations

import base64
import itertools
import json
import random
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from adapters.aws.request import document_of, object_key
from adapters.aws.simulator.simulator import AwsSimulator
from adapters.aws.simulator.views import ExecutionView
from adapters.aws.wire import render_document
from agent import cli
from agent.bootloaders.file import FileBootLoader, boot, create, image_path
from agent.disk import SystemDisk
from agent.slots import Slot
from bridge.release.manifest import Compatibility
from tests.releases import HARDWARE, MODEL, Package, ReleaseKit

THING = "device-1"
BUCKET = "the-account-owns-this"
FAR = datetime(2099, 1, 1, tzinfo=UTC)
OLD = b"old image" * 1000
SLOT_BYTES = 300_000
CONFIG = """
[device]
model = "{model}"
hardware = "{hardware}"
version = "1.0.0"

[slots]
boot_loader = "file"
directory = "board"

[trust]
root = "root.json"

[state]
directory = "state"

[download]
allow_http = true
faults = 1

[channel]
cloud = "aws"

[channel.aws]
endpoint = "{endpoint}"
port = {port}
thing = "{thing}"
certificate_file = "{certificate}"
key_file = "{key}"
ca_file = "{ca}"
flow_control = false
reply_seconds = 2
attempts = 2
backoff_seconds = 0.05

[health]
settle_seconds = 0

[reboot]
command = []
"""


@dataclass
class Stage:
    """One device with the old image in slot a, its honest owner, and the account that lies to it."""

    folder: Path
    simulator: AwsSimulator
    owner: ReleaseKit = field(default_factory=lambda: ReleaseKit((1, 1), (1, 1), root_expires=FAR))
    thief: ReleaseKit = field(default_factory=lambda: ReleaseKit((1, 1), (1, 1), root_expires=FAR))
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    @property
    def board(self) -> Path:
        """Where the slots lie."""
        return self.folder / "board"

    def package(self, sequence: int, *, kit: ReleaseKit | None = None, **changes) -> Package:
        """Release `sequence`.0.0, by the owner unless another kit is named."""
        image = random.Random(sequence).randbytes(200_000)
        named = {"version": f"{sequence}.0.0", "sequence": sequence, "expires": FAR, **changes}
        return (kit or self.owner).package(image, **named)

    def store(self, package: Package, content: bytes | None = None) -> None:
        """Put the artifact into the bucket, or `content` in its place."""
        artifact = package.artifact
        key = object_key("otabridge", artifact.sha256, artifact.name)
        body = package.files[artifact.name] if content is None else content
        self.simulator.client("s3").put_object(Bucket=BUCKET, Key=key, Body=body)

    def document(self, package: Package, roots: tuple[bytes, ...] = ()) -> dict[str, object]:
        """The job document that otabridge would send."""
        place = {"region": self.simulator.region, "bucket": BUCKET, "prefix": "otabridge"}
        return json.loads(render_document(document_of(package.release, package.document, roots, **place)))

    def send(self, document: object, thing: str = THING) -> str:
        """Make a job with `document`."""
        job = f"job-{next(self.numbers)}"
        self.simulator.client("iot").create_job(
            jobId=job,
            targets=[self.simulator.thing_arn(thing)],
            document=document if isinstance(document, str) else json.dumps(document),
            presignedUrlConfig={"roleArn": self.simulator.role_arn},
        )
        return job

    def run(self) -> int:
        """The agent as it would run, for one step; its exit code."""
        return cli.main(["--config", str(self.folder / "agent.toml"), "once", "--timeout", "2"])

    def install(self, package: Package) -> None:
        """An honest update: offered, installed, rebooted, proved, reported."""
        self.store(package)
        job = self.send(self.document(package))
        self.run()
        boot(self.board, SystemDisk())
        self.run()
        assert self.end(job).status == "SUCCEEDED"

    def end(self, job: str) -> ExecutionView:
        """What the device said about a job."""
        return self.simulator.executions(job)[0]

    def content(self, slot: Slot) -> bytes:
        """The bytes of a slot."""
        return image_path(self.board, slot).read_bytes()

    def assert_old_slot_boots(self, slot: Slot) -> None:
        """Nothing else is default or on trial, also after a restart."""
        boots = FileBootLoader(self.board, SystemDisk())
        assert (boots.default(), boots.trial()) == (slot, None)
        assert boot(self.board, SystemDisk()).slot is slot


@pytest.fixture
def stage(tmp_path, monkeypatch) -> Iterator[Stage]:
    """A device on the bench, connected to the account."""
    monkeypatch.setattr(signal, "signal", lambda *_: None)  # the test run keeps its own handlers
    monkeypatch.chdir(tmp_path)
    with AwsSimulator(tmp_path / "simulator") as simulator:
        simulator.bucket(BUCKET)
        stage = Stage(tmp_path, simulator)
        identity = simulator.add_thing(THING)
        (tmp_path / "agent.toml").write_text(
            CONFIG.format(
                model=MODEL,
                hardware=HARDWARE,
                endpoint=identity.mqtt_host,
                port=identity.mqtt_port,
                thing=THING,
                certificate=identity.cert_file,
                key=identity.key_file,
                ca=identity.ca_file,
            )
        )
        (tmp_path / "root.json").write_bytes(stage.owner.pinned)
        stage.board.mkdir()
        create(stage.board, SystemDisk(), SLOT_BYTES, [OLD])
        boot(stage.board, SystemDisk())
        yield stage


def forged(stage: Stage) -> object:
    """A release of the thief's own making and signing."""
    package = stage.package(2, kit=stage.thief)
    stage.store(package)
    return stage.document(package)


def forged_roots(stage: Stage) -> object:
    """With a chain of roots that ends in the thief's keys."""
    stage.thief.rotate()
    package = stage.package(2, kit=stage.thief)
    return stage.document(package, stage.thief.later_roots)


def altered(stage: Stage) -> object:
    """The owner's release with one figure changed in its base64."""
    package = stage.package(2)
    changed = package.document.replace(b'"version": 2\n', b'"version": 9\n')
    assert changed != package.document
    return {**stage.document(package), "metadata": base64.b64encode(changed).decode()}


def unsigned(stage: Stage) -> object:
    """The owner's release without the approvers."""
    return stage.document(stage.package(2, signers=()))


def cut_short(stage: Stage) -> object:
    """Base64 whose end is missing."""
    document = stage.document(stage.package(2))
    return {**document, "metadata": document["metadata"][:-8]}


def rubbish(stage: Stage) -> object:
    """Bytes that are no metadata."""
    return {**stage.document(stage.package(2)), "metadata": base64.b64encode(b"\xff" * 4000).decode()}


def deep(stage: Stage) -> object:
    """Metadata that is JSON of ten thousand levels."""
    nested = base64.b64encode(b"[" * 10_000).decode()
    return {**stage.document(stage.package(2)), "metadata": nested}


def for_others(stage: Stage) -> object:
    """The owner's own release, for other hardware."""
    return stage.document(stage.package(2, compatibility=Compatibility("gateway-4", (HARDWARE,))))


def expired(stage: Stage) -> object:
    """The owner's own release, past its time."""
    return stage.document(stage.package(2, expires=datetime(2020, 1, 1, tzinfo=UTC)))


def too_large(stage: Stage) -> object:
    """As many roots as a document holds, none of them a root."""
    return {**stage.document(stage.package(2)), "roots": [base64.b64encode(b"x" * 300).decode()] * 60}


def nested(_: Stage) -> object:
    """A document of a hundred levels."""
    return '{"schema": ' + "[" * 100 + "]" * 100 + "}"


def foreign(_: Stage) -> object:
    """A script for AWS's own device client."""
    return {
        "version": "1.0",
        "steps": [{"action": {"name": "own it", "type": "runCommand", "input": {"command": "rm"}}}],
    }


REFUSED: list[tuple[Callable[[Stage], object], int]] = [
    (forged, 105),
    (forged_roots, 106),
    (altered, 105),
    (unsigned, 101),
    (cut_short, 100),
    (rubbish, 100),
    (deep, 100),
    (for_others, 104),
    (expired, 102),
    (too_large, 106),
    (foreign, 107),
    (nested, 107),
]


@pytest.mark.parametrize(("attack", "code"), REFUSED, ids=[each[0].__name__ for each in REFUSED])
def test_a_compromised_cloud_account_can_do_nothing_but_withhold(stage, attack, code):
    """Refused before one byte is written: REJECTED with the reason, the old slot boots, the other is untouched."""
    blank = stage.content(Slot.B)
    job = stage.send(attack(stage))

    stage.run()

    end = stage.end(job)
    assert (end.status, end.details.get("code")) == ("REJECTED", str(code)), end.details
    assert stage.content(Slot.A).startswith(OLD)
    assert stage.content(Slot.B) == blank
    stage.assert_old_slot_boots(Slot.A)


SWAPPED: list[Callable[[bytes], bytes]] = [
    lambda _: random.Random(666).randbytes(200_000),
    lambda data: data[:-1] + bytes([data[-1] ^ 1]),
    lambda data: data[: len(data) // 2],
    lambda data: data + b"\0" * 100_000,
]


@pytest.mark.parametrize("swap", SWAPPED, ids=["other bytes", "one bit", "cut short", "longer"])
def test_swapped_bytes_in_the_store_never_become_bootable(stage, swap):
    """The signed release with other bytes behind its URL: reported with a code, and the old slot boots."""
    package = stage.package(2)
    stage.store(package, swap(package.files[package.artifact.name]))
    job = stage.send(stage.document(package))

    stage.run()

    end = stage.end(job)
    assert end.status in {"REJECTED", "FAILED"}, end.details
    assert end.details["code"] in {"105", "200"}
    assert stage.content(Slot.A).startswith(OLD)
    stage.assert_old_slot_boots(Slot.A)


def test_a_replayed_older_release_below_the_floor_is_refused(stage):
    """Signed by the owner, years ago, with a hole in it; the floor rose when both slots had passed it."""
    stage.install(stage.package(3, floor=3))
    stage.install(stage.package(4, floor=3))
    running, kept = stage.content(Slot.A), stage.content(Slot.B)
    replayed = stage.package(2)
    stage.store(replayed)
    job = stage.send(stage.document(replayed))

    stage.run()

    assert (stage.end(job).status, stage.end(job).details["code"]) == ("REJECTED", "103")
    assert (stage.content(Slot.A), stage.content(Slot.B)) == (running, kept)
    stage.assert_old_slot_boots(Slot.A)


def test_a_job_for_another_thing_is_none_of_ours(stage):
    """Whatever the other device is told, this one hears nothing of it."""
    stage.simulator.add_thing("device-2")
    job = stage.send(forged(stage), "device-2")

    channel_quiet = stage.simulator.client("iot-jobs-data").get_pending_job_executions(thingName=THING)

    assert channel_quiet["queuedJobs"] == []
    assert stage.end(job).status == "QUEUED"
    stage.assert_old_slot_boots(Slot.A)


def test_the_honest_release_is_still_installed_after_all_attacks(stage):
    """Nothing of the above wedges the device."""
    for attack, _ in REFUSED:
        stage.send(attack(stage))
        stage.run()

    stage.install(stage.package(5))

    assert FileBootLoader(stage.board, SystemDisk()).default() is Slot.B

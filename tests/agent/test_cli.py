"""The command as a person uses it: real engine, real board of files, real signatures; the cloud is a list of offers."""

from __future__ import annotations

import fcntl
import http.server
import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from agent import cli
from agent.bootloaders.file import boot, create, image_path
from agent.channel import Offer
from agent.config import PATH_VARIABLE
from agent.disk import SystemDisk
from agent.slots import Slot
from bridge.release.errors import ChannelError, FailureCode
from bridge.release.report import Progress, Report
from tests.releases import HARDWARE, MODEL, Package, ReleaseKit

REFERENCE = Path(__file__).parents[2] / "docs/reference/agent-cli.md"
PROGRAM = (sys.executable, "-m", "agent.cli")
ARTIFACT = "rootfs.img.zst"
OLD = b"old image" * 1000
NEW = random.Random(3).randbytes(300_000)
FAR = datetime(2099, 1, 1, tzinfo=UTC)

CONFIG = """
[device]
model = {model}
hardware = {hardware}
version = "1.0.0"

[slots]
boot_loader = "file"
directory = "board"

[trust]
root = "root.json"

[state]
directory = "state"

[channel]
cloud = "aws"

[channel.aws]
endpoint = "127.0.0.1"
port = 1
thing = "device-1"
certificate_file = "device.pem"
key_file = "device.key"

[health]
settle_seconds = 0

[[health.checks]]
name = "image"
command = ["sh", "-c", "grep -q -a {healthy} $OTABRIDGE_SLOT_DEVICE"]
retries = 0

[reboot]
command = []
"""


@dataclass
class Device:
    """A device in a folder."""

    folder: Path
    kit: ReleaseKit

    def configure(self, *, model: str = MODEL, healthy: str = "''", more: str = "") -> None:
        text = CONFIG.format(model=json.dumps(model), hardware=json.dumps(HARDWARE), healthy=healthy)
        (self.folder / "agent.toml").write_text(text + more)

    def arguments(self, *words: str) -> list[str]:
        return ["--config", str(self.folder / "agent.toml"), *words]

    def run(self, *words: str) -> int:
        return cli.main(self.arguments(*words))

    def restart(self) -> Slot:
        return boot(self.folder / "board", SystemDisk()).slot

    def slot(self, slot: Slot) -> bytes:
        return image_path(self.folder / "board", slot).read_bytes()

    def publish(self, package: Package) -> Path:
        """A release folder with `package`."""
        folder = self.folder / f"release-{package.release.version}"
        (folder / "roots").mkdir(parents=True)
        (folder / "release.json").write_bytes(package.document)
        for name, data in package.files.items():
            (folder / name).write_bytes(data)
        for version, root in enumerate(self.kit.roots, start=1):
            (folder / "roots" / f"{version}.root.json").write_bytes(root)
        return folder


@pytest.fixture
def device(tmp_path: Path) -> Device:
    """A device with the old image in slot a, that trusts the kit's first root."""
    device = Device(tmp_path, ReleaseKit(root_expires=FAR))
    (tmp_path / "board").mkdir()
    create(tmp_path / "board", SystemDisk(), 400_000, [OLD])
    device.restart()
    (tmp_path / "root.json").write_bytes(device.kit.pinned)
    device.configure()
    return device


@pytest.fixture(autouse=True)
def own_signals(monkeypatch: pytest.MonkeyPatch):
    """The handlers of the test run stay as they are."""
    monkeypatch.setattr(signal, "signal", lambda *_: None)


@pytest.fixture
def folder(device: Device) -> Path:
    """A release folder with version 2.0.0."""
    return device.publish(device.kit.package(NEW, expires=FAR))


@dataclass
class Cloud:
    """A channel with a list of offers; an error in it is raised."""

    offers: list[Offer | ChannelError] = field(default_factory=list)
    reports: list[Report] = field(default_factory=list)

    def next_offer(self, timeout: float) -> Offer | None:
        assert timeout <= 60
        offer = self.offers.pop(0) if self.offers else None
        if isinstance(offer, ChannelError):
            raise offer
        return offer

    def renew(self, offer_id: str) -> Offer:
        raise ChannelError(f"{offer_id} cannot be renewed here")

    def progress(self, offer_id: str, progress: Progress) -> None:
        assert offer_id
        assert 0 <= progress.percent <= 100

    def conclude(self, offer_id: str, report: Report) -> None:
        assert offer_id
        self.reports.append(report)

    def close(self) -> None:
        """Nothing to hang up."""


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Cloud:
    """In place of the configured cloud."""
    cloud = Cloud()
    monkeypatch.setattr("agent.wiring.open_channel", lambda _name, _settings: cloud)
    return cloud


class Files(http.server.SimpleHTTPRequestHandler):
    """Serves a folder, quietly and without ranges."""

    def log_message(self, *_: object) -> None:
        """Keep the test's output clean."""


@pytest.fixture
def store(folder: Path) -> Iterator[str]:
    """The URL under which the release folder is served."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Files, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def offer_of(folder: Path, store: str) -> Offer:
    """The release in `folder` as a cloud would offer it."""
    return Offer("job-1", (folder / "release.json").read_bytes(), (), {ARTIFACT: f"{store}/{ARTIFACT}"})


def test_install_restart_prove(device: Device, folder: Path, cloud: Cloud, capsys: pytest.CaptureFixture[str]):
    """From a folder to a committed release: installed, restarted, proved; and a second time there is nothing to do."""
    assert device.run("install", str(folder)) == 75
    assert capsys.readouterr().out == "restart the machine: the update goes on after it\n"
    assert device.slot(Slot.B)[: len(NEW)] == NEW

    assert device.restart() is Slot.B
    assert device.run("once") == 0
    assert capsys.readouterr().out == "installed: slot b runs 2.0.0\n"
    assert device.run("install", str(folder)) == 0
    assert cloud.reports == []  # the cloud ordered nothing
    assert device.restart() is Slot.B


@pytest.mark.usefixtures("cloud")
def test_unhealthy_release_falls_back(device: Device, folder: Path, capsys: pytest.CaptureFixture[str]):
    """A trial boot that is not healthy leads back to the old slot, and the exit code says so."""
    device.configure(healthy="'old image'")
    assert device.run("install", str(folder)) == 75
    assert device.restart() is Slot.B
    assert device.run("once") == 75
    assert device.restart() is Slot.A
    capsys.readouterr()

    assert device.run("once") == 19
    assert "fell-back: slot a runs 1.0.0 (health check image failed with exit status 1" in capsys.readouterr().out


@pytest.mark.usefixtures("cloud")
def test_checks_know_what_they_prove(device: Device, folder: Path):
    """A check is told slot and version of the release on trial, not of the one before it."""
    check = 'command = ["sh", "-c", "test $OTABRIDGE_SLOT$OTABRIDGE_RELEASE_VERSION = b2.0.0"]'
    device.configure(more=f'[[health.checks]]\nname = "version"\n{check}\nretries = 0\n')
    assert device.run("install", str(folder)) == 75
    device.restart()

    assert device.run("once") == 0


def test_release_without_a_channel_falls_back(device: Device, folder: Path, cloud: Cloud, monkeypatch, capsys):
    """A trial boot in which the agent cannot set up its channel is left: no other release could ever replace it."""

    def broken(_name: str, _settings: object) -> Cloud:
        raise ChannelError("the SDK is not installed", retryable=False)

    assert device.run("install", str(folder)) == 75
    device.restart()
    with monkeypatch.context() as patch:
        patch.setattr("agent.wiring.open_channel", broken)
        assert device.run("once") == 75
    assert device.restart() is Slot.A
    capsys.readouterr()
    assert device.run("once") == 19
    assert "the agent cannot set up its channel: the SDK is not installed" in capsys.readouterr().out
    assert cloud.reports == []


def test_offer_of_the_cloud(device: Device, cloud: Cloud, capsys: pytest.CaptureFixture[str]):
    """A release that was not signed by enough approvers is reported to the cloud and has its own exit code."""
    kit = device.kit
    package = kit.package(NEW, signers=kit.release_signers[:1], expires=FAR)
    cloud.offers = [Offer("job-1", package.document, (), {})]

    assert device.run("--output", "json", "once") == 11
    answer = json.loads(capsys.readouterr().out)
    assert answer["step"] == "concluded"
    assert answer["report"]["outcome"] == "rejected"
    assert [report.outcome for report in cloud.reports] == ["rejected"]
    assert device.slot(Slot.B)[:9] == b"\0" * 9


@pytest.mark.usefixtures("cloud")
def test_no_offer(device: Device, capsys: pytest.CaptureFixture[str]):
    """Without an offer `once` is done."""
    assert device.run("once", "--timeout", "0") == 0
    assert capsys.readouterr().out == "nothing to do: no offer\n"


def test_cloud_out_of_reach(device: Device, cloud: Cloud, capsys: pytest.CaptureFixture[str]):
    """When the cloud cannot be asked, `once` has failed, with its reason on stderr."""
    cloud.offers = [ChannelError("no route to the broker")]

    assert device.run("once") == 1
    assert capsys.readouterr() == ("", "otabridge-agent: no route to the broker\n")


def test_run_ends_for_a_restart(device: Device, folder: Path, cloud: Cloud, store: str):
    """The service fetches the offered release over HTTP, ends with 75 for the restart, and reports after it."""
    cloud.offers = [offer_of(folder, store), ChannelError("the test ends here", retryable=False)]
    device.configure(more="[download]\nallow_http = true\n")

    assert device.run("run") == 75
    assert device.slot(Slot.B)[: len(NEW)] == NEW
    assert device.restart() is Slot.B
    assert device.run("once") == 0
    assert [(report.outcome, report.slot, report.version) for report in cloud.reports] == [("installed", "b", "2.0.0")]


def test_http_needs_permission(device: Device, folder: Path, cloud: Cloud, store: str, capsys):
    """Without leave an http URL is refused before anything is asked for, and the report says which setting matters."""
    cloud.offers = [offer_of(folder, store)]

    assert device.run("once") == 1
    assert "must come over https, not 'http' (download.allow_http permits http)" in capsys.readouterr().out
    assert [report.code for report in cloud.reports] == [FailureCode.LINK_REFUSED]


@pytest.mark.parametrize(
    ("change", "code", "message"),
    [
        (
            {"expires": datetime(2020, 1, 1, tzinfo=UTC)},
            12,
            "rejected: slot a runs 1.0.0 (release gateway-os 2.0.0 exp",
        ),
        ({"model": "gateway-4"}, 14, "the release is for model 'gateway-3', this device is 'gateway-4'"),
    ],
)
def test_refusals(device: Device, capsys: pytest.CaptureFixture[str], change: Mapping[str, object], code: int, message):
    """Each refusal has its exit code and its sentence, and no byte of the other slot changes."""
    fields = {"expires": FAR, **change}
    device.configure(model=str(fields.pop("model", MODEL)))
    folder = device.publish(device.kit.package(NEW, **fields))

    assert device.run("install", str(folder)) == code
    assert message in capsys.readouterr().out
    assert device.slot(Slot.B)[:9] == b"\0" * 9


@pytest.mark.usefixtures("cloud")
def test_rotated_root_in_the_folder(device: Device):
    """A folder brings the roots that a device needs to believe newer keys."""
    device.kit.rotate()
    folder = device.publish(device.kit.package(NEW, expires=FAR))

    assert device.run("install", str(folder)) == 75


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda folder: (folder / "release.json").unlink(), "release.json cannot be read: No such file or directory"),
        (lambda folder: (folder / "rootfs.img.zst").unlink(), "rootfs.img.zst does not lie beside release.json"),
        (lambda folder: os.truncate(folder / "rootfs.img.zst", 1000), "bytes shorter than signed; copy the release"),
    ],
)
def test_damaged_folder(
    device: Device, folder: Path, spoil: Callable[[Path], None], message: str, capsys: pytest.CaptureFixture[str]
):
    """What is missing in a release folder is named."""
    spoil(folder)

    assert device.run("install", str(folder)) == 1
    printed = capsys.readouterr()
    assert message in printed.out + printed.err


@pytest.mark.usefixtures("cloud")
def test_commit_and_rollback_by_hand(device: Device, folder: Path, capsys: pytest.CaptureFixture[str]):
    """A person may commit a trial boot, and later go back to the other slot."""
    assert device.run("commit") == 1
    assert "otabridge-agent: slot a is not on trial: there is nothing to commit" in capsys.readouterr().err
    device.run("install", str(folder))
    device.restart()
    assert device.run("commit") == 0
    assert device.restart() is Slot.B

    assert device.run("rollback") == 75
    assert device.restart() is Slot.A
    assert device.run("once") == 0


@pytest.mark.usefixtures("cloud")
def test_status(device: Device, folder: Path, capsys: pytest.CaptureFixture[str]):
    """The status tells the slots apart, for people and for programs, while an update is under way."""
    device.run("install", str(folder))
    device.restart()
    capsys.readouterr()

    assert device.run("status") == 0
    text = capsys.readouterr().out
    assert "slot a     1.0.0 (default, committed)" in text
    assert "slot b     unknown (runs, on trial)" in text
    assert device.run("--output", "json", "status") == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["booted"], answer["default"], answer["trial"]) == ("b", "a", "b")


def test_check(device: Device, capsys: pytest.CaptureFixture[str]):
    """A sound device has nothing but `ok`, and the network is not touched."""
    assert device.run("check") == 0
    lines = capsys.readouterr().out.splitlines()
    assert all(line.startswith("ok ") for line in lines)
    assert lines[0] == "ok    root: version 1, expires 2099-01-01"
    assert lines[1] == "ok    boot loader: slot a runs, slot a is the default"
    assert lines[2] == f"ok    slot a: {device.folder}/board/a.img, 400000 bytes"
    assert "ok    channel: aws" in lines
    assert not (device.folder / "state").exists()


def test_check_finds_faults(device: Device, capsys: pytest.CaptureFixture[str]):
    """Every fault is listed, not just the first."""
    (device.folder / "board/b.img").unlink()
    (device.folder / "state").write_text("a file")
    (device.folder / "root.json").write_text("{}")
    device.configure(more='[[health.checks]]\nname = "x"\ncommand = ["no-such-program"]')

    assert device.run("--output", "json", "check") == 1
    faults = {each["subject"]: each["detail"] for each in json.loads(capsys.readouterr().out) if not each["ok"]}
    assert faults["slot b"].endswith("board/b.img cannot be opened for reading and writing: No such file or directory")
    assert "is no folder that this user may write to" in faults["state"]
    assert faults["health check x"] == "there is no program 'no-such-program' that this user may run"
    assert "root is not TUF metadata" in faults["root"]


def test_check_online(device: Device, cloud: Cloud, capsys: pytest.CaptureFixture[str]):
    """With --online the cloud is asked, and what it says is a finding."""
    cloud.offers = [Offer("job-7", b"", (), {}), ChannelError("the certificate was revoked")]

    assert device.run("check", "--online") == 0
    assert "ok    cloud: connected, offer job-7" in capsys.readouterr().out
    assert device.run("check", "--online") == 1
    assert "fault cloud: the certificate was revoked" in capsys.readouterr().out


def test_missing_sdk(device: Device, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Without the SDK of its cloud the agent says which extra to install."""
    monkeypatch.setitem(sys.modules, "awscrt", None)
    for name in [name for name in sys.modules if name.startswith("adapters.aws")]:
        monkeypatch.delitem(sys.modules, name)

    assert device.run("once") == 2
    assert "pip install 'otabridge[device-aws]'" in capsys.readouterr().err


@pytest.mark.usefixtures("cloud")
def test_one_agent_at_a_time(device: Device, capsys: pytest.CaptureFixture[str]):
    """While the service works, a second agent does not touch the slots; it may look."""
    (device.folder / "state").mkdir()
    with (device.folder / "state/lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert device.run("once") == 1
        assert device.run("status") == 0

    assert capsys.readouterr().err == (
        f"otabridge-agent: another otabridge-agent works with {device.folder}/state; stop it first, as by "
        "`systemctl stop otabridge-agent`\n"
    )


@pytest.mark.parametrize(
    ("find", "replace", "message"),
    [
        ('boot_loader = "file"', 'boot_loader = "lilo"', "slots.boot_loader is 'lilo'; there are: file"),
        (
            'root = "root.json"',
            'root = "none.json"',
            "none.json cannot be read: No such file or directory; put the owner",
        ),
        ("[health]", '[download]\nca_file = "none.pem"\n[health]', "none.pem cannot be used"),
        ('directory = "state"', 'directory = "root.json/x"', "root.json/x cannot be used: Not a directory"),
    ],
)
def test_unusable_settings(device: Device, find: str, replace: str, message: str, capsys: pytest.CaptureFixture[str]):
    """Settings that only the device itself can judge are refused as well as misspelt ones, with exit code 2."""
    path = device.folder / "agent.toml"
    path.write_text(path.read_text().replace(find, replace))

    assert device.run("once") == 2
    assert message in capsys.readouterr().err


def test_config_from_the_environment(device: Device, monkeypatch: pytest.MonkeyPatch, capsys):
    """The variable names the file where no option does."""
    monkeypatch.setenv(PATH_VARIABLE, str(device.folder / "agent.toml"))

    assert cli.main(["status"]) == 0
    assert "version    1.0.0" in capsys.readouterr().out


@pytest.mark.parametrize(
    "words",
    [[], ["explode"], ["once", "--timeout", "-1"], ["once", "--timeout", "soon"], ["--output", "xml", "status"]],
)
def test_misuse(words: list[str], capsys: pytest.CaptureFixture[str]):
    """Misuse ends with 2 and says how it is meant."""
    with pytest.raises(SystemExit) as end:
        cli.main(words)
    assert end.value.code == 2
    assert "usage: otabridge-agent" in capsys.readouterr().err


def test_command_itself(device: Device, folder: Path):
    """The installed program does the same: it installs, prints its result, and its errors have no traceback."""
    done = subprocess.run(
        [*PROGRAM, *device.arguments("--output", "json", "install", str(folder))],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert (done.returncode, json.loads(done.stdout)) == (75, {"step": "rebooting"})
    done = subprocess.run(
        [*PROGRAM, "--config", "none.toml", "status"], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 2
    assert re.fullmatch(r"otabridge-agent: .*none\.toml cannot be read .*\n", done.stderr)


@pytest.fixture
def service(device: Device) -> Iterator[tuple[subprocess.Popen[str], socket.socket]]:
    """The service as systemd starts it, and systemd's end of the notification socket."""
    address = str(device.folder / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(address)
        manager.settimeout(60)
        line = [*PROGRAM, *device.arguments("run")]
        environment = {**os.environ, "NOTIFY_SOCKET": address, "WATCHDOG_USEC": "4000000"}
        with subprocess.Popen(line, env=environment, stderr=subprocess.PIPE, text=True) as process:
            yield process, manager
            process.kill()


def test_service_stops_on_sigterm(device: Device, service: tuple[subprocess.Popen[str], socket.socket]):
    """The service says that it is ready, works on while no cloud answers, and stops cleanly when told to."""
    process, manager = service
    for name in ("device.pem", "device.key"):
        (device.folder / name).write_text("no certificate")
    said = [manager.recv(4096).decode()]
    while said[-1] != "STATUS=waiting for an offer":
        said.append(manager.recv(4096).decode())
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=120)
    while said[-1] != "STOPPING=1":
        said.append(manager.recv(4096).decode())

    assert said[0] == "READY=1"
    assert "WATCHDOG=1" in said
    assert process.returncode == 0
    assert "Traceback" not in errors


def test_version(capsys: pytest.CaptureFixture[str]):
    """The version is that of the distribution."""
    with pytest.raises(SystemExit) as end:
        cli.main(["--version"])
    assert end.value.code == 0
    assert capsys.readouterr().out.startswith("otabridge-agent ")


def test_reference_is_complete():
    """The reference names exactly the commands, options and exit codes that there are."""
    text = REFERENCE.read_text()
    parser = cli.build_parser()
    commands = parser._subparsers._group_actions[0].choices
    options = {option for action in parser._actions for option in action.option_strings}
    options |= {o for command in commands.values() for action in command._actions for o in action.option_strings}

    assert set(re.findall(r"^\| `([a-z]+)[^`]*` \|", text, re.MULTILINE)) == set(commands)
    assert set(re.findall(r"(?<![\w-])--[a-z]+", text)) == {o for o in options if o.startswith("--")} - {"--help"}
    assert [int(code) for code in re.findall(r"^\| (\d+) \|", text, re.MULTILINE)] == [
        *(0, 1, 2, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 75, 130)
    ]

"""Consent, windows and hooks as a person uses them: real engine, board of files, a cloud that is a list."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from agent.slots import Slot
from bridge.release.errors import FailureCode
from bridge.release.report import Phase
from tests.agent.bench import NEW, Cloud, Device, offer_of
from tests.agent.local.test_unix_socket import Program
from tests.agent.permit.test_hooks import hook

LINK = "[download]\nallow_http = true\nproxies = {}\n"
CONSENT = f'\n{LINK}\n[consent]\nrequired = ["install"]\nmost_minutes = 90\n'


def told(capsys: pytest.CaptureFixture[str]) -> str:
    """What was printed since the last time."""
    return capsys.readouterr().out


@pytest.fixture
def waiting(device: Device, folder: Path, cloud: Cloud, store: str, capsys: pytest.CaptureFixture[str]) -> Device:
    """A device whose update waits for somebody to say yes, and whose cloud goes on offering it."""
    device.configure(more=CONSENT)
    cloud.offers = [offer_of(folder, store) for _ in range(3)]
    assert device.run("once") == 32
    assert told(capsys) == "waiting: consent: nobody has said yes to 2.0.0 yet; ask again later\n"
    return device


def test_yes(waiting: Device, cloud: Cloud, capsys: pytest.CaptureFixture[str]):
    """The update has come as far as it may; a word, and it goes on."""
    assert waiting.slot(Slot.B)[: len(NEW)] == NEW
    assert waiting.run("status") == 0
    status = told(capsys)
    assert "waiting    before install: consent: nobody has said yes to 2.0.0 yet\n" in status
    assert "consent    before install; yes to: none\n" in status

    assert waiting.run("consent", "yes") == 0
    assert told(capsys) == "yes to release 2.0.0, before install\n"
    assert waiting.run("once") == 75
    assert waiting.restart() is Slot.B
    assert waiting.run("once") == 0
    assert [report.version for report in cloud.reports] == ["2.0.0"]


def test_no(waiting: Device, cloud: Cloud):
    """The cloud hears that it was refused on the device, and nothing was restarted."""
    assert waiting.run("consent", "no") == 0
    assert waiting.run("once") == 1

    assert [report.code for report in cloud.reports] == [FailureCode.VETOED]
    assert cloud.reports[0].detail == "consent: somebody on the device said no to 2.0.0"
    assert waiting.restart() is Slot.A


def test_not_now(waiting: Device, capsys: pytest.CaptureFixture[str]):
    """For some minutes, up to a bound in all; programs read how many are left."""
    assert waiting.run("consent", "later", "--minutes", "60") == 0
    assert waiting.run("once") == 32
    assert "not now: somebody on the device wants it later" in told(capsys)
    assert waiting.run("consent", "later", "--minutes", "60") == 2
    assert "60 minutes: this release can be put off for 30 more of 90 minutes in all" in capsys.readouterr().err

    assert waiting.run("--output", "json", "status") == 0
    document = json.loads(told(capsys))
    assert document["permission"]["minutes_left"] == 30
    assert document["permission"]["required"] == ["install"]
    assert document["waiting"]["by"] == "not now"


def test_nothing_to_say_yes_to(device: Device, capsys: pytest.CaptureFixture[str]):
    """One sentence, and the exit code of misuse."""
    assert device.run("consent", "yes") == 2
    assert capsys.readouterr().err == (
        "otabridge-agent: no update is under way: there is nothing to say yes or no to\n"
    )


@pytest.mark.usefixtures("cloud")
def test_a_person_with_a_folder_is_asked_nothing(device: Device, folder: Path):
    """Who stands before the device has consented; the window of the nights is for the cloud's releases, too."""
    device.configure(more=f'{CONSENT}\n[window]\nstart = "03:00"\nend = "03:01"\nweekdays = ["sun"]\n')

    assert device.run("install", str(folder)) == 75


@pytest.mark.usefixtures("cloud")
def test_hooks_are_asked_and_told(device: Device, folder: Path, capsys: pytest.CaptureFixture[str]):
    """From a folder, too: a machine in use is in use, whoever wants to restart it."""
    said = device.folder / "said"
    busy = hook(device.folder / "hooks", "10-busy", "echo the valve is open; exit 21", "install")
    hook(device.folder / "hooks", "10-note", f'echo "$OTABRIDGE_STEP $OTABRIDGE_DETAIL" >> {said}', "waiting")
    hook(device.folder / "hooks", "10-note", f'echo "$OTABRIDGE_STEP" >> {said}', "installed")
    device.configure(more='\n[hooks]\ndirectory = "hooks"\n')

    assert device.run("install", str(folder)) == 32
    assert told(capsys) == "waiting: hook 10-busy: the valve is open; ask again later\n"
    assert said.read_text() == "waiting install: hook 10-busy: the valve is open\n"
    busy.unlink()
    assert device.run("install", str(folder)) == 75
    device.restart()
    assert device.run("once") == 0
    assert said.read_text().splitlines()[1:] == ["installed"]


def test_another_link_is_waited_for(device: Device, folder: Path, cloud: Cloud, store: str, capsys):
    """Where the owner wants that, a metered link is no failure: the full artifact comes over the next one."""
    metered = f'\n{LINK}metered = "yes"\nfull_over_metered = false\nwait_for_link = true\n'
    device.configure(more=metered)
    cloud.offers = [offer_of(folder, store) for _ in range(2)]

    assert device.run("once") == 32
    assert "waiting: metered link: the link is metered, and this device's configuration keeps" in told(capsys)
    assert cloud.reports == []
    device.configure(more=metered.replace('"yes"', '"no"'))
    assert device.run("once") == 75


@pytest.mark.usefixtures("waiting")
def test_the_cloud_hears_of_the_wait(cloud: Cloud):
    """With the reason, in a phase of its own."""
    assert [(each.phase, each.detail) for each in cloud.progresses][-1] == (
        Phase.WAITING,
        "install: consent: nobody has said yes to 2.0.0 yet",
    )


def test_a_local_program_says_yes(device: Device, folder: Path, cloud: Cloud, store: str):
    """Over the socket: it hears what is waited for, says yes, and sees the update go on within a second."""
    with TemporaryDirectory(prefix="otabridge-") as short:
        path = Path(short) / "agent.sock"
        device.configure(more=f'{CONSENT}\n[socket]\npath = "{path}"\n')
        cloud.offers = [offer_of(folder, store) for _ in range(2)]
        codes: list[int] = []
        agent = threading.Thread(target=lambda: codes.append(device.run("run")))
        agent.start()
        heard = list(conversation(path))
        agent.join(60)

    assert codes == [75]
    assert heard[0]["event"] == "status"
    phases = [each["phase"] for each in heard if each.get("event") == "progress"]
    assert phases[-1] == "switching"
    assert phases.index("waiting") < phases.index("switching")
    assert {"answer": "yes to release 2.0.0, before install"} in heard


def conversation(path: Path) -> Iterator[dict[str, object]]:
    """All that a local program hears that says yes when it is asked to."""
    while not path.exists():
        time.sleep(0.01)
    with closing(Program(path)) as program:
        while (line := program.hear()) is not None:
            yield line
            waits = line.get("event") == "status" and line["status"]["waiting"]
            if waits and waits["by"] == "consent":
                program.send(b'{"command": "consent", "answer": "yes"}\n')

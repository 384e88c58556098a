"""Scripts as handlers: what they are told, and what their answers mean."""

from __future__ import annotations

import os
import re
import signal
import time
from pathlib import Path

import pytest

from agent.handlers.script import VERBS, ScriptHandler
from agent.handlers.settings import OWN_FILE, ScriptSettings
from agent.handling import StepError, Work
from agent.pace import StopRequested
from agent.slots import Slot
from bridge.release.step import Place, Step
from tests.agent.handlers.rigs import GUIDE, Life

STEP = Step("firmware", "modem", Place.DEVICE, {"port": "/dev/ttyS1"}, restart=True)


def script(folder: Path, text: str, life: Life | None = None, seconds: float = 60.0) -> ScriptHandler:
    """A handler whose program is a shell script."""
    program = folder / "program"
    program.write_text(f"#!/bin/sh\n{text}\n")
    program.chmod(0o755)
    return ScriptHandler("modem", ScriptSettings((str(program),)), (life or Life()).runner(seconds))


def work(folder: Path, step: Step = STEP, **slot: object) -> Work:
    """A step of a release, whose file is empty."""
    file = folder / "file"
    file.touch()
    return Work(step, file, folder, "2.0.0", 7, **slot)


def test_what_a_program_is_told(tmp_path: Path):
    """The verb comes last, all else by variables; before a download there is no file to speak of."""
    said = tmp_path / "said"
    handler = script(tmp_path, f'echo "$@" >> {said}; env | grep ^OTABRIDGE_ | sort >> {said}')
    handler.require_ready(STEP)
    first = said.read_text().splitlines()
    said.unlink()
    handler.install(work(tmp_path, target=Slot.B, device=Path("/dev/b")))

    about = ["OTABRIDGE_PLACE=device", "OTABRIDGE_RESTART=1", "OTABRIDGE_SETTING_PORT=/dev/ttyS1"]
    assert first == ["ready", *about, "OTABRIDGE_STEP_NAME=firmware", "OTABRIDGE_VERB=ready"]
    assert said.read_text().splitlines() == [
        "install",
        f"OTABRIDGE_FILE={tmp_path}/file",
        f"OTABRIDGE_FOLDER={tmp_path}",
        "OTABRIDGE_PLACE=device",
        "OTABRIDGE_RELEASE_SEQUENCE=7",
        "OTABRIDGE_RELEASE_VERSION=2.0.0",
        *about[1:],
        "OTABRIDGE_STEP_NAME=firmware",
        "OTABRIDGE_TARGET_DEVICE=/dev/b",
        "OTABRIDGE_TARGET_SLOT=b",
        "OTABRIDGE_VERB=install",
    ]


def test_the_guide_names_all_that_a_program_is_told(tmp_path: Path):
    """Verbs and variables, and which of them there are before a download."""
    said = tmp_path / "said"
    handler = script(tmp_path, f"env | grep ^OTABRIDGE_ | cut -d= -f1 | sed 's/PORT/NAME/' | sort > {said}.$1")
    handler.require_ready(STEP)
    handler.install(work(tmp_path))
    rows = re.findall(r"^\| `(OTABRIDGE_[A-Z_]+)` \| (yes|no) \|", GUIDE.read_text(), re.MULTILINE)

    assert {name for name, _ in rows} == set((tmp_path / "said.install").read_text().split())
    assert {name for name, when in rows if when == "yes"} == set((tmp_path / "said.ready").read_text().split())
    assert all(f"`{verb}`" in GUIDE.read_text() for verb in VERBS)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("echo no modem >&2; exit 1", "step firmware: program ended with status 1: no modem"),
        ("exit 21", "step firmware: program ended with status 21"),
        ("kill -9 $$", "step firmware: program was ended by signal 9"),
        ("head -c 3000000 /dev/zero | tr '\\0' y; exit 2", "step firmware: program ended with status 2: " + "y" * 300),
    ],
)
@pytest.mark.parametrize("verb", VERBS)
def test_what_a_status_means(tmp_path: Path, text: str, message: str, verb: str):
    """0 is done, anything else failed, whatever the verb; the last words say why, however many there were."""
    handler = script(tmp_path, text)
    with pytest.raises(StepError) as failure:
        handler.require_ready(STEP) if verb == "ready" else getattr(handler, verb)(work(tmp_path))

    assert str(failure.value) == message


def test_a_program_that_hangs(tmp_path: Path):
    """Its time is bounded, and nothing that it started goes on."""
    handler = script(tmp_path, f"echo waiting; sleep 600 & echo $! > {tmp_path}/pid; wait", seconds=0.5)
    with pytest.raises(StepError) as failure:
        handler.install(work(tmp_path))

    assert str(failure.value) == "step firmware: program took longer than 0.5 s and was ended: waiting"
    assert is_gone(tmp_path / "pid")


def test_a_stop_ends_what_was_started(tmp_path: Path):
    """The agent does not leave a program behind that works while the next agent starts it again."""
    life = Life(left=1)
    handler = script(tmp_path, f"echo $$ > {tmp_path}/pid; echo; exec sleep 600", life)
    with pytest.raises(StopRequested):
        handler.install(work(tmp_path))

    assert is_gone(tmp_path / "pid")


def is_gone(pid: Path) -> bool:
    """Whether the process of that number ends, or has ended."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            os.kill(int(pid.read_text()), 0)
            state = Path(f"/proc/{int(pid.read_text())}/stat").read_text().rpartition(")")[2].split()[0]
        except (ProcessLookupError, FileNotFoundError):
            return True
        if state == "Z":
            return True
        time.sleep(0.01)
    os.kill(int(pid.read_text()), signal.SIGKILL)
    return False


def test_a_program_of_the_release_has_to_be_vouched_for():
    """It cannot be asked before it is there: who signed the release says that it can undo."""
    handler = ScriptHandler("brought", ScriptSettings(("/bin/sh", OWN_FILE)), Life().runner())
    with pytest.raises(StepError) as refusal:
        handler.require_ready(Step("app", "brought", Place.DEVICE, {"undo": "no"}))

    assert str(refusal.value) == (
        "step app: the release does not declare that its program undoes what it installs; once it does, write "
        'undo = "yes" into the step\'s settings'
    )
    handler.require_ready(Step("app", "brought", Place.DEVICE, {"undo": "yes"}))


def test_programs_that_are_not_run(tmp_path: Path):
    """One that is not there, and one that anybody may write to, which would run with the agent's rights."""
    handler = script(tmp_path, "exit 0")
    (tmp_path / "program").chmod(0o757)
    with pytest.raises(StepError) as open_to_all:
        handler.require_ready(STEP)
    (tmp_path / "program").unlink()
    with pytest.raises(StepError) as absent:
        handler.inspect()
    with pytest.raises(StepError) as unstarted:
        handler.install(work(tmp_path))

    assert str(open_to_all.value).endswith(
        f"{tmp_path}/program may be written by everybody; chmod o-w {tmp_path}/program"
    )
    assert f"handlers.modem: there is no program '{tmp_path}/program' that this user may run" in str(absent.value)
    assert str(unstarted.value) == f"step firmware: {tmp_path}/program cannot be started: No such file or directory"

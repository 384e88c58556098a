"""Agent and slot writer as two processes of two users: what the agent may not, and that an update ends well."""

from __future__ import annotations

import ctypes
import os
import pwd
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from importlib.resources import files
from pathlib import Path

import pytest

from agent.slots import Slot
from bridge.release.report import Phase
from tests.agent.fileserver import Fault, FileServer
from tests.agent.writer import confined
from tests.agent.writer.split import AGENT, FAR, Manager, SplitDevice, interpreter, unprivileged
from tests.releases import Package

IMAGE = random.Random(11).randbytes(2_000_000)
UNITS = Path(str(files("agent") / "systemd"))
BURGLAR = Path(__file__).with_name("burglar.py")
RESTART_FIRST = 75
INSTALLED = "job-1 ended installed in slot b with 2.0.0"
LAUNCHER = (interpreter(), confined.__file__, str(UNITS / "otabridge-agent.service"))
ROOT_WITHOUT_CAPABILITIES = ("setpriv", "--no-new-privs", "--bounding-set=-all", "--inh-caps=-all")
WRITERS_LAUNCHER = (
    *("/usr/bin/env", *ROOT_WITHOUT_CAPABILITIES),
    *(sys.executable, confined.__file__, str(UNITS / "otabridge-slot-writer.service")),
)
MOMENTS = (
    (Phase.ACCEPTED, 0),
    (Phase.DOWNLOADING, 0),
    (Phase.DOWNLOADING, 30),
    (Phase.DOWNLOADING, 60),
    (Phase.CHECKING, 0),
    (Phase.SWITCHING, 0),
    (Phase.PROVING, 0),
)
"""How far the agent says it is when somebody is killed; what either is doing by then is chance."""


def reason_against() -> str:
    """Why this machine cannot show it; "" when it can."""
    if os.geteuid() != 0:
        return "only root can become another user"
    missing = next((tool for tool in ("setpriv", "systemd-analyze") if shutil.which(tool) is None), None)
    if missing is not None:
        return f"{missing} is not installed"
    try:
        ctypes.CDLL(confined.LIBRARY)
    except OSError:
        return f"{confined.LIBRARY} is not installed"
    return "" if interpreter() else f"{AGENT} may start no Python"


@pytest.fixture(scope="module")
def two_users() -> None:
    """Skips by name."""
    if reason := reason_against():
        pytest.skip(reason)


@pytest.fixture
def confined_manager(split: SplitDevice) -> Iterator[Manager]:
    """Starts the writer within the system calls of its unit."""
    with Manager(split, WRITERS_LAUNCHER) as manager:
        yield manager


@pytest.fixture
def manager(split: SplitDevice) -> Iterator[Manager]:
    """Starts the writer whenever somebody connects."""
    split.config.write_text(split.config.read_text().replace("proxies = {}", "proxies = {}\nrate_limit = 1500000"))
    with Manager(split) as manager:
        yield manager


@pytest.fixture
def offer(split: SplitDevice, server: FileServer) -> Path:
    """A release in the store, as often as it is asked for."""
    package: Package = split.kit.package(IMAGE, expires=FAR, frame_bytes=128 * 1024)
    server.faults = [Fault(body=package.files[package.artifact.name]) for _ in range(50)]
    return split.offer(package, server.url)


@pytest.fixture
def slot_bytes() -> int:
    """Room for the image."""
    return 2_500_000


def block_devices() -> Sequence[str]:
    """One of this machine's."""
    return [str(path) for path in Path("/dev").iterdir() if path.is_block_device()][:1]


def is_past(line: str, moment: tuple[Phase, int]) -> bool:
    """Whether the agent's `line` tells of progress at `moment` or beyond."""
    words, order = line.split(), [*Phase]
    if len(words) < 3 or words[1] not in order:
        return False
    return (order.index(Phase(words[1])), int(words[2])) >= (order.index(moment[0]), moment[1])


def run(split: SplitDevice, offer: Path, moment: tuple[Phase, int], victim: str, manager: Manager) -> int:
    """One run of the agent; once it is at `moment`, the `victim` is killed."""
    with split.agent(offer, "once") as process:
        assert process.stdout is not None
        struck = False
        for line in process.stdout:
            split.said.append(line.strip())
            if not struck and is_past(line, moment):
                struck = True
                process.send_signal(signal.SIGKILL) if victim == "agent" else manager.kill()
    return process.returncode


@pytest.mark.usefixtures("two_users")
def test_an_update_by_an_agent_without_rights(split, confined_manager, offer):
    """Two users without capabilities, each within the system calls of its unit: the release is installed."""
    assert split.run(offer, "once", launcher=LAUNCHER) == RESTART_FIRST, split.said
    assert split.restart() is Slot.B
    assert split.run(offer, "once", launcher=LAUNCHER) == 0, split.said

    assert split.said.count(INSTALLED) == 1
    assert split.slot(Slot.B)[: len(IMAGE)] == IMAGE
    assert split.default() is Slot.B
    assert confined_manager.starts == 1
    checked = subprocess.run(
        [sys.executable, "-m", "agent.cli", "--config", str(split.config), "check"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert f"by way of the slot writer at {split.path}" in checked.stdout
    assert checked.returncode == 0, checked.stdout
    assert {path.stat().st_uid for path in (split.folder / "state").iterdir()} == {pwd.getpwnam(AGENT).pw_uid}
    assert (split.folder / "writer").stat().st_mode & 0o777 == 0o700


@pytest.mark.usefixtures("two_users", "manager")
def test_what_the_agent_may_not(split):
    """Whatever runs in the agent's place can neither open a slot nor a block device, nor change what boots."""
    words = [str(split.board), str(split.path), *block_devices()]
    done = subprocess.run(
        [*unprivileged(), *LAUNCHER, interpreter(), str(BURGLAR), *words],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )

    lines = done.stdout.splitlines()
    assert len(lines) >= 11, done.stderr
    assert [line for line in lines if not line.startswith("refused: ")] == []


@pytest.mark.usefixtures("two_users")
def test_root_is_told_to_use_the_agents_user(split):
    """Files that root made would be out of the agent's reach."""
    command = [sys.executable, "-m", "agent.cli", "--config", str(split.config), "once"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)

    assert done.returncode == 2
    assert f"use `runuser -u {AGENT} -- otabridge-agent ...`, not root" in done.stderr
    assert list((split.folder / "state").iterdir()) == []


@pytest.mark.parametrize("victims", [("writer",), ("agent", "writer")], ids="-".join)
def test_killed_at_any_moment(split, manager, offer, victims):
    """Whichever dies, and when: one end is told, the slot holds the image; a dead writer is made good for."""
    codes = []
    for number, moment in enumerate(MOMENTS):
        codes.append(run(split, offer, moment, victims[number % len(victims)], manager))
        if codes[-1] == RESTART_FIRST:
            split.restart()
    while split.run(offer, "once") == RESTART_FIRST:
        split.restart()

    ends = {line for line in split.said if " ended " in line}
    assert ends == {INSTALLED}
    assert split.slot(Slot.B)[: len(IMAGE)] == IMAGE
    assert split.default() is split.restart() is Slot.B
    allowed = {0, RESTART_FIRST} if victims == ("writer",) else {0, RESTART_FIRST, -signal.SIGKILL}
    assert set(codes) <= allowed
    assert manager.starts > victims.count("writer")

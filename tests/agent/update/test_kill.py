"""The agent's process is killed or stopped, again and again, on a real file system: it converges all the same."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from agent.bootloaders.file import create
from agent.disk import SystemDisk
from agent.slots import Slot
from bridge.release.report import Phase
from tests.agent import talking_agent
from tests.agent.bench import FAR, OLD, Device
from tests.agent.fileserver import Fault, FileServer

IMAGE = random.Random(11).randbytes(6_000_000)
FRAME_BYTES = 128 * 1024
SLOT_BYTES = 7_000_000
RESTART_FIRST = 75
MOMENTS = (
    (Phase.ACCEPTED, 0),
    (Phase.DOWNLOADING, 5),
    (Phase.DOWNLOADING, 30),
    (Phase.DOWNLOADING, 50),
    (Phase.DOWNLOADING, 80),
    (Phase.CHECKING, 0),
    (Phase.CHECKING, 70),
    (Phase.SWITCHING, 0),
    (Phase.PROVING, 0),
    (Phase.PROVING, 0),
)
"""How far the agent says it is when it is killed; what it is doing by then is chance."""


def is_past(line: str, moment: tuple[Phase, int]) -> bool:
    """Whether the agent's `line` tells of progress at `moment` or beyond."""
    words = line.split()
    order = [*Phase]
    if words[1] not in order:
        return False
    return (order.index(Phase(words[1])), int(words[2])) >= (order.index(moment[0]), moment[1])


class Bench:
    """A device, a store, and the agent's process."""

    def __init__(self, device: Device, server: FileServer) -> None:
        self.device = device
        self.said: list[str] = []
        package = device.kit.package(IMAGE, expires=FAR, frame_bytes=FRAME_BYTES)
        folder = device.publish(package)
        server.faults = [Fault(body=package.files[package.artifact.name]) for _ in range(50)]
        self.offer = device.folder / "offer.json"
        urls = {package.artifact.name: server.url}
        self.offer.write_text(json.dumps({"id": "job-1", "release": str(folder / "release.json"), "urls": urls}))

    def run(self, moment: tuple[Phase, int] | None = None, number: int = signal.SIGKILL) -> int:
        """The exit code of one run, to which signal `number` is sent after it has said `moment`."""
        command = [sys.executable, talking_agent.__file__, str(self.offer), *self.device.arguments("once")]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
            assert process.stdout is not None
            for line in process.stdout:
                self.said.append(line.strip())
                if moment is not None and is_past(line, moment):
                    process.send_signal(number)
        return process.returncode


@pytest.fixture
def bench(device: Device, server: FileServer) -> Bench:
    """A device with slots of real size, whose download is slow enough to be hit in the middle."""
    board: Path = device.folder / "board"
    create(board, SystemDisk(), SLOT_BYTES, [OLD])
    device.restart()
    device.configure(more="\n[download]\nallow_http = true\nrate_limit = 2000000\nproxies = {}\n")
    return Bench(device, server)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGKILL, -9), (signal.SIGTERM, 130)])
def test_a_stopped_agent_converges(bench: Bench, server: FileServer, number: int, code: int):
    """Killed or told to stop at ten moments: one end is told, the slot holds the image, little was fetched twice."""
    codes = []
    for moment in MOMENTS:
        codes.append(bench.run(moment, number))
        if codes[-1] == RESTART_FIRST:
            bench.device.restart()
    while bench.run() == RESTART_FIRST:
        bench.device.restart()

    ends = {line for line in bench.said if " ended " in line}
    assert codes.count(code) >= len(MOMENTS) - 4
    assert ends == {"job-1 ended installed in slot b with 2.0.0"}
    assert bench.device.slot(Slot.B)[: len(IMAGE)] == IMAGE
    assert bench.device.restart() is Slot.B
    assert bench.device.run("status") == 0
    starts = [int((request.range or "bytes=0-")[6:-1]) for request in server.seen]
    assert starts == sorted(starts)
    assert starts[-1] > len(IMAGE) // 2

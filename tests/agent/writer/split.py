"""A device whose agent and slot writer are two processes of two users; board and socket are real files.

split = SplitDevice(folder, kit)        # a folder that every user may look into
with split.writer():
    split.agent("once", offer)
"""

from __future__ import annotations

import json
import os
import pwd
import random
import select
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Self

from agent.bootloaders.file import boot, create, image_path, read_environment
from agent.disk import SystemDisk
from agent.pace import Timing
from agent.slots import Slot
from agent.writer.client import SlotWriter
from agent.writer.remote import Presenting, RemoteBootLoader, RemoteDisk
from tests.agent import talking_agent
from tests.releases import HARDWARE, MODEL, Package, ReleaseKit

OLD = b"old image" * 1000
NEW = random.Random(3).randbytes(200_000)
SLOT_BYTES = 1_500_000
FAR = datetime(2099, 1, 1, tzinfo=UTC)
PATIENCE = 60.0
AGENT = "nobody" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
"""Who runs the agent: somebody else than the writer, where this process may become somebody else."""
LEAST = ("--no-new-privs", "--bounding-set=-all", "--inh-caps=-all", "--clear-groups")
PASS = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.execve(sys.argv[2], sys.argv[2:], {**os.environ, "LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1"})
"""
"""Starts what follows with a descriptor as systemd passes it: by the number 3."""
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

[writer]
socket = "slots.sock"
directory = "writer"
user = "{user}"

[channel]
cloud = "aws"

[channel.aws]
endpoint = "127.0.0.1"
port = 1
thing = "device-1"
certificate_file = "device.pem"
key_file = "device.key"

[download]
allow_http = true
proxies = {{}}

[health]
settle_seconds = 0

[[health.checks]]
name = "true"
command = ["true"]
retries = 0

[reboot]
command = []
"""


@dataclass
class SplitDevice:
    """A device in `folder`; slot a runs, and holds `OLD`."""

    folder: Path
    kit: ReleaseKit
    slot_bytes: int = SLOT_BYTES
    more: str = ""
    said: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.board.mkdir(mode=0o700)
        create(self.board, SystemDisk(), self.slot_bytes, [OLD])
        self.restart()
        (self.folder / "state").mkdir(mode=0o700)
        (self.folder / "root.json").write_bytes(self.kit.pinned)
        text = CONFIG.format(model=json.dumps(MODEL), hardware=json.dumps(HARDWARE), user=AGENT)
        self.config.write_text(text + self.more)
        if os.geteuid() == 0:
            os.chown(self.folder / "state", pwd.getpwnam(AGENT).pw_uid, -1)

    @property
    def board(self) -> Path:
        """Of root alone."""
        return self.folder / "board"

    @property
    def config(self) -> Path:
        """agent.toml."""
        return self.folder / "agent.toml"

    @property
    def path(self) -> Path:
        """The writer's socket."""
        return self.folder / "slots.sock"

    def restart(self) -> Slot:
        """Firmware."""
        return boot(self.board, SystemDisk()).slot

    def slot(self, slot: Slot) -> bytes:
        """All that a slot holds."""
        return image_path(self.board, slot).read_bytes()

    def default(self) -> Slot:
        """What the boot environment says."""
        environment = read_environment(self.board, SystemDisk())
        assert environment is not None
        return environment.default

    @contextmanager
    def writer(self) -> Iterator[subprocess.Popen[bytes]]:
        """A slot writer that makes its own socket."""
        with subprocess.Popen(self.command()) as process:
            try:
                until(lambda: self.is_answered() or process.poll() is not None)
                assert process.poll() is None
                yield process
            finally:
                process.kill()

    def command(self) -> list[str]:
        """What starts the writer."""
        return [sys.executable, "-m", "agent.cli", "--config", str(self.config), "slot-writer"]

    def is_answered(self) -> bool:
        """Whether somebody listens."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as line:
            return line.connect_ex(str(self.path)) == 0

    def offer(self, package: Package, url: str) -> Path:
        """What the talking agent's cloud offers."""
        release = self.folder / "release.json"
        release.write_bytes(package.document)
        offer = self.folder / "offer.json"
        urls = dict.fromkeys(package.files, url)
        offer.write_text(json.dumps({"id": "job-1", "release": str(release), "urls": urls}))
        return offer

    def agent(self, offer: Path, *words: str, launcher: Sequence[str] = ()) -> subprocess.Popen[str]:
        """The agent's process, by the user that it is meant for, with no rights at all."""
        command = [interpreter(), talking_agent.__file__, str(offer), "--config", str(self.config), *words]
        return subprocess.Popen(
            [*unprivileged(), *launcher, *command],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "HOME": str(self.folder)},
        )

    def run(self, offer: Path, *words: str, launcher: Sequence[str] = ()) -> int:
        """Its exit code; what it said is in `said`."""
        with self.agent(offer, *words, launcher=launcher) as process:
            assert process.stdout is not None
            self.said += [line.strip() for line in process.stdout]
        return process.returncode


class Manager:
    """What systemd is to the writer: holds the socket, and starts the writer for whoever connects, again and again."""

    def __init__(self, split: SplitDevice, launcher: Sequence[str] = ()) -> None:
        """`launcher`: words before the writer's command."""
        self._split = split
        self._launcher = launcher
        self._over = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._run)
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.starts = 0

    def __enter__(self) -> Self:
        self._listener.bind(str(self._split.path))
        if os.geteuid() == 0:
            os.chown(self._split.path, pwd.getpwnam(AGENT).pw_uid, -1)
        self._listener.listen(16)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self.kill()
        self._thread.join()
        self._listener.close()

    def kill(self) -> None:
        """The writer dies as it stands, if it lives."""
        if self._process is not None:
            self._process.kill()

    def _run(self) -> None:
        number = self._listener.fileno()
        words = [sys.executable, "-I", "-S", "-c", PASS, str(number), *self._launcher, *self._split.command()]
        while not self._over.is_set():
            if select.select([self._listener], [], [], 0.05)[0]:
                self.starts += 1
                with subprocess.Popen(words, pass_fds=[number]) as self._process:
                    if self._over.is_set():
                        self.kill()
                    self._process.wait()


def unprivileged() -> list[str]:
    """The words before a command that leave it no rights."""
    if os.geteuid() != 0:
        return []
    user = pwd.getpwnam(AGENT)
    return ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", *LEAST]


@cache
def interpreter() -> str:
    """A Python that the agent's user may start, as root's own may lie in a folder of root; "" for none."""
    candidates = (sys.executable, f"/usr/bin/python3.{sys.version_info.minor}")
    return next((each for each in candidates if _starts(each)), "")


def _starts(python: str) -> bool:
    """`env`, as rights are lost with the first program that is started."""
    line = [*unprivileged(), "env", f"PYTHONPATH={os.pathsep.join(sys.path)}", python, "-c", "import agent.cli"]
    return subprocess.run(line, capture_output=True, check=False).returncode == 0


def until(happened: Callable[[], bool]) -> None:
    """Wait for it. Raises: AssertionError when it does not come."""
    end = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < end, "it has not happened"
        time.sleep(0.02)


@dataclass
class Hands:
    """The agent's ports over the socket at `path`."""

    path: Path
    patience: float = 5.0

    def __post_init__(self) -> None:
        self.writer = SlotWriter(self.path, Timing(), self.patience)
        self.boots = RemoteBootLoader(self.writer)
        self.disk = RemoteDisk(self.writer, self.boots)
        self.shown = Presenting(self.writer, self.boots)

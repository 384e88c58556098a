"""The shipped grub.cfg in the real GRUB, by grub-emu: its block on an ext2 image that GRUB itself writes."""

from __future__ import annotations

import os
import re
import select
import subprocess
import time
from pathlib import Path

import pytest

import agent.bootloaders
from agent.bootloaders.grub import Environment, Grub, environment_in, variables_of
from agent.bootloaders.grubenv import Block, parse, render
from agent.bootloaders.partitions import Partitions
from agent.disk import SystemDisk
from agent.slots import Slot
from tests.agent.bootloaders.rigs import DEVICES, grub_choice, require

SCRIPT = Path(agent.bootloaders.__file__).parent / "grub/grub.cfg"
FIRST = Environment(Slot.A, frozenset({Slot.A}), (0, 0))
WRAPPER = """
function linux {{
  echo "LINUX"
  for word in $@; do echo ">$word"; done
  {broken}
  exit
}}
set prefix=(hd0)
set otabridge_count_default={counted}
source (host){folder}/otabridge.cfg
"""
PATIENCE_SECONDS = 60


class GrubEmu:
    """A board in which a kernel that starts ends GRUB. `broken`: partitions whose kernel cannot be loaded."""

    def __init__(self, folder: Path) -> None:
        require("grub-emu", "mke2fs", "debugfs")
        self.folder = folder
        self.counted, self.broken = "", []
        (folder / "otabridge.cfg").write_bytes(SCRIPT.read_bytes())
        (folder / "device.map").write_text(f"(hd0) {folder}/disk.img\n")

    def remember(self, data: bytes) -> None:
        """Put a block on a new disk."""
        root = self.folder / "root"
        root.mkdir(exist_ok=True)
        (root / "grubenv").write_bytes(data)
        (self.folder / "disk.img").unlink(missing_ok=True)
        run("mke2fs", "-q", "-t", "ext2", "-d", root, self.folder / "disk.img", "1m")

    def remembered(self) -> Block:
        """The block, as GRUB left it."""
        return parse(run("debugfs", "-R", "cat /grubenv", self.folder / "disk.img"))

    def boot(self) -> list[str]:
        """What is started: the arguments of each kernel that GRUB loads or tries to load."""
        broken = "".join(f'if [ "$1" = "{path}" ]; then return 1; fi; ' for path in self.broken)
        text = WRAPPER.format(broken=broken or "true", counted=self.counted, folder=self.folder)
        (self.folder / "grub.cfg").write_text(text)
        screen = re.sub(r"\x1b\[[0-9;]*[A-Za-z]|\r", "", self._run())
        return [" ".join(re.findall(r"(?m)^>(.*)$", each)) for each in screen.split("LINUX\n")[1:]]

    def _run(self) -> str:
        command = ["grub-emu", "-d", self.folder, "-r", "host", "-m", self.folder / "device.map"]
        ours, theirs = os.openpty()
        with subprocess.Popen(
            command, stdin=theirs, stdout=theirs, stderr=theirs, env={**os.environ, "TERM": "dumb"}
        ) as process:
            os.close(theirs)
            try:
                return _read(ours)
            finally:
                process.kill()
                os.close(ours)


def _read(terminal: int) -> str:
    """All that appears until GRUB has ended or gives up: it waits five seconds before it restarts the board."""
    screen, deadline = b"", time.monotonic() + PATIENCE_SECONDS
    while b"no slot can be started" not in screen:
        assert select.select([terminal], [], [], max(0.0, deadline - time.monotonic()))[0], screen
        try:
            piece = os.read(terminal, 65536)
        except OSError:  # the other end is closed
            break
        screen += piece
    return screen.decode(errors="replace")


def run(*command: object) -> bytes:
    """What a program says."""
    return subprocess.run([str(word) for word in command], check=True, capture_output=True).stdout


@pytest.fixture
def board(tmp_path: Path) -> GrubEmu:
    """Slot a is the default, slot b not to be booted."""
    board = GrubEmu(tmp_path)
    board.remember(render(Block((), variables_of(FIRST))))
    return board


def slots(board: GrubEmu, count: int) -> list[str]:
    """The slot of each of `count` boots; a boot that finds no slot restarts the board."""
    return [(board.boot() or board.boot())[-1][-1] for _ in range(count)]


def test_the_script_is_grubs_language():
    """By GRUB's own parser."""
    require("grub-script-check")
    run("grub-script-check", SCRIPT)


def test_a_trial_in_the_real_grub(board: GrubEmu):
    """Three boots, counted on the medium before they are made; then the default, and the slot is given up."""
    board.remember(render(Block((), variables_of(FIRST.trying(Slot.B)))))

    assert board.boot() == ["(hd0,gpt3)/boot/vmlinuz root=/dev/sda3 ro rootwait panic=10 otabridge.slot=b"]
    assert environment_in(board.remembered()).count(Slot.B) == 1
    assert slots(board, 4) == ["b", "b", "a", "a"]
    left = environment_in(board.remembered())
    assert (left.default, left.trial, left.ok) == (Slot.A, None, {Slot.A})


def test_a_commit_in_the_real_grub(board: GrubEmu):
    """A committed slot stays, uncounted."""
    board.remember(render(Block((), variables_of(FIRST.trying(Slot.B).committed(Slot.B)))))

    assert slots(board, 2) == ["b", "b"]
    assert environment_in(board.remembered()).tries == (0, 0)


def test_a_trial_whose_kernel_cannot_be_loaded(board: GrubEmu):
    """The default is started in the same boot, and the trial is over."""
    board.remember(render(Block((), variables_of(FIRST.trying(Slot.B)))))
    board.broken = ["(hd0,gpt3)/boot/vmlinuz"]

    assert [line[-1] for line in board.boot()] == ["b", "a"]
    assert environment_in(board.remembered()).trial is None
    assert [line[-1] for line in board.boot()] == ["a"]


@pytest.mark.parametrize("data", [b"", bytes(1024), b"# GRUB Environment Block\n".ljust(1024, b"#")])
def test_an_environment_that_cannot_be_read(board: GrubEmu, data: bytes):
    """Empty, wiped, or without variables: a slot that can be loaded is booted, whichever it is."""
    board.remember(data)
    board.broken = ["(hd0,gpt2)/boot/vmlinuz"]

    assert board.boot()[-1][-1] == "b"
    board.broken = ["(hd0,gpt3)/boot/vmlinuz"]
    assert board.boot()[-1][-1] == "a"


def test_the_real_grub_agrees_with_the_rig(board: GrubEmu):
    """The reading of the script on which the contract rests, held against the script."""
    board.counted = "1"
    variables = variables_of(FIRST.trying(Slot.B))
    board.remember(render(Block((), variables)))
    for _ in range(8):
        expected = grub_choice(variables, count_default=True)

        assert slots(board, 1) == [expected]
        assert environment_in(board.remembered()) == environment_in(Block((), variables))


def test_grubs_own_block_is_ours(board: GrubEmu, tmp_path: Path):
    """What GRUB has written, the agent reads and changes."""
    board.remember(render(Block((), variables_of(FIRST.trying(Slot.B)))))
    board.boot()
    path = tmp_path / "grubenv"
    path.write_bytes(run("debugfs", "-R", "cat /grubenv", board.folder / "disk.img"))
    (tmp_path / "cmdline").write_text("otabridge.slot=b")
    loader = Grub(Partitions(DEVICES, tmp_path / "cmdline"), path, SystemDisk())
    loader.commit(Slot.B)
    board.remember(path.read_bytes())

    assert slots(board, 1) == ["b"]
    assert (loader.default(), loader.trial()) == (Slot.B, None)

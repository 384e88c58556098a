"""What U-Boot decides: the agent changes the environment by its own verbs, then the power goes on, and the
kernel of the slot that was chosen says so. No Linux is started, so that a boot takes half a second.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

from agent.slots import Slot
from tests.boot.bench import NONE, Verb
from tests.boot.board import PARTITIONS, SCRIPT, Board
from tests.boot.images import file_system
from tests.boot.kernel import kernel
from tests.boot.machine import seen_by

SLOT_MIB = 8
MEMORY_MIB = 192
CHOSEN = r"^(?:slot ([ab]) runs|otabridge: (no) slot can be started)"


def make_template(folder: Path, script: Path = SCRIPT, kind: type[Board] = Board) -> Board:
    """A board with `script` and a kernel in each slot, from which those of all cases are copied."""
    board = kind(folder, SLOT_MIB, script)
    board.create()
    for slot, partition in PARTITIONS.items():
        image = folder / f"{slot}.img"
        write_slot(image, kernel(f"slot {slot} runs"))
        board.disk.fill(partition, image)
    return board


def write_slot(image: Path, content: bytes | None) -> None:
    """A slot's file system with `content` as its kernel; None leaves it without one."""
    with tempfile.TemporaryDirectory() as folder:
        boot = Path(folder, "boot")
        boot.mkdir()
        if content is not None:
            (boot / "Image").write_bytes(content)
        file_system(image, SLOT_MIB, Path(folder))


class UBootBench:
    """tests.boot.bench.Bench: a copy of `template` in `folder`."""

    def __init__(self, template: Board, folder: Path) -> None:
        self.board = template.copied_to(folder)
        self.console = folder / "console.log"
        self.powers_on = 0

    def act(self, slot: Slot, verb: Verb) -> None:
        """See Bench."""
        verb(self.board.agent_in(slot))

    def boot(self) -> str:
        """See Bench."""
        chosen, powers_on = chosen_by(self._line(), self.console)
        self.powers_on += powers_on
        return chosen

    def boot_until(self, pattern: str) -> None:
        """Switch it on until the console says `pattern`, and off. Raises: NotSeen."""
        _, powers_on = seen_by(self._line(), self.console, pattern)
        self.powers_on += powers_on

    def spoil_kernel(self, slot: Slot, content: bytes | None) -> None:
        """See Bench."""
        image = self.board.folder / "spoilt.img"
        write_slot(image, content)
        self.erase(slot)
        self.board.disk.fill(PARTITIONS[slot], image)

    def erase(self, slot: Slot) -> None:
        """See Bench."""
        self.board.disk.write(self.board.disk.start(PARTITIONS[slot]), bytes(SLOT_MIB << 20))

    def refuse_writes(self) -> None:
        """See Bench."""
        self.board.refuse_writes()

    def remembered(self) -> Mapping[str, str]:
        """See Bench: by fw_printenv."""
        return self.board.variables()

    def _line(self) -> list[str]:
        return self.board.line(MEMORY_MIB, direct=False)


def chosen_by(line: list[str], log: Path) -> tuple[str, int]:
    """The slot that runs on the machine that `line` starts, and how often it was switched on. Raises: NotSeen."""
    found, powers_on = seen_by(line, log, CHOSEN)
    return found[1] or NONE, powers_on

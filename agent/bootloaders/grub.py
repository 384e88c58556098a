"""GRUB: what it must remember is kept in its environment block, a file of 1024 bytes that GRUB reads and writes, too.

The variables are those that RAUC uses with GRUB, in the same sense: `ORDER` ("A B", the first is preferred), `A_OK` and
`B_OK` (1: may be booted), `A_TRY` and `B_TRY` (boots since the slot was last found good); and `otabridge_trial`, a, b
or nothing. `grub/grub.cfg` reads them.

We write another file beside the block, sync it and give it the block's name: GRUB finds the old block or the new one.
(grub-editenv empties the block before it writes it; a power cut between leaves none.) GRUB itself writes into the
sectors of the file where they are, which no journal protects.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from agent.bootloaders.grubenv import Block, parse, render
from agent.bootloaders.partitions import Partitions
from agent.bootloaders.verbs import Verbs
from agent.disk import Disk
from agent.slots import BootEnvironmentError, Slot

ORDER, TRIAL = "ORDER", "otabridge_trial"
MAX_TRIES = 99


@dataclass(frozen=True, slots=True)
class Environment:
    """Our part of the block. `order`: the preferred slot; `ok`: those that may be booted; `tries` by slot."""

    order: Slot
    ok: frozenset[Slot]
    tries: tuple[int, int]
    on_trial: Slot | None = None

    @property
    def trial(self) -> Slot | None:
        """The slot on trial; a slot that may not be booted is not."""
        return self.on_trial if self.on_trial in self.ok else None

    @property
    def default(self) -> Slot:
        """The first slot in the order that may be booted and is not on trial."""
        settled = [slot for slot in (self.order, self.order.other) if slot is not self.trial]
        return next((slot for slot in settled if slot in self.ok), settled[0])

    def count(self, slot: Slot) -> int:
        """Boots of `slot` since it was last found good."""
        return self.tries[slot is Slot.B]

    def with_count(self, slot: Slot, count: int) -> Environment:
        """So many boots of `slot`."""
        return replace(self, tries=(count, self.tries[1]) if slot is Slot.A else (self.tries[0], count))

    def trying(self, slot: Slot) -> Environment:
        """`slot` is on trial from the next boot on."""
        return replace(self, order=slot, ok=self.ok | {slot}, on_trial=slot).with_count(slot, 0)

    def without(self, slot: Slot) -> Environment:
        """`slot`, which is not the default, is not to be booted."""
        on_trial = None if self.on_trial is slot else self.on_trial
        return replace(self, order=slot.other, ok=self.ok - {slot}, on_trial=on_trial).with_count(slot, 0)

    def committed(self, slot: Slot) -> Environment:
        """`slot` is the default, and no trial is on."""
        return replace(self, order=slot, ok=self.ok | {slot}, on_trial=None).with_count(slot, 0)

    def refilled(self, running: Slot) -> Environment:
        """The default slot is found good when it is what runs."""
        return self.with_count(running, 0) if self.trial is None and running is self.default else self

    def excused(self, running: Slot) -> Environment:
        """One boot of `running` less, where it is the slot that was meant to run."""
        meant = self.trial or self.default
        return self.with_count(running, max(self.count(running) - 1, 0)) if running is meant else self


def environment_in(block: Block) -> Environment:
    """Our part of `block`. Raises: ValueError that names the variable."""
    variables = block.variables
    order = variables.get(ORDER, "")
    if order not in ("A B", "B A"):
        raise ValueError(f"{ORDER} is {order!r}, and neither 'A B' nor 'B A'")
    on_trial = variables.get(TRIAL, "")
    if on_trial not in ("", *Slot):
        raise ValueError(f"{TRIAL} is {on_trial!r}, and not a or b")
    return Environment(
        order=Slot(order[0].lower()),
        ok=frozenset(slot for slot in Slot if variables.get(_ok(slot)) == "1"),
        tries=(_tries(variables, Slot.A), _tries(variables, Slot.B)),
        on_trial=Slot(on_trial) if on_trial else None,
    )


def variables_of(environment: Environment) -> dict[str, str]:
    """What to set in the block."""
    first, second = environment.order, environment.order.other
    return {
        ORDER: f"{first.upper()} {second.upper()}",
        **{_ok(slot): str(int(slot in environment.ok)) for slot in Slot},
        **{_try(slot): str(environment.count(slot)) for slot in Slot},
        TRIAL: environment.on_trial or "",
    }


def _ok(slot: Slot) -> str:
    return f"{slot.upper()}_OK"


def _try(slot: Slot) -> str:
    return f"{slot.upper()}_TRY"


def _tries(variables: dict[str, str], slot: Slot) -> int:
    text = variables.get(_try(slot), "") or "0"
    if not text.isdecimal() or int(text[:9]) > MAX_TRIES:
        raise ValueError(f"{_try(slot)} is {text!r}, and not a number up to {MAX_TRIES}")
    return int(text)


class Grub(Verbs[Environment]):
    """agent.slots.BootLoader over the environment block at `path`."""

    def __init__(self, partitions: Partitions, path: Path, disk: Disk) -> None:
        self._partitions = partitions
        self._path = path
        self._disk = disk

    def booted(self) -> Slot:
        """See BootLoader."""
        return self._partitions.booted()

    def device(self, slot: Slot) -> Path:
        """See BootLoader."""
        return self._partitions.device(slot)

    def _read(self) -> Environment:
        try:
            return environment_in(self._block())
        except ValueError as error:
            raise BootEnvironmentError(f"GRUB's environment {self._path} cannot be used: {error}") from error

    def _block(self) -> Block:
        try:
            data = self._disk.read(self._path)
        except OSError as error:
            raise BootEnvironmentError(
                f"GRUB's environment {self._path} cannot be read: {error.strerror or error}"
            ) from error
        if data is None:
            raise BootEnvironmentError(
                f"GRUB's environment {self._path} is not there; make it with `grub-editenv {self._path} create`, and "
                f"set ORDER and A_OK"
            )
        return parse(data)

    def _write(self, environment: Environment) -> None:
        try:
            self._disk.replace(self._path, render(self._block().with_variables(variables_of(environment))))
        except ValueError as error:
            raise BootEnvironmentError(f"GRUB's environment {self._path} cannot be written: {error}") from error
        except OSError as error:
            raise BootEnvironmentError(
                f"GRUB's environment {self._path} cannot be written: {error.strerror or error}"
            ) from error

"""What the boot script does, once more in Python: to judge thousands of states in the time of one real boot.

That it is right is shown by the real one: `replay` has U-Boot decide over every environment that it met.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from agent.slots import Slot
from tests.boot.environment import HALF, HEAD, sound

LIMIT = 3


@dataclass(frozen=True, slots=True)
class Remembered:
    """What the script takes from the environment."""

    default: Slot
    trial: Slot | None = None
    unbootable: Slot | None = None
    counted: bool = False
    count: int = 0
    limit: int = LIMIT

    def given_up(self) -> Remembered:
        """The slot on trial is left; without a trial the default changes, where the other slot is whole."""
        if self.trial is not None:
            return replace(self, unbootable=self.trial, trial=None, counted=False, count=0)
        other = self.default.other
        return replace(self, default=self.default if self.unbootable is other else other, count=1)

    def counting(self) -> Remembered:
        """One boot more, where boots are counted."""
        if not self.counted:
            return self
        more = replace(self, count=self.count + 1)
        return more.given_up() if more.count > self.limit else more


@dataclass(frozen=True, slots=True)
class Decision:
    """The slot that was started, None where there was none, and what is remembered from then on."""

    slot: Slot | None
    after: Remembered


def read(first: bytes, second: bytes) -> Remembered:
    """What two copies of the environment say; where neither is sound, slot a comes first and boots are counted."""
    whole = [copy for copy in (first, second) if sound(copy)]
    if not whole:
        return Remembered(Slot.A, counted=True)
    return _understood(_variables(whole[1] if len(whole) > 1 and _is_newer(second, first) else whole[0]))


def decide(remembered: Remembered, can_start: Callable[[Slot], bool]) -> Decision:
    """A power-on: `can_start` says whether a slot's kernel can be loaded and entered."""
    state = remembered.counting()
    chosen = state.trial or state.default
    if can_start(chosen):
        return Decision(chosen, state)
    if state.trial is not None:
        state = state.given_up()
    order = (state.default, state.default.other)
    tried = (slot for slot in order if slot is not state.unbootable and can_start(slot))
    return Decision(next(tried, None), state)


def _is_newer(copy: bytes, other: bytes) -> bool:
    ahead: int = (HEAD.unpack_from(copy)[1] - HEAD.unpack_from(other)[1]) % 256
    return 0 < ahead < HALF


def _variables(copy: bytes) -> dict[str, str]:
    lines = copy[HEAD.size :].partition(b"\0\0")[0].split(b"\0")
    return {name: value for name, _, value in (line.decode("latin-1").partition("=") for line in lines)}


def _understood(variables: Mapping[str, str]) -> Remembered:
    slots = {slot.value: slot for slot in Slot}
    default = slots.get(variables.get("otabridge_default", ""))
    if default is None:
        return Remembered(Slot.A, counted=True)
    counted = variables.get("upgrade_available") == "1"
    trial = slots.get(variables.get("otabridge_trial", ""))
    return Remembered(
        default,
        trial if counted and trial is default.other else None,
        slots.get(variables.get("otabridge_unbootable", "")),
        counted,
        int(variables.get("bootcount") or "0", 16),
        int(variables.get("bootlimit") or f"{LIMIT:x}", 16),
    )

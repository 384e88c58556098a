"""One attack, as a row of a table; `tests.agent.attacks.scene` plays it against a whole device."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from agent.slots import Slot
from bridge.release.errors import FailureCode
from bridge.release.report import Outcome

if TYPE_CHECKING:
    from tests.agent.attacks.scene import Scene


class Door(StrEnum):
    """Through what the attacker reaches the device."""

    RELEASE = "release.json"
    ROOTS = "roots of an offer"
    CLOCK = "time"
    URL = "URL of an artifact"
    CONTENT = "bytes behind a URL"
    STEPS = "steps of a release"
    AWS = "job of AWS IoT"
    AZURE = "update of Azure Device Update"


@dataclass(frozen=True, slots=True)
class Attack:
    """`strike` does what `does` says: it prepares the scene, and hands the device an offer.

    The device reports `outcome` with `code`, and `says` is in its message. `slot` runs then, with release `runs`.
    Unless `writes`, not one byte of the other slot was changed. An attack that has no code is of no effect, or is one
    that nothing on a device can tell from honest work; `so` says which, and what bounds it.
    """

    name: str
    does: str
    door: Door
    strike: Callable[[Scene], None]
    code: FailureCode | None
    says: str = ""
    outcome: Outcome = Outcome.REJECTED
    slot: Slot = Slot.A
    runs: str = "1.0.0"
    writes: bool = False
    so: str = ""

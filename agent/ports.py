"""PORTS: what the engine needs of its surroundings, and the few values it exchanges with whoever runs it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Protocol

from agent.cloud.channel import Offer
from agent.disk import Disk
from agent.handling import Handler
from agent.permit.permission import ALWAYS_ALLOWED, Moment, Permission
from agent.slots import BootLoader, Slot
from agent.update.record import Boots, Failure, Reset, Waiting
from bridge.release.manifest import Artifact
from bridge.release.report import Report


class Download(Protocol):
    """How an artifact gets here."""

    def stream(self, offer: Offer, artifact: Artifact, offset: int, renew: Callable[[], Offer]) -> Iterator[bytes]:
        """The bytes of `artifact` from byte `offset` to its end, over dropped links and expired URLs.

        `renew` gives the same offer with fresh URLs.

        Raises:
            DownloadError: it gave up.
            OfferWithdrawn, ChannelError: `renew` raised it.
        """


class Health(Protocol):
    """How a trial boot is proved."""

    def prove(self, names: Sequence[str]) -> str | None:
        """Run the checks `names` (empty: all); None when healthy, else what failed, for people."""


def unmetered() -> bool:
    """A link that costs nothing by the byte."""
    return False


def at_once(offer: Offer) -> None:
    """There is nobody to share a store with."""


def unmistakable(target: Path, running: Path) -> None:
    """A board whose slots can be nothing else, as one in memory."""


def believed(release: bytes, roots: Sequence[bytes]) -> None:
    """Nobody but the engine judges what is written."""


def uncrashed() -> tuple[str, ...]:
    """A kernel that keeps no records of its crashes."""
    return ()


class Guard(Protocol):
    """What restarts the machine when a trial boot hangs, or proves nothing in time."""

    def arm(self) -> None:
        """A trial runs: from now on the agent has to show that it works. Idempotent; raises nothing."""

    def release(self) -> None:
        """What runs is good: the trial is over, also one for which an agent before this one had armed it. Idempotent;
        raises nothing."""


class Unguarded:
    """The Guard of a machine that is left to the boot loader, or to whoever else watches it."""

    def arm(self) -> None:
        """See Guard."""

    def release(self) -> None:
        """See Guard."""


class Board(Protocol):
    """The machine that the agent runs on."""

    def boot_id(self) -> str:
        """A name of this boot; differs after every restart of the machine. Raises: SlotError."""

    def caused_by_watchdog(self) -> bool:
        """Whether a hardware watchdog caused this boot, as far as the machine can tell."""

    def reboot(self) -> None:
        """Ask for a restart. May return before the machine goes down, or never. Raises: SlotError."""


@dataclass(frozen=True, slots=True)
class Identity:
    """What a device is from birth. `root` is the pinned root; `version` what ran before the first release, if known."""

    model: str
    hardware: str
    root: bytes
    version: str | None = None


@dataclass(frozen=True, slots=True)
class Ports:
    """The engine's surroundings. `clock` gives the time of day, UTC, aware; `ticks` seconds that never go back;
    `metered` whether each byte over the link as it is now costs money; `permission` who may be in the way."""

    disk: Disk
    boots: BootLoader
    download: Download
    health: Health
    board: Board
    clock: Callable[[], datetime]
    ticks: Callable[[], float] = time.monotonic
    metered: Callable[[], bool] = unmetered
    await_turn: Callable[[Offer], None] = at_once
    """Returns when this device may begin to fetch an offer's artifacts."""
    require_fit: Callable[[Path, Path], None] = unmistakable
    """Whether the slot at the first path may be written while that at the second runs. Raises: SlotError."""
    introduce: Callable[[bytes, Sequence[bytes]], None] = believed
    """Show an accepted release.json, and the roots after the pinned one, to whoever writes the slots and judges for
    himself. Raises: ReleaseError: refused; SlotError."""
    permission: Permission = ALWAYS_ALLOWED
    guard: Guard = field(default_factory=Unguarded)
    crashes: Callable[[], tuple[str, ...]] = uncrashed
    """Marks of the records of panics that the kernel has left; see `agent.proof.crashes`."""
    handlers: Mapping[str, Handler] = field(default_factory=dict)
    """Who installs steps of a release that are not the agent's own image, by the names that releases call them."""


@dataclass(frozen=True, slots=True)
class Idle:
    """Nothing to do before the next offer. An update that an outage interrupted, or that was postponed, waits for its
    offer, too."""


@dataclass(frozen=True, slots=True)
class Suspended:
    """The cloud could not be asked in the middle of it; hand the same offer over later. `reason` is for people."""

    reason: str


@dataclass(frozen=True, slots=True)
class Postponed:
    """Somebody on the device wants it later; hand the same offer over after `seconds`. `reason` is for people."""

    moment: Moment
    reason: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Rebooting:
    """A restart of the machine was asked for; after it, or when it does not come, call `Engine.resume`."""


@dataclass(frozen=True, slots=True)
class Concluded:
    """An update ended. Not `delivered`: the report stays in the journal and the next `Engine.resume` tries again."""

    report: Report
    delivered: bool


Halt = Idle | Suspended | Postponed | Rebooting | Concluded
"""Why the engine handed back control."""


@dataclass(frozen=True, slots=True)
class SlotStatus:
    """What a slot is known to hold; "" and 0 when unknown. `committed` is true once a trial boot of it was proved;
    `boots` counts those of what it holds, and what ended them."""

    slot: Slot
    release: str = ""
    version: str = ""
    sequence: int = 0
    sha256: str = ""
    committed: bool = False
    boots: Boots = field(default_factory=Boots)


@dataclass(frozen=True, slots=True)
class Status:
    """The truth about a device from its three sources: the slot that runs, the boot loader, the journal.

    `expected` is the slot that the agent last committed (None before it ever saw one); it differs from `booted` during
    a trial, and after the boot loader fell back. `state` is a name of `agent.update.machine.State`, `offer` the update
    that is under way ("" when none), `unsent` counts ends that the cloud has not heard of, `trouble` says why the
    journal could not be read ("" when it could), `reset` what caused this boot, `failures` which releases fell back
    here, and `quarantined` which of them are refused; `waiting` is what the update was postponed for, `digest` the
    sha256 of its release.json.
    """

    booted: Slot
    default: Slot
    trial: Slot | None
    expected: Slot | None
    slots: tuple[SlotStatus, SlotStatus]
    version: str
    state: str
    offer: str
    floor: int
    root_version: int
    fallbacks: int
    last: Report | None
    unsent: int = 0
    trouble: str = ""
    waiting: Waiting | None = None
    reset: Reset = Reset.RESTART
    failures: tuple[Failure, ...] = ()
    quarantined: tuple[Failure, ...] = ()
    digest: str = ""

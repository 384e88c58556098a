"""What a state case is made of: plain values, and small functions that bring a simulated device into a situation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from agent.cloud.channel import Offer
from agent.slots import Slot
from bridge.release.errors import FailureCode
from bridge.release.report import Outcome
from tests.agent.cases.chain import Chain, Start, starts
from tests.agent.cases.stage import StagedDevice

EVERY = 0
"""At every time that the moment comes."""


@dataclass(frozen=True, slots=True)
class Fault:
    """`strike` happens to the device when `moment` comes for the `time`-th time since the offer was made.

    A moment is "before STATE" (journalled, nothing of its work done), "after STATE" (its work done, and that not
    journalled), "start" and "boot" (of agent and machine), "reboot" (the agent asks for a restart), "error" (the agent
    ended by an error), "wait" (the cloud could not be asked), "offer" (before anything), or a call of the kernel.
    """

    words: str
    strike: Callable[[StagedDevice], None]
    moment: str = "offer"
    time: int = 1


@dataclass(frozen=True, slots=True)
class Prepared:
    """A device before the offer. `label` and `words` are for people."""

    label: str
    words: str
    build: Callable[[], StagedDevice]


@dataclass(frozen=True, slots=True)
class Offered:
    """What the cloud offers: `make` puts it onto the device's cloud."""

    words: str
    make: Callable[[StagedDevice], Offer]


@dataclass(frozen=True, slots=True)
class Told:
    """What the cloud hears of one offer at its end; `words` are part of the detail."""

    outcome: Outcome
    slot: str
    version: str
    code: FailureCode | None = None
    fallbacks: int = 0
    offer: str = "job-1"
    words: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Case:
    """One row of the table. `silent` counts starts of the machine in which no agent came up.

    `stuck` says why the agent cannot come to an end, `forgotten` why an offer that is repeated is not answered as it
    was, `blank` why a slot without an image may count as bootable; "" for nearly every case. `beside` is the version
    that a release without a step of the slot leaves running, `kept` are parts that are not of the version that runs.
    """

    name: str
    prepared: Prepared
    offered: tuple[Offered, ...]
    faults: tuple[Fault, ...]
    chain: Chain
    reports: tuple[Told, ...]
    slot: Slot
    silent: int = 0
    stuck: str = ""
    forgotten: str = ""
    blank: str = ""
    beside: str = ""
    kept: tuple[tuple[str, str], ...] = ()

    @property
    def restarts(self) -> int:
        """Starts of the machine after the offer."""
        return starts(self.chain, Start.MACHINE) + self.silent


@dataclass(frozen=True, slots=True)
class Group:
    """Cases of one subject. `words` give the rule from which their expectations follow."""

    title: str
    words: str
    cases: tuple[Case, ...]


def installed(slot: str, version: str, *, offer: str = "job-1", fallbacks: int = 0, words: str = "") -> Told:
    """The release runs, proved and committed."""
    return Told(Outcome.INSTALLED, slot, version, None, fallbacks, offer, words)


def rejected(
    code: FailureCode, slot: str, version: str, *, offer: str = "job-1", fallbacks: int = 0, words: str = ""
) -> Told:
    """The release is not for this device."""
    return Told(Outcome.REJECTED, slot, version, code, fallbacks, offer, words)


def failed(
    code: FailureCode, slot: str, version: str, *, offer: str = "job-1", fallbacks: int = 0, words: str = ""
) -> Told:
    """It could not be brought here; the slot that ran runs."""
    return Told(Outcome.FAILED, slot, version, code, fallbacks, offer, words)


def fell_back(
    code: FailureCode, slot: str, version: str, *, offer: str = "job-1", fallbacks: int = 1, words: str = ""
) -> Told:
    """It was tried; the slot that ran before runs again."""
    return Told(Outcome.FELL_BACK, slot, version, code, fallbacks, offer, words)

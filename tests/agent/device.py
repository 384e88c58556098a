"""A device in memory: firmware, boot environment, engine and journal are the real ones; kernel, cloud and link are not.

device = SimulatedDevice.built()
report = device.run(device.offer(package))
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from pathlib import Path
from random import Random

import msgspec

from agent.bootloaders.file import FileBootLoader, boot, create, image_path
from agent.cloud.channel import Offer, OfferWithdrawn
from agent.disk import SystemDisk
from agent.image.installation import in_turn
from agent.permit.permission import ALWAYS_ALLOWED, Permission
from agent.ports import Concluded, Guard, Halt, Identity, Idle, Ports, Postponed, Rebooting, Suspended, Unguarded
from agent.slots import Slot
from agent.update.context import Limits
from agent.update.engine import Engine
from agent.update.journal import Journal
from agent.update.record import Record
from bridge.release.errors import ChannelError
from bridge.release.manifest import Artifact
from bridge.release.report import Outcome, Progress, Report
from bridge.release.state import DeviceState
from tests.agent.power import SimulatedKernel
from tests.agent.stepping import KINDS, PARTS, SCRIPT, ScriptedHandler, part, stepped
from tests.releases import FULL_NAME, HARDWARE, MODEL, NOW, Package, ReleaseKit, sha256

FOLDER = Path("/board")
JOURNAL = Path("/state/journal")
JOURNAL_COPIES = (Path("/state/journal.0"), Path("/state/journal.1"))
SLOT_BYTES = 128 * 1024
IMAGE_BYTES = 96 * 1024
CHECKPOINT_BYTES = 32 * 1024
CHUNK_BYTES = 10_000
"""Bytes of artifact handed over at once; a divisor of nothing, so that chunks and frames never agree."""
MAX_STARTS = 60
"""A device that has not come to an end after so many starts never will."""


@cache
def kit() -> ReleaseKit:
    """The owner whose releases the device trusts: one key a role, which keeps the sweep fast."""
    return ReleaseKit(root_keys=(1, 1), release_keys=(1, 1))


@cache
def image(seed: int, length: int = IMAGE_BYTES) -> bytes:
    """Bytes that do not compress and differ from those of every other `seed`."""
    return Random(seed).randbytes(length)


@cache
def revised(seed: int, source: int) -> bytes:
    """Image `source` with changes of its own: some bytes, blocks that moved, zeros where there were none, a new end."""
    changed, chance = bytearray(image(source)), Random(seed)
    for at in range(0, IMAGE_BYTES - 16_000, 24_000):
        changed[at : at + 3_000] = chance.randbytes(3_000)
    changed[16_384:28_672] = bytes(12_288)
    changed[-6_000:] = chance.randbytes(6_000)
    return bytes(changed)


@cache
def package(sequence: int, **changes) -> Package:
    """Release `sequence`.0.0 with its own image, signed by the owner."""
    return kit().package(image(sequence), version=f"{sequence}.0.0", sequence=sequence, **changes)


@cache
def delta_package(sequence: int, source: int, **changes) -> Package:
    """Release `sequence`.0.0 of an image much like image `source`, whole and as a delta from that one."""
    new, old = revised(sequence, source), image(source)
    return kit().package(new, sources=(old,), version=f"{sequence}.0.0", sequence=sequence, **changes)


@cache
def stepped_package(sequence: int, kind: str, **changes) -> Package:
    """Release `sequence`.0.0 of the steps KINDS[kind], signed; a step of the slot makes image `sequence`."""
    return stepped(kit(), image(sequence), KINDS[kind], f"{sequence}.0.0", sequence, **changes)


def _version_of(name: str, data: bytes) -> str:
    version = data.partition(b"\n")[0].decode(errors="replace").removeprefix(f"{name} ")
    return version if data == part(name, version) else f"damaged: {data[:20]!r}"


def flipped(data: bytes, at: int) -> bytes:
    """`data` with one bit at `at` the other way."""
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def damaged(packed: Package) -> Package:
    """`packed` as its owner signed it, with a delta that turns out to be damaged near its end."""
    data = flipped(packed.files[packed.delta.name], packed.delta.length - 300)
    made = [
        (packed.artifact, packed.files[FULL_NAME]),
        (msgspec.structs.replace(packed.delta, sha256=sha256(data)), data),
    ]
    release = packed.release
    return kit().bundle(packed.image, made, version=release.version, sequence=release.sequence)


def installed(slot: str, version: str, **fields) -> Report:
    """The report of a release that came whole."""
    return Report(Outcome.INSTALLED, slot, version, **{"artifact": FULL_NAME, **fields})


@dataclass
class SimulatedCloud:
    """agent.cloud.channel.Channel with one offer, handed out until it has ended.

    `withdraw_at` withdraws it at that progress message; `refusals` are raised by the next calls of `conclude`.
    """

    offer: Offer | None = None
    seen: list[Progress] = field(default_factory=list)
    reports: list[tuple[str, Report]] = field(default_factory=list)
    refusals: list[ChannelError] = field(default_factory=list)
    states: list[DeviceState] = field(default_factory=list)
    withdraw_at: str = ""
    renewals: int = 0
    silent: bool = False
    """Whether it is asked in vain when a trial boot has to reach it."""

    def next_offer(self, timeout: float = 0) -> Offer | None:  # noqa: ARG002 - the port's signature
        """See Channel."""
        return self.offer

    def reach(self, timeout: float = 0) -> None:  # noqa: ARG002 - the port's signature
        """See Channel."""
        if self.silent:
            raise ChannelError("no route to the broker")

    def renew(self, offer_id: str) -> Offer:
        """See Channel."""
        self.renewals += 1
        if self.offer is None:
            raise OfferWithdrawn("the job was deleted")
        assert self.offer.id == offer_id
        return self.offer

    def progress(self, offer_id: str, progress: Progress) -> None:  # noqa: ARG002 - the port's signature
        """See Channel."""
        self.seen.append(progress)
        if progress.phase == self.withdraw_at:
            self.offer = None
            raise OfferWithdrawn("the job was cancelled")

    def conclude(self, offer_id: str, report: Report) -> None:
        """See Channel."""
        if self.refusals:
            raise self.refusals.pop(0)
        self.reports.append((offer_id, report))
        if self.offer is not None and self.offer.id == offer_id:
            self.offer = None

    def state(self, state: DeviceState) -> None:
        """See Channel."""
        self.states.append(state)

    def close(self) -> None:
        """See Channel."""


@dataclass
class SimulatedLink:
    """agent.ports.Download: serves `files`; raises `faults` one by one, each after `fault_after` bytes of a stream, of
    the artifacts in `fault_names` (empty: any). `names` and `offsets` tell of the streams asked for.

    With `urls_expire`, each stream asks once for fresh URLs on its way.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    faults: list[Exception] = field(default_factory=list)
    fault_after: int = 25_000
    chunk_bytes: int = CHUNK_BYTES
    fault_names: set[str] = field(default_factory=set)
    urls_expire: bool = False
    names: list[str] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)
    served: int = 0

    def stream(
        self,
        offer: Offer,
        artifact: Artifact,
        offset: int,
        renew: Callable[[], Offer],
    ) -> Iterator[bytes]:
        """See Download."""
        self.names.append(artifact.name)
        self.offsets.append(offset)
        faults = self.faults if artifact.name in (self.fault_names or {artifact.name}) else []
        data = self.files[artifact.sha256]
        for start in range(offset, len(data), self.chunk_bytes):
            if faults and start - offset >= self.fault_after:
                raise faults.pop(0)
            if self.urls_expire and start - offset == 2 * self.chunk_bytes:
                assert renew().urls == offer.urls
            chunk = data[start : start + self.chunk_bytes]
            self.served += len(chunk)
            yield chunk


@dataclass
class SimulatedHealth:
    """agent.ports.Health: the next verdict, the last one for ever; counts nothing but what was asked."""

    verdicts: list[str | None] = field(default_factory=lambda: [None])
    asked: list[tuple[str, ...]] = field(default_factory=list)

    def prove(self, names: Sequence[str]) -> str | None:
        """See Health."""
        self.asked.append(tuple(names))
        return self.verdicts.pop(0) if len(self.verdicts) > 1 else self.verdicts[0]


@dataclass
class SimulatedDevice:
    """A board with two slots. Slot a holds image 1; `dead` slots hang in a trial boot until the watchdog bites."""

    kernel: SimulatedKernel = field(default_factory=SimulatedKernel)
    cloud: SimulatedCloud = field(default_factory=SimulatedCloud)
    link: SimulatedLink = field(default_factory=SimulatedLink)
    health: SimulatedHealth = field(default_factory=SimulatedHealth)
    limits: Limits = field(default_factory=lambda: Limits(CHECKPOINT_BYTES, strikes=8, install=in_turn))
    now: datetime = NOW
    pinned: bytes = field(default_factory=lambda: kit().pinned)
    version: str | None = "1.0.0"
    metered: bool = False
    permission: Permission = ALWAYS_ALLOWED
    guards: Callable[[], Guard] = Unguarded
    """What guards a trial boot, made anew with each agent process."""
    crashes: tuple[str, ...] = ()
    """The kernel's records of panics."""
    ticks: Callable[[], float] = lambda: 0.0
    dead: set[Slot] = field(default_factory=set)
    restarts: bool = True
    bitten: bool = False
    """Whether a watchdog caused the boot that runs."""
    booted: Slot = Slot.A
    reboots: int = 0
    started: int = 0
    handlers: tuple[str, ...] = (SCRIPT,)
    """Names under which a scripted handler is there."""
    broken: dict[str, int] = field(default_factory=dict)
    unfit: dict[str, str] = field(default_factory=dict)
    spoils: bool = False
    """See ScriptedHandler."""
    make_disk: Callable[[SimulatedKernel], SystemDisk] = SystemDisk
    boots: FileBootLoader = field(init=False)
    engine: Engine = field(init=False)

    @classmethod
    def built(cls, **fields) -> SimulatedDevice:
        """A device fresh from the factory, powered up."""
        device = cls(**fields)
        create(FOLDER, device.disk, SLOT_BYTES, [image(1)])
        device.kernel.settle()
        device.power_up()
        return device

    @property
    def disk(self) -> SystemDisk:
        """The real disk code over the simulated kernel."""
        return self.make_disk(self.kernel)

    def power_up(self) -> None:
        """Firmware, then agent."""
        chosen = self.firmware()
        while chosen in self.dead:
            chosen = self.firmware()
        self.booted = chosen
        self.start_agent()

    def firmware(self) -> Slot:
        """The boot loader chooses a slot, and remembers that it did."""
        return boot(FOLDER, self.disk).slot

    def loader(self) -> FileBootLoader:
        """The agent's way to the boot loader."""
        return FileBootLoader(FOLDER, self.disk)

    def start_agent(self) -> None:
        """A new agent process in the same boot."""
        self.started += 1
        assert self.started < MAX_STARTS, "the device goes round in circles"
        self.boots = self.loader()
        ports = Ports(
            self.disk,
            self.boots,
            self.link,
            self.health,
            self,
            self._clock,
            ticks=self.ticks,
            metered=self._metered,
            permission=self.permission,
            guard=self.guards(),
            crashes=self._crashes,
            handlers=dict.fromkeys(self.handlers, self._handler()),
        )
        identity = Identity(MODEL, HARDWARE, self.pinned, self.version)
        self.engine = Engine(identity, ports, JOURNAL, self.limits)

    def _handler(self) -> ScriptedHandler:
        return ScriptedHandler(self.disk, self.kernel, self.broken, self.unfit, self.spoils)

    def fit_parts(self, *names: str, version: str = "1.0.0") -> None:
        """The parts of release `version`, as the factory puts them there."""
        for name in names:
            self.disk.replace(PARTS / name, part(name, version))

    def parts(self) -> dict[str, str]:
        """The version of each part; what it holds instead where that is none of any release."""
        found = {path.name: data for path, data in self.kernel.files().items() if path.parent == PARTS}
        return {name: _version_of(name, data) for name, data in found.items() if not name.endswith(".new")}

    def _clock(self) -> datetime:
        return self.now

    def _crashes(self) -> tuple[str, ...]:
        return self.crashes

    def _metered(self) -> bool:
        return self.metered

    def boot_id(self) -> str:
        """See Board."""
        return self.boots.boot_id()

    def caused_by_watchdog(self) -> bool:
        """See Board."""
        return self.bitten

    def reboot(self) -> None:
        """See Board. The machine goes down when the engine is done, unless `restarts` is off."""
        self.reboots += 1
        self.kernel.moment("reboot")

    def offer(self, packed: Package, name: str = "job-1", roots: tuple[bytes, ...] = ()) -> Offer:
        """Put `packed` where the link finds it and the cloud offers it."""
        for artifact in packed.release.artifacts:
            self.link.files[artifact.sha256] = packed.files[artifact.name]
        urls = {artifact.name: f"https://store.example/{artifact.name}" for artifact in packed.release.artifacts}
        self.cloud.offer = Offer(name, packed.document, roots, urls)
        return self.cloud.offer

    def work(self) -> Halt:
        """What a run loop does until the engine wants something of it: a restart, or the end of an offer."""
        step = self.engine.resume(self.cloud)
        while step == Idle() and (offer := self.cloud.next_offer()) is not None:
            step = self.engine.install(self.cloud, offer)
        return step

    def run(self, offer: Offer | None = None) -> Report | None:
        """Work on `offer` over restarts to its end; None when it was withdrawn."""
        self.cloud.offer = offer or self.cloud.offer
        while True:
            match self.work():
                case Concluded(report, delivered=True):
                    return report
                case Idle():
                    return None
                case Rebooting() if self.restarts:
                    self.kernel.settle()
                    self.power_up()
                case Rebooting() | Suspended() | Postponed() | Concluded():
                    self.start_agent()

    def power_up_and_run(self) -> Report | None:
        """After a power cut: firmware, agent, and on with what the cloud offers."""
        self.power_up()
        return self.run()

    @property
    def record(self) -> Record:
        """What the journal on the medium holds."""
        journal = Journal(self.disk, JOURNAL)
        journal.load()
        return journal.record

    def spoil_journal(self) -> None:
        """Flip a bit in every copy of the journal."""
        for path in JOURNAL_COPIES:
            if self.disk.read(path) is not None:
                self.kernel.spoil(path, 120)

    def write_journal(self, data: bytes) -> None:
        """Put `data` in place of every copy of the journal."""
        for path in JOURNAL_COPIES:
            self.disk.replace(path, data)

    def running_image(self) -> bytes:
        """The first bytes of the slot that runs, as many as an image has."""
        return self.kernel.content(image_path(FOLDER, self.booted))[:IMAGE_BYTES]

"""A simulated device that can be struck at named moments, and that writes down which states its journal held."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random
from typing import Protocol

from agent.bootloaders.file import boot
from agent.cloud.channel import Offer, OfferWithdrawn
from agent.permit.permission import ALLOWED, Answer, Facts, Moment
from agent.ports import Concluded, Idle, Postponed, Rebooting, Suspended
from agent.update.journal import Journal
from agent.update.machine import TRANSITIONS, Event, State
from agent.update.record import Record
from bridge.release.errors import OtabridgeError, SlotError
from bridge.release.report import Progress, Report
from tests.agent.cases.chain import Change, Start
from tests.agent.device import FOLDER, SimulatedCloud, SimulatedDevice
from tests.agent.power import Inode, Loss, PowerCut, SimulatedKernel
from tests.releases import Package

MAX_ROUNDS = 60
"""Times that the agent is asked to go on; a case that has not ended by then never will."""
MAX_ERRORS = 4
"""Ends of the agent by an error, after which nobody looks any more."""


class Killed(BaseException):
    """The agent's process is gone; the machine runs on."""


class PowerCutOnLink(PowerCut):
    """The power goes in the middle of a download; all that was not synced is lost."""


class Strike(Protocol):
    """What is needed of tests.agent.cases.case.Fault."""

    moment: str
    time: int
    strike: Callable[[StagedDevice], None]


class StagedKernel(SimulatedKernel):
    """Tells `watch` of every moment, when that is past."""

    def __init__(self) -> None:
        super().__init__()
        self.watch: Callable[[str], None] = lambda _: None
        self._gone: dict[Path, Inode] = {}

    def moment(self, what: str) -> None:
        """See SimulatedKernel."""
        super().moment(what)
        self.watch(what)

    def lose_file(self, path: Path) -> None:
        """There is no such file any more."""
        self._gone[path] = self._names.pop(path)

    def restore_files(self) -> None:
        """Those that were lost are back."""
        self._names.update(self._gone)


@dataclass
class StagedCloud(SimulatedCloud):
    """Hands out one offer after the other; an offer in `gone` is withdrawn."""

    queue: list[Offer] = field(default_factory=list)
    gone: set[str] = field(default_factory=set)

    def next_offer(self, timeout: float = 0) -> Offer | None:
        """See Channel."""
        self.queue = [each for each in self.queue if each.id not in self.gone]
        if self.offer is not None and self.offer.id in self.gone:
            self.offer = None
        if self.offer is None and self.queue:
            self.offer = self.queue.pop(0)
        return super().next_offer(timeout)

    def renew(self, offer_id: str) -> Offer:
        """See Channel."""
        self._require(offer_id)
        return super().renew(offer_id)

    def progress(self, offer_id: str, progress: Progress) -> None:
        """See Channel."""
        self._require(offer_id)
        super().progress(offer_id, progress)

    def conclude(self, offer_id: str, report: Report) -> None:
        """See Channel."""
        self._require(offer_id)
        super().conclude(offer_id, report)

    def _require(self, offer_id: str) -> None:
        if offer_id in self.gone:
            raise OfferWithdrawn("the job was cancelled")


@dataclass
class StagedPermission:
    """Permission of agent.permit: at each moment the next answer, the last one for ever; yes where there is none."""

    answers: dict[Moment, list[Answer]] = field(default_factory=dict)

    def ask(self, moment: Moment, facts: Facts) -> Answer:  # noqa: ARG002 - the port's face
        """See Permission."""
        given = self.answers.get(moment, [ALLOWED])
        return given.pop(0) if len(given) > 1 else given[0]


@dataclass
class StagedDevice(SimulatedDevice):
    """`steps` is the chain since `begin`, `loss` what the next power cut takes, `refusals` restarts to be refused."""

    kernel: StagedKernel = field(default_factory=StagedKernel)
    cloud: StagedCloud = field(default_factory=StagedCloud)
    permission: StagedPermission = field(default_factory=StagedPermission)
    strikes: tuple[Strike, ...] = ()
    steps: list[Change | Start] = field(default_factory=list)
    moments: Counter[str] = field(default_factory=Counter)
    boots_made: int = 0
    loss: Loss = Loss.LOST
    refusals: int = 0
    chance: str = ""
    _event: Event | None = None
    _began: bool = False

    def begin(self, name: str, strikes: Sequence[Strike]) -> None:
        """From now on moments count, states are written down, and `strikes` happen."""
        self.strikes, self.chance, self._began = tuple(strikes), name, True
        self.started = self.boots_made = self.reboots = 0
        self.moments.clear()
        self.kernel.watch = self.happens
        self._watch(self.engine._journal)

    def happens(self, moment: str) -> None:
        """`moment` is here."""
        self.moments[moment] += 1
        for each in self.strikes:
            if each.moment == moment and each.time in (0, self.moments[moment]):
                each.strike(self)

    def power_up(self) -> None:
        """See SimulatedDevice."""
        self.happens("boot")
        chosen = self._boot()
        while chosen.slot in self.dead:
            chosen = self._boot()
        self.booted = chosen.slot
        self._start(Start.MACHINE)

    def start_agent(self) -> None:
        """See SimulatedDevice."""
        self._start(Start.PROCESS)

    def reboot(self) -> None:
        """See Board."""
        if self.refusals:
            self.refusals -= 1
            raise SlotError("systemctl is busy")
        super().reboot()

    def cut_power(self, loss: Loss) -> None:
        """The power goes now, and with it what `loss` takes. Raises: PowerCut."""
        self.loss = loss
        raise PowerCut

    def made(self, packed: Package, name: str) -> Offer:
        """An offer of `packed` that nobody makes yet."""
        current = self.cloud.offer
        offer, self.cloud.offer = self.offer(packed, name), current
        return offer

    def local_offer(self, packed: Package) -> Offer:
        """`packed` in a folder, as a person hands it over."""
        return self.made(packed, "folder:0123456789abcdef")

    def renew_engine(self) -> None:
        """The same process with other settings; nothing began anew."""
        SimulatedDevice.start_agent(self)
        self._watch(self.engine._journal)

    def live(self) -> None:
        """Run as under a service manager until nothing is left to do, or the agent ended by too many errors."""
        errors = 0
        for _ in range(MAX_ROUNDS):
            try:
                if self._live_on():
                    return
            except Killed:
                self.start_agent()
            except PowerCut:
                self._recover()
            except (OtabridgeError, OSError):
                errors, before = errors + 1, self.started
                self.happens("error")
                if errors == MAX_ERRORS:
                    return
                if self.started == before:
                    self.start_agent()
        raise AssertionError("the device goes round in circles")

    def _live_on(self) -> bool:
        """Whether nothing is left to do."""
        match self.work():
            case Idle():
                return True
            case Rebooting() if self.restarts:
                self.kernel.settle()
                self.power_up()
            case Rebooting():
                self.start_agent()
            case Suspended() | Postponed() | Concluded(delivered=False):
                self.happens("wait")
        return False

    def _recover(self) -> None:
        """The power is back; it may go again at once."""
        while True:
            self.kernel.cut_at = None
            self.kernel.lose(self.loss, Random(self.chance))
            try:
                return self.power_up()
            except PowerCut:
                continue

    def _boot(self):
        self.boots_made += 1
        return boot(FOLDER, self.disk)

    def _start(self, kind: Start) -> None:
        super().start_agent()
        if not self._began:
            return
        state = self.engine._journal.record.state
        if self._event is not None and TRANSITIONS.get((self._last_state, self._event)) is state:
            self.steps.append(Change(state, self._event))  # it was made durable, and the power cut before anyone knew
        self._event = None
        self.steps.append(kind)
        self._watch(self.engine._journal)
        self.happens("start")

    @property
    def _last_state(self) -> State:
        states = [step.state for step in self.steps if isinstance(step, Change)]
        return states[-1] if states else State.IDLE

    def _found(self, state: State) -> None:
        """The agent goes on from `state`, which need not be the one that was journalled last."""
        if state is not self._last_state:
            self.steps.append(Change(state))

    def _goes_on(self, before: Record, record: Record) -> bool:
        """Whether a state begins once more after a start of the agent, which is not given up yet."""
        strikes = 0 if record.update is None else record.update.strikes
        return before.update is not None and before.update.strikes < strikes <= self.limits.strikes

    def _watch(self, journal: Journal) -> None:
        """Write down what becomes durable, and let what is to happen between two states happen."""
        journal.move = partial(self._move, journal, journal.move)
        journal.keep = partial(self._keep, journal, journal.keep)

    def _move(self, journal: Journal, move: Callable[[Event, Record], None], event: Event, record: Record) -> None:
        self._found(journal.record.state)
        if event is not Event.GIVEN_UP:
            self.happens(f"after {journal.record.state}")
        self._event = event
        try:
            move(event, record)
        except Exception:
            self._event = None
            raise

    def _keep(self, journal: Journal, keep: Callable[[Record], None], record: Record) -> None:
        before = journal.record
        keep(record)
        event, self._event = self._event, None
        if event is not None:
            self.steps.append(Change(record.state, event))
        self._found(record.state)
        if event is not None or record.state is not before.state or self._goes_on(before, record):
            self.happens(f"before {record.state}")

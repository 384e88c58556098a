"""What the slot writer believes, and on whose word: nobody's but the owner's.

It is kept in a journal of the writer's own, in a folder that only the writer may use, in the format of the agent's
journal and judged by the agent's own rules: `roots`, `floor` and `seen` as there; `a` and `b` are what the writer has
verified in each slot, and `update` is the release that was introduced to be written next.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from datetime import datetime

import msgspec

from agent.ports import Identity
from agent.slots import BootEnvironmentError, Slot
from agent.update.journal import Journal, JournalError, NewerJournal
from agent.update.judgement import no_earlier, plan_for, raised_floor, remembered_trust
from agent.update.record import Holding, Record, Update
from bridge.release.errors import RolledBackRelease
from bridge.release.manifest import Compatibility, Release, Versions
from bridge.release.trust import Facts, check_facts, judge

logger = logging.getLogger(__name__)


class Memory:
    """The writer's record. Every method makes durable what it learns; all raise JournalError when that fails, and what
    `changing` raises, which is called before each change."""

    def __init__(
        self, identity: Identity, journal: Journal, clock: Callable[[], datetime], changing: Callable[[], None]
    ) -> None:
        """`clock` gives the time of day, UTC, aware. Call `load`."""
        self._identity = identity
        self._journal = journal
        self._clock = clock
        self._changing = changing

    def load(self, booted: Slot) -> None:
        """Remember; at the very first start, `booted` is the slot that the factory filled."""
        try:
            self._journal.load()
        except JournalError as error:
            self._set_aside(error)
        if self._record.expected is None:
            original = Holding(version=self._identity.version or "", committed=True)
            self._journal.keep(msgspec.structs.replace(self._record, expected=booted).with_holding(booted, original))

    def follow(self, root: bytes) -> None:
        """Take the next root; what was introduced under the one before has to be introduced again.

        Raises: UntrustedRoot.
        """
        trust = remembered_trust(self._identity.root, self._record.roots)
        trust.advance(root)
        roots = tuple(trust.chain[1:])
        if roots != self._record.roots:
            self._keep(msgspec.structs.replace(self._record, roots=roots, update=None))

    def introduce(self, document: bytes, running: Slot) -> None:
        """Take the release in `document` for what is to be written next, into the slot that is not `running`; nothing
        is to be written where no step of it is of the slot.

        Raises: ReleaseError: the owner did not sign it, it has expired, is for other devices or below the floor.
        """
        now = no_earlier(self._clock(), self._record)
        trust = remembered_trust(self._identity.root, self._record.roots)
        release = judge(trust, document, now).accepted()
        self._require_meant(release, running)
        plan = plan_for(release, self._record, running)
        update = None if plan.in_place else Update("", hashlib.sha256(document).hexdigest(), plan)
        if update != self._record.update:
            self._keep(msgspec.structs.replace(self._record, update=update, seen=now))

    def introduced(self, slot: Slot) -> Holding:
        """What may be written into `slot`. Raises: BootEnvironmentError: no release was introduced for it."""
        update = self._record.update
        if update is None or update.plan is None or update.plan.target is not slot:
            raise BootEnvironmentError(f"no release was introduced for slot {slot}, so there is nothing to write to it")
        return update.plan.goal

    def empty(self, slot: Slot) -> None:
        """What `slot` holds is not known from now on."""
        if self._record.holding(slot) is not None:
            self._keep(self._record.emptied(slot))

    def expected_in(self, slot: Slot) -> Holding:
        """What has to be in `slot` before it may boot: what was verified there and not written since, else what was
        introduced. Raises: BootEnvironmentError for neither; RolledBackRelease below the floor."""
        goal = self._record.holding(slot) or self.introduced(slot)
        if goal.image is not None and goal.sequence < self._record.floor:
            raise RolledBackRelease(f"slot {slot} holds sequence {goal.sequence}, below the floor {self._record.floor}")
        return goal

    def verified(self, slot: Slot, goal: Holding) -> None:
        """`slot` was read back, and holds `goal`."""
        record = self._record.with_holding(slot, goal)
        if record != self._record:
            self._keep(record)

    def committed(self, slot: Slot) -> None:
        """`slot` becomes the default, and the floor rises. Raises: BootEnvironmentError where it was not verified."""
        goal = self._record.holding(slot)
        if goal is None:
            raise BootEnvironmentError(f"slot {slot} holds nothing that the slot writer has verified: not committed")
        floor = raised_floor(self._record, slot, goal)
        kept = msgspec.structs.replace(goal, committed=True)
        record = msgspec.structs.replace(self._record.with_holding(slot, kept), expected=slot, floor=floor)
        if record != self._record:
            self._keep(record)

    @property
    def _record(self) -> Record:
        return self._journal.record

    def _keep(self, record: Record) -> None:
        self._changing()
        self._journal.keep(record)

    def _set_aside(self, error: JournalError) -> None:
        aside = ", ".join(str(path) for path in self._journal.set_aside())
        logger.error("%s; the slot writer goes on without it, kept a copy at %s", error, aside)
        self._journal.keep(error.legacy.record() if isinstance(error, NewerJournal) else Record())

    def _require_meant(self, release: Release, running: Slot) -> None:
        """As the agent judges it; but from which version it may start only where the writer knows what runs."""
        holding = self._record.holding(running)
        version = None if holding is None or holding.image is None else holding.version
        if version is None:
            wanted = release.compatibility
            release = msgspec.structs.replace(
                release, compatibility=Compatibility(wanted.model, wanted.hardware, Versions())
            )
        check_facts(release, Facts(self._identity.model, self._identity.hardware, version, self._record.floor))

"""Selects the artifact of a release: looks at the slot that runs and at the link, and remembers what was of no use."""

from __future__ import annotations

import logging

import msgspec

from agent.image.choice import Means, deltas_for, passed_over, refuse_link, require_link
from agent.image.slotfile import opened
from agent.image.source import found_in
from agent.update.context import Context
from agent.update.record import Plan
from bridge.release.delta.checkpoint import START
from bridge.release.errors import SlotError
from bridge.release.image import Image
from bridge.release.manifest import Artifact, Release

logger = logging.getLogger(__name__)


class Selection:
    """The artifact by which `release` comes onto the device in `context`."""

    def __init__(self, context: Context, release: Release) -> None:
        self._context = context
        self._release = release

    def complete(self, plan: Plan) -> Plan:
        """`plan` with an artifact: one that was begun, a delta whose source is what the slot that runs gives back, or
        the full one.

        Raises: MeteredLink when only the full one is left and the link forbids it; JournalError.
        """
        artifact = self._begun(plan) or self._delta() or self._release.full
        if artifact.source is None:
            self._require_link()
        saved = max(0, self._release.full.length - artifact.length)
        return msgspec.structs.replace(plan, artifact=artifact, saved=saved, remark=self._remark(artifact))

    def require_link_for_files(self, plan: Plan) -> None:
        """Whether the files of the steps of `plan` may be fetched over the link as it is: they come whole.

        Raises: MeteredLink.
        """
        release, allowed = self._release, self._context.limits.full_over_metered
        if not (release.full_over_metered and allowed) and self._context.ports.metered():
            refuse_link(release, f"the files of the steps of {plan.file_bytes} bytes", "they come whole")

    @property
    def _means(self) -> Means:
        context = self._context
        holding = context.record.holding(context.running)
        image = None if holding is None else holding.image
        return Means(context.limits.memory, image, context.record.reasons(context.update.digest))

    def _begun(self, plan: Plan) -> Artifact | None:
        """The artifact of which a part is in the slot: what it starts from was looked at when it was begun."""
        update = self._context.update
        if update.plan is None or update.plan.target is not plan.target or update.checkpoint == START:
            return None
        artifact = update.plan.artifact
        is_good = artifact in self._release.artifacts and artifact.name not in self._means.unusable
        return artifact if is_good else None

    def _delta(self) -> Artifact | None:
        deltas = deltas_for(self._release, self._means)
        found = self._found([each.source for each in deltas if each.source is not None])
        return next((each for each in deltas if each.source in found), None)

    def _found(self, images: list[Image]) -> frozenset[Image]:
        if not images:
            return frozenset()
        context = self._context
        try:
            with opened(context.ports.disk, context.ports.boots.device(context.running)) as slot:
                found = found_in(slot, images)
        except SlotError as error:
            self._forget(str(error))
            return frozenset()
        if not found and self._means.image is not None:
            self._forget(
                f"slot {context.running} was modified in the field: it does not give back the image that was installed"
            )
        return found

    def _forget(self, reason: str) -> None:
        """None of the deltas that were meant for this device will do."""
        logger.warning("no delta is taken: %s", reason)
        record = self._context.record
        for delta in deltas_for(self._release, self._means):
            record = record.without(self._context.update.digest, delta.name, reason)
        self._context.journal.keep(record)

    def _require_link(self) -> None:
        release, limits = self._release, self._context.limits
        if release.full_over_metered and limits.full_over_metered:
            return
        metered, remark = self._context.ports.metered(), self._remark(release.full)
        require_link(release, metered=metered, device_allows=limits.full_over_metered, remark=remark)

    def _remark(self, artifact: Artifact) -> str:
        return passed_over(self._release, self._means) if artifact.source is None else ""

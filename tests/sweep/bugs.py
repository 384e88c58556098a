"""Planted bugs: each breaks one rule that the agent's safety rests on. A sweep that misses one would prove nothing."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest

from agent.bootloaders.file import FileBootLoader
from agent.disk import SystemDisk
from agent.image.imagewriter import ImageWriter
from agent.image.slotfile import SlotFile
from agent.slots import Slot
from agent.update import judging
from agent.update.machine import Event
from agent.update.trial import Trial
from agent.update.writing import Writing
from bridge.release.delta.checkpoint import Checkpoint
from bridge.release.errors import OtabridgeError
from bridge.release.manifest import Artifact

NEW = os.O_WRONLY | os.O_CREAT | os.O_TRUNC


def rename_before_sync(patch: pytest.MonkeyPatch) -> None:
    """A file gets its name while its data is still on the way."""

    def replace(self: SystemDisk, path: Path, data: bytes) -> None:
        draft = path.with_name(path.name + ".new")
        file = self._open(draft, NEW)
        file.write(0, data)
        file.close()
        self._kernel.rename(draft, path)
        self._sync_folder(path.parent)

    patch.setattr(SystemDisk, "replace", replace)


def folder_never_synced(patch: pytest.MonkeyPatch) -> None:
    """A name may vanish after `replace` has returned."""
    patch.setattr(SystemDisk, "_sync_folder", lambda _self, _folder: None)


def written_in_place(patch: pytest.MonkeyPatch) -> None:
    """The only copy of the journal and of the environment is overwritten rather than replaced."""

    def replace(self: SystemDisk, path: Path, data: bytes) -> None:
        file = self._open(path.with_suffix(".0") if path.suffix == ".1" else path, NEW)
        file.write(0, data)
        file.sync()
        file.close()
        self._sync_folder(path.parent)

    patch.setattr(SystemDisk, "replace", replace)


def slot_never_synced(patch: pytest.MonkeyPatch) -> None:
    """The switch is made while the image is still on the way; the read-back sees the cache."""
    patch.setattr(SlotFile, "sync", lambda _self: None)


def mark_before_sync(patch: pytest.MonkeyPatch) -> None:
    """The journal says that image bytes are durable before they are."""

    def settle(self: ImageWriter) -> None:
        self._keep(self._ready)
        self._slot.sync()
        self._kept = self._ready

    patch.setattr(ImageWriter, "settle", settle)


def checkpoint_of_the_next_piece(patch: pytest.MonkeyPatch) -> None:
    """What is about to be written is promised together with what was."""
    take = ImageWriter.take

    def take_early(self: ImageWriter, data: bytes, checkpoint: Checkpoint) -> None:
        moved = msgspec.structs.replace(checkpoint, span=checkpoint.span + 1, target=checkpoint.target + len(data))
        take(self, data, moved if data and checkpoint.terms else checkpoint)

    patch.setattr(ImageWriter, "take", take_early)


def checkpoint_of_another_artifact(patch: pytest.MonkeyPatch) -> None:
    """The full artifact goes on where the delta that was of no use had come."""

    def do_without(self: Writing, artifact: Artifact, error: OtabridgeError) -> None:
        record = self._context.record.without(self._context.update.digest, artifact.name, str(error))
        self._context.journal.move(Event.UNUSABLE, record)

    patch.setattr(Writing, "_do_without", do_without)
    patch.setattr(judging, "_work", lambda plan: plan.target)


def slot_left_bootable(patch: pytest.MonkeyPatch) -> None:
    """The inactive slot is overwritten while the boot loader may still choose it."""

    def mark_unbootable(_self: FileBootLoader, _slot: Slot) -> None:
        return

    patch.setattr(FileBootLoader, "mark_unbootable", mark_unbootable)


def installed_before_commit(patch: pytest.MonkeyPatch) -> None:
    """The journal says installed before the boot loader does: effect after the state that follows it."""

    def commit(self: Trial) -> None:
        self._record_commit()
        self._context.ports.boots.commit(self._context.plan.target)

    patch.setattr(Trial, "commit", commit)


BUGS = (
    rename_before_sync,
    folder_never_synced,
    written_in_place,
    slot_never_synced,
    mark_before_sync,
    checkpoint_of_the_next_piece,
    checkpoint_of_another_artifact,
    slot_left_bootable,
    installed_before_commit,
)

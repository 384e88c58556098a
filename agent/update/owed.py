"""What a device owes while steps of a release are begun and no verdict stands: to undo them, whatever the journal says.

Each release with steps has a folder of its own below one, named by its digest. Before its first step begins, what is
to be undone is written down there, beside the journal; once the verdict stands it is taken away again. So a journal
of which no copy is left, or that only a newer agent can read, does not leave half of a release in effect.
"""

from __future__ import annotations

import logging
from pathlib import Path

import msgspec

from agent.disk import Disk
from agent.handling import StepError
from agent.update.record import Plan

DIGITS = 16
"""Of a digest, in the name of a folder."""
NOTE = "owed.json"
"""No step has this name: theirs have no dots, and their files end in `.file`."""

logger = logging.getLogger(__name__)


class Owed(msgspec.Struct, frozen=True):
    """Steps of `plan` may have been begun for `offer`, whose release.json has the sha256 `digest`."""

    offer: str
    digest: str
    plan: Plan


def folder_of(steps: Path, digest: str) -> Path:
    """The folder below `steps` of the release whose release.json has the sha256 `digest`."""
    return steps / digest[:DIGITS]


class Debts:
    """What is owed on this device, and the folders of releases, below the folder `steps`."""

    def __init__(self, disk: Disk, steps: Path) -> None:
        self._disk = disk
        self._steps = steps

    def note(self, owed: Owed) -> None:
        """From now on `owed` is. Raises: StepError; then nothing was noted, or all."""
        path = folder_of(self._steps, owed.digest) / NOTE
        try:
            self._disk.replace(path, msgspec.json.encode(owed))
        except OSError as error:
            raise StepError(f"{path} cannot be written: {error.strerror or error}; no step was begun") from error

    def forget(self, digest: str) -> None:
        """Nothing of that release is owed any more. Where that cannot be written, the journal still tells so."""
        path = folder_of(self._steps, digest) / NOTE
        try:
            self._disk.remove(path)
        except OSError as error:
            logger.warning("%s cannot be removed: %s", path, error)

    def found(self) -> Owed | None:
        """What is owed, None for nothing. What cannot be read is left for a person, and said."""
        try:
            return next(filter(None, map(self._read, self._disk.names(self._steps))), None)
        except OSError as error:
            logger.warning("%s cannot be read, so that what is owed is not known: %s", self._steps, error)
            return None

    def sweep(self, digest: str = "") -> None:
        """Remove the folders of all releases but that of `digest`, and of those of which something is owed."""
        try:
            for name in self._disk.names(self._steps):
                if name != digest[:DIGITS] and self._disk.read(self._steps / name / NOTE) is None:
                    self._disk.remove(self._steps / name)
        except OSError as error:
            logger.warning("files of earlier releases stay in %s: %s", self._steps, error)

    def _read(self, name: str) -> Owed | None:
        path = self._steps / name / NOTE
        data = self._disk.read(path)
        try:
            return None if data is None else msgspec.json.decode(data, type=Owed)
        except msgspec.MsgspecError as error:
            logger.warning("%s is not understood, and nothing is undone by it: %s", path, error)
            return None

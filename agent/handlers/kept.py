"""The files of the packages that are installed: the way back of the next release that brings one of them."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from agent.disk import Disk


@dataclass(frozen=True, slots=True)
class Kept:
    """In `directory`, one file a package and version: `gateway_1.4.2.deb`. Every method raises OSError."""

    directory: Path
    disk: Disk

    def file(self, package: str, version: str) -> Path:
        """Where the file of that version is, or would be."""
        return self.directory / f"{package}_{version}.deb"

    def keep(self, source: Path, package: str, version: str) -> None:
        """Have the file at `source`, durably, and none of another version. A name more for it where that can be, else
        a copy."""
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        place = self.file(package, version)
        draft = place.with_name(f"{place.name}.new")
        draft.unlink(missing_ok=True)
        _doubled(source, draft)
        draft.replace(place)
        _sync(self.directory)
        for other in self.directory.glob(f"{package}_*"):
            if other != place:
                self.disk.remove(other)


def _doubled(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # on another file system, or one that has no links
        shutil.copyfile(source, target)
    _sync(target)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

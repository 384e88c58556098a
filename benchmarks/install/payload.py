"""The image that everybody installs, the one that the device runs, and what is made of both once and kept."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.install.slots import BLOCK_BYTES

LEVEL = "19"
"""Of zstd, wherever a tool takes a level: the one that `otabridge release build` takes by default."""
RECIPES = 1
"""Rises when a tool's files are made in another way, so that none of an earlier one is used."""


@dataclass(frozen=True, slots=True)
class Payload:
    """`old` runs on the device, `new` comes. `kept` holds what was made of this very pair."""

    old: Path
    new: Path
    kept: Path

    @property
    def slot_bytes(self) -> int:
        """What each slot has room for: the image, in whole blocks."""
        return -(-self.new.stat().st_size // BLOCK_BYTES) * BLOCK_BYTES


def payload_in(cache: Path, old: Path, new: Path) -> Payload:
    """The pair with its folder below `cache`. Raises: OSError."""
    pair = hashlib.sha256((_digest(old) + _digest(new)).encode()).hexdigest()
    kept = cache / f"{RECIPES}-{pair[:16]}"
    kept.mkdir(parents=True, exist_ok=True)
    return Payload(old.absolute(), new.absolute(), kept.absolute())


def made(target: Path, make: Callable[[Path], None]) -> Path:
    """`target`, a file or folder, made by `make` under another name unless it is there."""
    if not target.exists():
        partial = target.with_name(f"partial.{target.name}")
        _remove(partial)
        make(partial)
        partial.replace(target)
    return target


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

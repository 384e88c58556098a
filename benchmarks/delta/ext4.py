"""Makes an ext4 file system of a folder, the same bytes on each run: mke2fs alone copies the times of the copying."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.delta.pairs import Ext4

SHARED = Path("/dev/shm")
"""A folder here lists its entries in the order of their making, whatever the disk; mke2fs follows that order."""


def file_system(recipe: Ext4, source: Path, target: Path) -> None:
    """Write the image to `target`."""
    target.write_bytes(b"")
    os.truncate(target, recipe.mib << 20)
    with tempfile.TemporaryDirectory(dir=SHARED if SHARED.is_dir() else None) as folder:
        _copy_sorted(source, folder)
        _mke2fs(recipe, folder, target)
    _set_times(recipe.built, source, target)


def _copy_sorted(source: Path, folder: str) -> None:
    """Through tar, which keeps links, owners and modes."""
    names = b"\0".join(sorted(bytes(path.relative_to(source)) for path in source.rglob("*")))
    pack = ["tar", "--no-recursion", "--null", "--verbatim-files-from", "-T", "-", "-cf", "-"]
    packed = subprocess.run(pack, cwd=source, input=names, capture_output=True, check=True).stdout
    subprocess.run(["tar", "-C", folder, "--delay-directory-restore", "-xpf", "-"], input=packed, check=True)


def _mke2fs(recipe: Ext4, folder: str, target: Path) -> None:
    extended = f"hash_seed={recipe.hash_seed},root_owner=0:0"
    options = ["-b", "4096", "-O", recipe.options, "-m", "0", "-U", recipe.uuid, "-E", extended, "-L", recipe.label]
    inodes = ["-N", str(recipe.inodes)] if recipe.inodes else []
    command = ["mke2fs", "-q", "-F", "-t", "ext4", *options, *inodes, "-d", folder, str(target)]
    subprocess.run(command, env=_at(recipe.built), check=True)


def _set_times(built: int, source: Path, target: Path) -> None:
    """The times of change and of reading, which are those of the copying, become the time of the build."""
    orders = "".join(_orders(built, source))
    command = ["debugfs", "-w", "-f", "-", str(target)]
    subprocess.run(command, input=orders.encode(), env=_at(built), capture_output=True, check=True)


def _orders(built: int, source: Path) -> Iterator[str]:
    for name in ("/", *(f"/{path.relative_to(source)}" for path in sorted(source.rglob("*")))):
        for when in ("ctime", "atime"):
            yield f'sif "{name}" {when} @{built}\n'
            yield f'sif "{name}" {when}_extra 0\n'


def _at(built: int) -> dict[str, str]:
    return {**os.environ, "E2FSPROGS_FAKE_TIME": str(built)}

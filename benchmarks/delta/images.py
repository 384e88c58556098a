"""Makes an image from a tree or from another image: the same bytes on each run, with the same versions of the tools."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import tarfile
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

import lz4.block

from benchmarks.delta.ext4 import file_system
from benchmarks.delta.pairs import Cpio, Ext4, Gzipped, Head, Member, Recipe, Sqlite, Squashfs, Tar, UnpackedKernel
from benchmarks.delta.trees import EPOCH

LZ4_LEGACY = b"\x02\x21\x4c\x18"
LZ4_BLOCK = 8 << 20
BUFFER = 1 << 20


def make(recipe: Recipe, source: Path, target: Path) -> None:
    """Make the image from `source`, the tree or the image that the recipe names."""
    match recipe:
        case Member():
            shutil.copyfile(_only(source, recipe.path), target)
        case Head():
            _head(source, target, recipe.length)
        case UnpackedKernel():
            target.write_bytes(unpacked_kernel(source.read_bytes()))
        case Gzipped():
            _through(["gzip", "-9", "-n", "-c", str(source)], target)
        case Ext4():
            file_system(recipe, source / recipe.under, target)
        case _:
            _of_tree(recipe, source, target)


def _of_tree(recipe: Squashfs | Cpio | Tar | Sqlite, source: Path, target: Path) -> None:
    match recipe:
        case Squashfs():
            _squashfs(recipe, source / recipe.under, target)
        case Cpio():
            _cpio(recipe, source, target)
        case Tar():
            _tar(source / recipe.under, target)
        case Sqlite():
            _sqlite(source / recipe.under, target)


def unpacked_kernel(packed: bytes) -> bytes:
    """The ELF file of an x86 bzImage (Linux boot protocol 2.08: setup_sects, payload_offset, payload_length).

    Raises: ValueError where the payload is not in LZ4's legacy format.
    """
    setup = packed[0x1F1] or 4
    offset, length = (int.from_bytes(packed[place : place + 4], "little") for place in (0x248, 0x24C))
    start = (setup + 1) * 512 + offset
    payload = packed[start : start + length]
    if not payload.startswith(LZ4_LEGACY):
        raise ValueError("the kernel is not packed with LZ4")
    wanted, place, kernel = int.from_bytes(payload[-4:], "little"), 4, bytearray()
    while len(kernel) < wanted:
        size = int.from_bytes(payload[place : place + 4], "little")
        kernel += lz4.block.decompress(payload[place + 4 : place + 4 + size], uncompressed_size=LZ4_BLOCK)
        place += 4 + size
    return bytes(kernel)


def _only(tree: Path, pattern: str) -> Path:
    [found] = tree.glob(pattern)
    return found


def _head(source: Path, target: Path, length: int) -> None:
    with source.open("rb") as file, target.open("wb") as head:
        shutil.copyfileobj(file, head, BUFFER)
        head.truncate(length)


def _through(command: list[str], target: Path, given: bytes | None = None, folder: Path | None = None) -> None:
    with target.open("wb") as output:
        subprocess.run(command, input=given, cwd=folder, stdout=output, check=True)


def _squashfs(recipe: Squashfs, tree: Path, target: Path) -> None:
    options = ["-noappend", "-all-root", "-no-progress", "-quiet", *recipe.arguments]
    environment = {**os.environ, "SOURCE_DATE_EPOCH": str(EPOCH)}
    subprocess.run(["mksquashfs", str(tree), str(target), *options], env=environment, check=True)


def _cpio(recipe: Cpio, tree: Path, target: Path) -> None:
    """Inode and device numbers of the machine stay out: `--reproducible`."""
    found = {path.relative_to(tree) for pattern in recipe.patterns for path in tree.glob(pattern)}
    names = b"\0".join(bytes(path) for path in sorted(found | _folders(found)))
    options = ["-o", "-0", "-H", "newc", "--reproducible", "-R", "0:0", "--quiet"]
    _through(["cpio", *options], target, names, tree)


def _folders(paths: Iterable[Path]) -> set[Path]:
    return {parent for path in paths for parent in path.parents if parent.name}


def _tar(tree: Path, target: Path) -> None:
    with tarfile.open(target, "w", format=tarfile.GNU_FORMAT) as archive:
        for path in sorted(tree.rglob("*")):
            archive.add(path, str(path.relative_to(tree)), recursive=False, filter=_anonymous)


def _anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo:
    return member.replace(mtime=EPOCH, uid=0, gid=0, uname="root", gname="root", deep=False)


def _sqlite(folder: Path, target: Path) -> None:
    target.unlink(missing_ok=True)
    with closing(sqlite3.connect(target)) as database, database:
        database.execute("CREATE TABLE file (path TEXT PRIMARY KEY, length INTEGER, content BLOB)")
        database.execute("CREATE INDEX by_length ON file (length)")
        for path in sorted(folder.rglob("*")):
            if path.is_file() and not path.is_symlink():
                content = path.read_bytes()
                row = (str(path.relative_to(folder)), len(content), content)
                database.execute("INSERT INTO file VALUES (?, ?, ?)", row)

"""File-system images for the demo, made from real files that are on every machine that can run it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sysconfig
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bridge.demo.boards import BROKEN
from bridge.errors import UsageError

IMAGE_BYTES = 64 * 1024 * 1024
"""Size of an ext4 image; the tree in it takes about three quarters."""
TREE_BYTES = 44 * 1024 * 1024
LARGEST_FILE = 4 * 1024 * 1024
MIN_IMAGE_BYTES = 1024 * 1024
SPARE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Images:
    """Three raw images: what devices start with, a good update, and one whose health check fails."""

    old: Path
    new: Path
    broken: Path
    kind: str

    @property
    def room(self) -> int:
        """Bytes that a slot needs for the largest of them, and some to spare."""
        return max(path.stat().st_size for path in (self.old, self.new, self.broken)) + SPARE


def build(folder: Path) -> Images:
    """Two versions of one real tree as images in `folder`: ext4 where mke2fs is installed, else tar."""
    tree = folder / "tree"
    copy_tree(tree, TREE_BYTES)
    write_version(tree, "1.0.0")
    old = pack(tree, folder / "old.img")
    write_version(tree, "2.0.0")
    edit_some(tree)
    new = pack(tree, folder / "new.img")
    shutil.rmtree(tree)
    return Images(old, new, break_image(new, folder / "broken.img"), "ext4" if _mke2fs() else "tar")


def given(old: Path, new: Path, folder: Path) -> Images:
    """The images of a person's own. Raises: UsageError naming the file that cannot serve."""
    for path in (old, new):
        if not path.is_file() or path.stat().st_size < MIN_IMAGE_BYTES:
            raise UsageError(f"--image {path}: must be a file of at least {MIN_IMAGE_BYTES} bytes")
    return Images(old.resolve(), new.resolve(), break_image(new, folder / "broken.img"), "given")


def break_image(image: Path, target: Path) -> Path:
    """A copy of `image` whose health check fails: a block behind the file system says so."""
    shutil.copyfile(image, target)
    with target.open("ab") as file:
        file.write(BROKEN.ljust(4096, b"\0"))
    return target


def copy_tree(target: Path, budget: int) -> None:
    """Copy real files of this machine, the same ones in the same order each time, until `budget` bytes are there."""
    for name in ("stdlib", "platlib"):
        root = Path(sysconfig.get_path(name))
        for source in _files(root):
            size = source.stat().st_size
            if size > LARGEST_FILE:
                continue
            budget -= size
            if budget < 0:
                return
            place = target / name / source.relative_to(root)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, place)


def write_version(tree: Path, version: str) -> None:
    """Put the version where an operating system keeps it."""
    (tree / "etc").mkdir(parents=True, exist_ok=True)
    (tree / "etc" / "os-release").write_text(f"NAME=otabridge-demo\nVERSION_ID={version}\n")


def edit_some(tree: Path) -> None:
    """Change every fiftieth file, as an update does."""
    for path in sorted(tree.rglob("*.py"))[::50]:
        with path.open("a") as file:
            file.write("\n# changed in 2.0.0\n")


def pack(tree: Path, image: Path) -> Path:
    """`tree` as one raw image. Raises: UsageError when mke2fs fails."""
    program = _mke2fs()
    if program is None:
        return _pack_tar(tree, image)
    line = [program, "-q", "-F", "-t", "ext4", "-d", str(tree), str(image), f"{IMAGE_BYTES // 1024}k"]
    done = subprocess.run(line, capture_output=True, text=True, check=False)  # noqa: S603 - our own arguments
    if done.returncode:
        raise UsageError(f"mke2fs could not make {image}: {done.stderr.strip()}; bring images: --image OLD NEW")
    return image


def _pack_tar(tree: Path, image: Path) -> Path:
    with tarfile.open(image, "w", format=tarfile.PAX_FORMAT) as archive:
        archive.add(tree, arcname=".")
    short = IMAGE_BYTES - image.stat().st_size
    if short > 0:
        os.truncate(image, IMAGE_BYTES)
    return image


def _files(root: Path) -> Iterator[Path]:
    for folder, below, names in os.walk(root):
        below[:] = sorted(name for name in below if name != "__pycache__")
        plain = (Path(folder, name) for name in sorted(names))
        yield from (path for path in plain if path.is_file() and not path.is_symlink())


def _mke2fs() -> str | None:
    return shutil.which("mke2fs", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")

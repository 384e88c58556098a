"""What takes long to make is made once and kept by the digest of what it was made from."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

VARIABLE = "OTABRIDGE_BOOT_CACHE"
DEFAULT = Path.home() / ".cache" / "otabridge" / "boot"
DIGITS = 16
BLOCK = 1 << 20


def cache_folder() -> Path:
    """Where downloads and images are kept between runs."""
    return Path(os.environ.get(VARIABLE) or DEFAULT)


@contextmanager
def sole_use() -> Iterator[None]:
    """Another run that would clear away what this one needs waits until the block has ended."""
    folder = cache_folder()
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def made_once(name: str, origin: str, make: Callable[[Path], None]) -> Path:
    """The file or folder that `make` makes at the path it is given; earlier ones of that name, of another `origin`,
    are removed. A `make` that was interrupted leaves nothing behind that counts."""
    made = path_of_made(name, origin)
    if made is not None:
        return made
    folder = cache_folder()
    folder.mkdir(parents=True, exist_ok=True)
    for stale in folder.glob(f"{name}-*"):
        remove(stale)
    draft = folder / f"{name}.{os.getpid()}.new"
    make(draft)
    return draft.rename(_path(name, origin))


def path_of_made(name: str, origin: str) -> Path | None:
    """What `made_once` made already; None where it did not."""
    path = _path(name, origin)
    return path if path.exists() else None


def _path(name: str, origin: str) -> Path:
    return cache_folder() / f"{name}-{origin[:DIGITS]}"


def remove(path: Path) -> None:
    """A file, or a folder with all in it."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def digest(parts: Iterable[bytes | str]) -> str:
    """One digest of all parts, in hex; their order and their bounds count."""
    whole = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        whole.update(b"%d:" % len(data) + data)
    return whole.hexdigest()


def digest_of_files(paths: Iterable[Path], root: Path) -> str:
    """One digest of names, below `root`, and contents."""
    ordered = sorted(paths)
    return digest(part for path in ordered for part in (str(path.relative_to(root)), path.read_bytes()))

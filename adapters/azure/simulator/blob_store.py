"""Containers and block blobs of one storage account: values in memory, bytes in files that never change."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

OCTETS = "application/octet-stream"
Write = Callable[[Path], None]
"""Writes the bytes of a blob or block into a new file."""


@dataclass(frozen=True, slots=True)
class Blob:
    """One committed blob. `etag` has its quotes; `modified` is in seconds since the epoch."""

    name: str
    path: Path
    size: int
    etag: str
    created: float
    modified: float
    content_type: str
    metadata: Mapping[str, str]


@dataclass
class Container:
    """Blobs by name, and blocks that wait for a list, by blob and block id."""

    etag: str
    modified: float
    blobs: dict[str, Blob] = field(default_factory=dict)
    blocks: dict[str, dict[str, Path]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Description:
    """What a writer says of a blob besides its bytes."""

    content_type: str = OCTETS
    metadata: Mapping[str, str] = field(default_factory=dict)


class BlobStore:
    """The account. Every method is called inside `locked`; only the bytes are written before."""

    def __init__(self, folder: Path, now: Callable[[], float]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.containers: dict[str, Container] = {}
        self._folder = folder
        self._lock = threading.RLock()
        self._now = now

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the account."""
        with self._lock:
            yield

    def file(self, write: Write) -> Path:
        """A new file of the account, written without the lock."""
        path = self._folder / secrets.token_hex(16)
        write(path)
        return path

    def create(self, name: str) -> Container:
        """A new, empty container in place of any other of that name."""
        self.containers[name] = Container(_etag(), self._now())
        return self.containers[name]

    def blob(self, container: str, name: str) -> Blob | None:
        """The blob, if it and its container exist."""
        held = self.containers.get(container)
        return held.blobs.get(name) if held else None

    def put(self, container: Container, name: str, path: Path, said: Description) -> Blob:
        """Commit the bytes in `path` as the blob; blocks that wait for a list are dropped."""
        now, old = self._now(), container.blobs.get(name)
        created = old.created if old else now
        size = path.stat().st_size
        blob = Blob(name, path, size, _etag(), created, now, said.content_type, dict(said.metadata))
        container.blobs[name] = blob
        container.blocks.pop(name, None)
        return blob

    def stage(self, container: Container, name: str, block: str, path: Path) -> None:
        """Keep a block for the list to come."""
        container.blocks.setdefault(name, {})[block] = path

    def joined(self, container: Container, name: str, blocks: Sequence[str]) -> Path | None:
        """A file of the named blocks in that order; None where one is missing."""
        staged = container.blocks.get(name, {})
        if any(block not in staged for block in blocks):
            return None
        return self.file(lambda path: _join([staged[block] for block in blocks], path))

    def remove(self, container: Container, name: str) -> None:
        """Delete a blob. Its file stays, as somebody may be reading it."""
        del container.blobs[name]


def _join(parts: Sequence[Path], whole: Path) -> None:
    with whole.open("wb") as file:
        for part in parts:
            file.write(part.read_bytes())


def _etag() -> str:
    return f'"0x{secrets.token_hex(8).upper()}"'

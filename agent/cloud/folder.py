"""Installing from a release folder, without a cloud: for the bench, the factory and a stick of memory.

The folder is what `otabridge release build` makes: `release.json`, the artifacts, and in `roots/` any newer roots.
It is trusted as little as a cloud: the same signatures, roots and hashes decide.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from agent.cloud.channel import Offer
from agent.download.answer import LinkRefused
from agent.pace import Timing
from bridge.release.errors import DownloadError
from bridge.release.manifest import MAX_RELEASE_BYTES, Artifact
from bridge.release.trust import MAX_ROOT_BYTES

READ_BYTES = 256 * 1024
LOCAL = "folder:"
"""How the id of an offer from a folder begins; no cloud's id has a colon."""
_ROOT = re.compile(r"([1-9][0-9]{0,8})\.root\.json")


def offer_in(folder: Path) -> Offer:
    """The release in `folder` as an offer; the same release has the same id wherever it lies. Raises: DownloadError."""
    release = _read(folder / "release.json", MAX_RELEASE_BYTES)
    digest = hashlib.sha256(release).hexdigest()
    return Offer(f"{LOCAL}{digest[:16]}", release, tuple(_roots(folder / "roots")), _files(folder))


def is_local(offer_id: str) -> bool:
    """Whether an offer came from a folder, so that no cloud wants to hear of it."""
    return offer_id.startswith(LOCAL)


class FolderDownload:
    """The engine's Download for such an offer."""

    def __init__(self, timing: Timing) -> None:
        self._timing = timing

    def stream(
        self,
        offer: Offer,
        artifact: Artifact,
        offset: int,
        renew: Callable[[], Offer],  # noqa: ARG002 - the port has it; a file needs no fresh URL
    ) -> Iterator[bytes]:
        """The bytes of the file from `offset` to the signed length.

        Raises: DownloadError; LinkRefused where no such file lies there.
        """
        if artifact.name not in offer.urls:
            raise LinkRefused(f"artifact {artifact.name} does not lie beside release.json; copy the release again")
        path = Path(offer.urls[artifact.name])
        try:
            with path.open("rb") as file:
                file.seek(offset)
                yield from self._chunks(file, path, artifact.length - offset)
        except OSError as error:
            raise DownloadError(f"artifact {path} cannot be read: {error.strerror}") from error

    def _chunks(self, file: BinaryIO, path: Path, left: int) -> Iterator[bytes]:
        while left > 0:
            self._timing.beat()
            chunk = file.read(min(left, READ_BYTES))
            if not chunk:
                raise DownloadError(f"artifact {path} is {left} bytes shorter than signed; copy the release again")
            left -= len(chunk)
            yield chunk


def _roots(folder: Path) -> Iterator[bytes]:
    found = {int(match[1]): path for path in _entries(folder) if (match := _ROOT.fullmatch(path.name))}
    for version in sorted(found):
        yield _read(found[version], MAX_ROOT_BYTES)


def _files(folder: Path) -> dict[str, str]:
    return {path.name: str(path.absolute()) for path in _entries(folder) if path.is_file()}


def _entries(folder: Path) -> list[Path]:
    return list(folder.iterdir()) if folder.is_dir() else []


def _read(path: Path, limit: int) -> bytes:
    """At most one byte more than `limit`, which its reader then refuses."""
    try:
        with path.open("rb") as file:
            return file.read(limit + 1)
    except OSError as error:
        raise DownloadError(f"{path} cannot be read: {error.strerror}; is {path.parent} a release folder?") from error

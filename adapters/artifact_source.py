"""The file that an artifact is uploaded from, held against what was signed before its first byte is sent."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path

from bridge.release.errors import OtabridgeError
from bridge.release.manifest import Artifact


class UnfitSource(OtabridgeError):
    """The file cannot be read, or does not hold the bytes that were signed."""


@contextmanager
def checked_source(artifact: Artifact, source: Path) -> Iterator[BufferedReader]:
    """`source`, open at its beginning; it is read once before: a store checks parts of an upload, not the whole.

    Raises:
        UnfitSource: it cannot be read, also while it is sent, or does not hold the bytes that were signed.
    """
    try:
        with source.open("rb") as stream:
            _check(artifact, source, stream)
            yield stream
    except OSError as error:
        raise UnfitSource(f"artifact {artifact.name}: {source}: {error.strerror or error}") from error


def _check(artifact: Artifact, source: Path, stream: BufferedReader) -> None:
    digest = hashlib.file_digest(stream, "sha256").hexdigest()
    length = stream.tell()
    stream.seek(0)
    if (length, digest) != (artifact.length, artifact.sha256):
        raise UnfitSource(
            f"artifact {artifact.name}: {source} has {length} bytes with sha256 {digest}, the release signed "
            f"{artifact.length} bytes with {artifact.sha256}: build the release again"
        )

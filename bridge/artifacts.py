"""Holds the file of an artifact against what was signed of it, as a device does that installs it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path

from bridge.delta.applying import apply, chunks, expected_of, naming, read_header
from bridge.delta.container import NO_SOURCE
from bridge.images import measure
from bridge.release.delta.apply import Expected
from bridge.release.delta.spans import Source
from bridge.release.errors import AlteredRelease
from bridge.release.manifest import Artifact, Codec

Advance = Callable[[int], None]
"""Called with the number of bytes of an artifact that were held against their description since the last call."""


def check_artifact(path: Path, artifact: Artifact, advance: Advance, old: Source | None = None) -> bool:
    """Read the file at `path`: its length and sha256, and the images that a payload says it is about. Then make its
    image.

    A delta is applied only where `old`, the image that it starts from, is given. What a handler is handed as it is can
    only be made on a device, unless it is its own image. Returns whether the image was made.

    Raises:
        AlteredRelease: it is missing, differs in any byte, or is about other images.
        ReleaseError: it is what was signed, and yet no device could install it.
    """
    with naming(f"artifact {artifact.name}"), _opened(path) as file:
        _require_signed(file, artifact)
        if artifact.codec is Codec.PAYLOAD:
            _require_images(file, artifact)
            if artifact.source is None or old is not None:
                for _ in apply(chunks(file, advance), Expected(artifact.image, artifact.source), old or NO_SOURCE):
                    pass
                return True
    advance(artifact.length)
    return artifact.is_its_image


@contextmanager
def _opened(path: Path) -> Iterator[BufferedReader]:
    try:
        with path.open("rb") as file:
            yield file
    except OSError as error:
        raise AlteredRelease(f"it cannot be read from {path.parent}: {error.strerror}; fetch it again") from error


def _require_signed(file: BufferedReader, artifact: Artifact) -> None:
    length, sha256 = measure(file)
    if length != artifact.length:
        raise AlteredRelease(f"it has {length} bytes, signed were {artifact.length}; fetch it again")
    if sha256 != artifact.sha256:
        raise AlteredRelease(f"its sha256 is {sha256}, signed was {artifact.sha256}; fetch it again")


def _require_images(file: BufferedReader, artifact: Artifact) -> None:
    file.seek(0)
    header = read_header(file)
    if expected_of(header) != Expected(artifact.image, artifact.source):
        raise AlteredRelease("its header names other images than release.json does; build the release again")
    if artifact.memory not in (0, header.terms.memory):
        raise AlteredRelease(
            f"its header declares {header.terms.memory} bytes of memory, release.json {artifact.memory}; build the "
            "release again"
        )

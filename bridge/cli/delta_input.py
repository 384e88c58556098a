"""What the commands about deltas read: payloads, and the images that they are about."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path

from bridge.cli.delta_options import MEBIBYTE
from bridge.cli.delta_view import describe_image
from bridge.cli.phases import Phases
from bridge.delta.applying import MEMORY, apply, chunks, expected_of, naming, read_header
from bridge.delta.container import NO_SOURCE
from bridge.delta.image_file import open_image
from bridge.errors import ForeignImage, UsageError
from bridge.images import describe
from bridge.release.delta.apply import Expected
from bridge.release.delta.spans import Source
from bridge.release.image import Image

NOTHING = Path("-")
"""In the place of the image that a full artifact starts from."""


@dataclass(frozen=True, slots=True)
class OpenPayload:
    """An open payload, and the images that its header names."""

    path: Path
    file: BufferedReader
    images: Expected

    def pieces(self, source: Source, memory: int | None, progress: Phases) -> Iterator[bytes]:
        """Of the new image."""
        progress.begin("apply", self.file.seek(0, os.SEEK_END))
        granted = MEMORY if memory is None else memory * MEBIBYTE
        return apply(chunks(self.file, progress.advance), self.images, source, memory=granted)


@contextmanager
def open_payload(payload: Path) -> Iterator[OpenPayload]:
    """The payload at this path. Raises: UsageError, MalformedPayload."""
    try:
        file = _opened(payload)
    except OSError as error:
        raise UsageError(f"payload {payload} cannot be read: {error.strerror}") from error
    with file:
        with naming(str(payload)):
            images = expected_of(read_header(file))
        yield OpenPayload(payload, file, images)


def _opened(payload: Path) -> BufferedReader:
    mode = payload.stat().st_mode
    if stat.S_ISFIFO(mode) or stat.S_ISCHR(mode) or stat.S_ISSOCK(mode):
        raise UsageError(f"payload {payload} is neither a file nor a block device: save it as a file first")
    return payload.open("rb")


@contextmanager
def open_source(old: Path, payload: OpenPayload, progress: Phases) -> Iterator[Source]:
    """The image that the payload starts from, once its sha256 is the one named in the header."""
    wanted = payload.images.old
    if (wanted is None) != (old == NOTHING):
        raise UsageError(_which(payload.path, wanted))
    if wanted is None:
        yield NO_SOURCE
        return
    require_image(old, wanted, f"the image that {payload.path} starts from", progress)
    with open_image(old) as source:
        yield source


def _which(payload: Path, wanted: Image | None) -> str:
    if wanted is None:
        return f"payload {payload} is a full artifact, which starts from no image: write - in the place of OLD"
    return f"payload {payload} is a delta: give the image that it starts from, {describe_image(wanted)}"


def require_image(path: Path, wanted: Image, which: str, progress: Phases) -> None:
    """Raises: ForeignImage."""
    with open_image(path) as image:
        progress.begin(f"hash {path.name}", image.length)
        found = describe(image, progress.advance) if image.length == wanted.length else None
        if found != wanted:
            seen = describe_image(found) if found else f"{image.length} bytes"
            wish = describe_image(wanted)
            raise ForeignImage(f"image {path} is not {which}: it has {seen}; wanted is one of {wish}")

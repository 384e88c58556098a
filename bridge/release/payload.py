"""The full-image artifact: one zstd stream of independent frames, decoded in bounded memory.

Any `zstd -d` decodes it. Each frame holds `FRAME_BYTES` of image, so that a device can go on after a reboot at the
last frame that is safely in the slot: a `Mark` pairs the two offsets. Pure: bytes in, bytes out.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from bridge.release.errors import AlteredRelease
from bridge.release.manifest import MAX_WINDOW_LOG, Artifact

if sys.version_info >= (3, 14):
    from compression.zstd import DecompressionParameter, ZstdDecompressor, ZstdError
else:
    from backports.zstd import DecompressionParameter, ZstdDecompressor, ZstdError

FRAME_BYTES = 4 * 1024 * 1024
"""Image bytes in a frame; the last one may hold fewer."""
PIECE_BYTES = 256 * 1024
"""Most image bytes handed out at once, however well the input was compressed (a bomb stays this small)."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A place where decoding can start: bytes of the artifact read, and of the image written."""

    artifact: int = 0
    image: int = 0


class ImageDecoder:
    """Decodes one full-image artifact from `start` on, and holds it against its signed lengths and hash.

    The artifact's sha256 is checked where decoding began at its first byte. After a restart in the middle it cannot
    be; the image's own sha256, read back from the slot, is what decides in both cases.
    """

    def __init__(self, artifact: Artifact, start: Mark = Mark()) -> None:
        self._artifact = artifact
        self._hash = hashlib.sha256() if start == Mark() else None
        self._read = start.artifact
        self._written = start.image
        self._frame = _new_frame()
        self._fresh = True
        self.mark = start
        """The last frame boundary passed: resume here once the image bytes before it are durable."""

    @property
    def position(self) -> Mark:
        """Artifact bytes taken and image bytes given so far."""
        return Mark(self._read, self._written)

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Image bytes decoded from the next `chunk` of the artifact, in pieces of at most `PIECE_BYTES`.

        Raises:
            AlteredRelease: longer than signed, or no zstd stream that this device may decode.
        """
        self._take(chunk)
        data = chunk
        while data or not self._frame.needs_input:
            piece = self._decode(data)
            data = b""
            if piece:
                self._give(len(piece))
                yield piece
            if self._frame.eof:
                data = self._next_frame()
            elif self._frame.needs_input:
                return

    def finish(self) -> None:
        """The artifact has ended. Raises: AlteredRelease when it is short, cut or hashes otherwise than signed."""
        self._compare("bytes of artifact", self._read, self._artifact.length)
        self._compare("bytes of image", self._written, self._artifact.image.length)
        if not self._fresh:
            raise AlteredRelease(f"artifact {self._artifact.name} ends inside a zstd frame")
        if self._hash is not None:
            self._compare("sha256", self._hash.hexdigest(), self._artifact.sha256)

    def _take(self, chunk: bytes) -> None:
        self._read += len(chunk)
        if self._read > self._artifact.length:
            raise AlteredRelease(
                f"artifact {self._artifact.name} is longer than the {self._artifact.length} bytes that were signed"
            )
        if self._hash is not None:
            self._hash.update(chunk)

    def _decode(self, data: bytes) -> bytes:
        try:
            piece: bytes = self._frame.decompress(data, max_length=PIECE_BYTES)
        except ZstdError as error:
            raise AlteredRelease(f"artifact {self._artifact.name} is not the zstd stream it was: {error}") from error
        self._fresh = self._fresh and not data and not piece
        return piece

    def _give(self, count: int) -> None:
        self._written += count
        if self._written > self._artifact.image.length:
            raise AlteredRelease(
                f"artifact {self._artifact.name} decodes to more than the "
                f"{self._artifact.image.length} bytes that were signed"
            )

    def _next_frame(self) -> bytes:
        rest: bytes = self._frame.unused_data
        self._frame, self._fresh = _new_frame(), True
        self.mark = Mark(self._read - len(rest), self._written)
        return rest

    def _compare(self, what: str, seen: object, signed: object) -> None:
        if seen != signed:
            raise AlteredRelease(f"artifact {self._artifact.name}: {what} is {seen}, signed was {signed}")


def _new_frame() -> ZstdDecompressor:
    return ZstdDecompressor(options={DecompressionParameter.window_log_max: MAX_WINDOW_LOG})

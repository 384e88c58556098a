"""An image on this machine: a file or a block device, read at any offset, which must not change meanwhile."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bridge.errors import UsageError
from bridge.release.image import MAX_IMAGE_BYTES

READ_BYTES = 1 << 20


class ImageFile:
    """An open image of `length` bytes. Read it from any thread.

    Raises, from all methods: UsageError where it cannot be read.
    """

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor = descriptor
        self._state = self._seen()
        self.length = self._state[2]

    def pread(self, offset: int, length: int) -> bytes:
        """`length` bytes at `offset`, fewer only where the image ends."""
        try:
            data = os.pread(self._descriptor, length, offset)
            if len(data) == length or offset + len(data) >= self.length:
                return data
            return data + self.pread(offset + len(data), length - len(data)) if data else data
        except OSError as error:
            raise UsageError(f"image {self.path} cannot be read near byte {offset}: {error.strerror}") from error

    def pieces(self, size: int = READ_BYTES) -> Iterator[bytes]:
        """All of it, `size` bytes at a time. Raises: UsageError also where it has become shorter."""
        for offset in range(0, self.length, size):
            count = min(size, self.length - offset)
            piece = self.pread(offset, count)
            if len(piece) != count:
                raise self._changed()
            yield piece

    def require_unchanged(self) -> None:
        """Raises: UsageError if it was written to since it was opened."""
        if self._seen() != self._state:
            raise self._changed()

    def _changed(self) -> UsageError:
        return UsageError(f"image {self.path} changed while it was read; start again once it is finished")

    def _seen(self) -> tuple[int, int, int]:
        """By seeking, since a block device has no size of its own in `stat`."""
        state = os.fstat(self._descriptor)
        return state.st_mtime_ns, state.st_size, os.lseek(self._descriptor, 0, os.SEEK_END)


@contextmanager
def open_image(path: Path) -> Iterator[ImageFile]:
    """The image at `path`.

    Raises:
        UsageError: it is missing, empty, too large, or neither a file nor a block device.
    """
    try:
        descriptor = _opened(path)
    except OSError as error:
        raise UsageError(f"image {path} cannot be read: {error.strerror}") from error
    try:
        image = ImageFile(path, descriptor)
        if not 0 < image.length <= MAX_IMAGE_BYTES:
            raise UsageError(f"image {path} has {image.length} bytes; 1 to {MAX_IMAGE_BYTES} are possible")
        yield image
    finally:
        os.close(descriptor)


def _opened(path: Path) -> int:
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISBLK(mode):
        raise UsageError(f"image {path} is neither a file nor a block device")
    return os.open(path, os.O_RDONLY | os.O_CLOEXEC)

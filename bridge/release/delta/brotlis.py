"""Decoding of brotli, of which the library has another face than the others."""

from __future__ import annotations

import brotli

NOTHING = memoryview(b"")


class BrotliDecoder:
    """With the face of the decompressors of lzma, bz2 and zstd.

    The library gives some tens of KiB at once, which are kept here; it says that it takes input while it has output
    left, so that only a call without output tells; and it finds fault with bytes after the end.
    """

    unused_data = b""

    def __init__(self, window_log: int) -> None:
        self._decoder = brotli.Decompressor()
        self._window_log = window_log
        self._is_begun = False
        self._is_dry = True
        self._rest = NOTHING

    @property
    def needs_input(self) -> bool:
        """Whether the next bytes need more input."""
        return not self._rest and self._is_dry and self._decoder.can_accept_more_data()

    @property
    def eof(self) -> bool:
        """Whether the stream has ended."""
        return not self._rest and self._decoder.is_finished()

    def decompress(self, data: bytes | memoryview, max_length: int = -1) -> bytes:
        """Up to `max_length` more bytes. Raises: ValueError for what is no such stream."""
        if data and not self._is_begun:
            self._begin(data[0])
        view = self._rest or memoryview(self._process(data, max_length))
        self._is_dry = not view
        self._rest = view[max_length:]
        return bytes(view[:max_length])

    def _process(self, data: bytes | memoryview, most: int) -> bytes:
        try:
            made: bytes = self._decoder.process(data, output_buffer_limit=most)
        except brotli.error as error:
            raise ValueError(str(error)) from error
        return made

    def _begin(self, first: int) -> None:
        """Hold the window that the stream asks for against the declared one."""
        self._is_begun = True
        if brotli_window_log(first) > self._window_log:
            raise ValueError(f"its window is larger than 2 ** {self._window_log} bytes")


def brotli_window_log(first: int) -> int:
    """log2 of the window that a stream with this first byte asks for (RFC 7932, 9.1); 16 bytes less, to be exact."""
    middle, high = first >> 1 & 7, first >> 4 & 7
    if not first & 1:
        return 16
    if middle:
        return 17 + middle
    return 8 + high if high else 17

"""How much memory a payload takes to apply: one formula for maker, applier and specification.

It counts what the applier holds beside the interpreter and its modules; the tests measure that it is no lie.
"""

from __future__ import annotations

from bridge.release.delta.frame import Codec, FrameHead, StreamHead

MEBIBYTE = 1 << 20
DEVICE_MEMORY = 64 * MEBIBYTE
"""What a device grants if it is not told otherwise."""
FIXED = 8 * MEBIBYTE
"""The block of zeros, a chunk of the network, heads, and the operations of one span one by one."""
SPAN_COPIES = 8
"""Old bytes, diff and extra of a span, joined and not yet joined; what was made; what was packed."""
WINDOW_COPIES = 3
"""Streams as stored, as unpacked, and joined."""
NUMBER_COPIES = 20
"""The control stream as bytes, and as numbers of 8 bytes each, while their row grows."""
DICTIONARY_COPIES = 2


def needed(head: FrameHead, span: int, window: int) -> int:
    """Bytes to apply a frame where no span makes more than `span` bytes and unpacks more than `window`."""
    return floor(span, window) + streams(head)


def floor(span: int, window: int) -> int:
    """Bytes that even an empty frame takes."""
    return FIXED + span * SPAN_COPIES + window * WINDOW_COPIES


def streams(head: FrameHead) -> int:
    """Bytes that the streams of a frame take: held until they are decoded, and their decoders."""
    held = head.control.stored + head.diff.stored
    dictionary = head.dictionary.length * DICTIONARY_COPIES if head.dictionary else 0
    decoders = max(decoder(head.control), decoder(head.diff) + decoder(head.extra) + dictionary)
    return held + head.control.raw * NUMBER_COPIES + decoders


def decoder(stream: StreamHead) -> int:
    """Bytes of a stream's decoder: its window, and its tables rounded up to a mebibyte."""
    match stream.codec:
        case Codec.LZMA | Codec.ZSTD | Codec.ZSTD_OLD:
            return (1 << stream.second) + MEBIBYTE
        case Codec.BZ2:
            return 4 * MEBIBYTE
        case _:
            return 0

"""How much memory a payload takes to apply: one formula for maker, applier and specification.

It counts what the applier holds beside the interpreter and its modules; the tests measure that it is no lie.
"""

from __future__ import annotations

from bridge.release.delta.frame import Codec, FrameHead, StreamHead

MEBIBYTE = 1 << 20
DEVICE_MEMORY = 64 * MEBIBYTE
"""What a device grants if it is not told otherwise."""
FIXED = 8 * MEBIBYTE
"""The block of zeros, a chunk of the network, heads, the operations of one span one by one, and what is made of them at
once (`bridge.release.delta.making.PIECE_BYTES`) in all its parts."""
SPAN_COPIES = 2
"""What was read or packed, and what was made: in pieces and joined."""
NUMBER_COPIES = 20
"""The control stream as bytes, and as numbers of 8 bytes each, while their row grows."""
DICTIONARY_COPIES = 2


def needed(head: FrameHead) -> int:
    """Bytes to apply a frame."""
    return floor(head.span, head.raw, head.window) + streams(head)


def floor(span: int, raw: int, window: int) -> int:
    """Bytes that spans take which make `span` bytes of image, of streams of `raw` bytes, and hold `window` for that.

    A library unpacks into memory of its own and copies; and packs into memory of its own and copies.
    """
    return FIXED + window + raw + max(raw, span * SPAN_COPIES)


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
        case Codec.BROTLI:
            return (1 << stream.second) + 3 * MEBIBYTE
        case Codec.BZ2:
            return 4 * MEBIBYTE
        case _:
            return 0

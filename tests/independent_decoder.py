"""A decoder of payloads written from docs/payload-format.md alone: it shares no code with the project.

`decode(payload, old)`, of the whole payload and the whole old image, gives the new image or raises `Refused`.
"""

from __future__ import annotations

import bz2
import hashlib
import lzma
import struct
import sys
import zlib

import brotli
import lz4.block

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

ZERO, COPY, ADD, LITERAL, INFLATE, DEFLATE = range(6)


class Refused(Exception):
    """Not what the specification allows."""


def require(holds, what):
    if not holds:
        raise Refused(what)


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, count):
        self.at += count
        require(self.at <= len(self.data), "cut")
        return self.data[self.at - count : self.at]

    def unpack(self, layout):
        return struct.unpack("<" + layout, self.take(struct.calcsize("<" + layout)))

    def planes(self, count):
        values, left, shift = [0] * count, range(count), 0
        while left:
            plane = dict(zip(left, self.take(len(left)), strict=True))
            require(shift < 49 and (not shift or all(plane.values())), "number")
            for place, byte in plane.items():
                values[place] |= (byte & 127) << shift
            left, shift = [place for place in left if plane[place] >= 128], shift + 7
        return values

    def numbers(self, count):
        return [self.planes(1)[0] for _ in range(count)]


def decode(payload, old):
    reader = Reader(payload)
    magic, ways, old_length, new_length, old_hash, new_hash, _, frames = reader.unpack("5sBQQ32s32sII")
    packings = [reader.unpack("BBbBBI") for _ in range(ways)]
    require(zlib.crc32(payload[: reader.at]) == reader.unpack("I")[0], "header checksum")
    old_pair = len(old), hashlib.sha256(old).digest() if old else bytes(32)
    require(magic == b"\x89OTB\x01" and (old_length, old_hash) == old_pair, "magic, version or old image")
    seals = [zlib.crc32(struct.pack("<I", index), zlib.crc32(old_hash + new_hash)) for index in range(frames)]
    image = b"".join(decode_frame(reader, seal, old, packings) for seal in seals)
    require((reader.at, len(image), hashlib.sha256(image).digest()) == (len(payload), new_length, new_hash), "image")
    return image


def decode_frame(reader, seal, old, packings):
    start, size, dictionary = reader.at, reader.unpack("B")[0], b""
    length, spans, *_ = reader.numbers(5)
    streams = [(raw, *(reader.numbers(4) if raw else [0] * 4)) for (raw,) in (reader.numbers(1) for _ in range(3))]
    if streams[2][1] == 5:
        offset, count, check = reader.numbers(3)
        require(zlib.crc32(dictionary := old[offset : offset + count]) == check, "dictionary")
    seen = zlib.crc32(reader.data[start : reader.at], seal)
    require((reader.at - start, seen) == (1 + size, reader.unpack("I")[0]), "frame checksum")
    control, diff, extra = (Reader(decode_stream(reader, stream, dictionary)) for stream in streams)
    made = b"".join(make_span(span, old, packings, diff, extra) for span in read_control(control, spans))
    require((len(made), diff.at, extra.at) == (length, len(diff.data), len(extra.data)), "frame lengths")
    return made


def decode_stream(reader, stream, dictionary):
    raw, codec, first, second, stored = stream
    data = reader.take(stored) or bytes(raw)
    if codec == 2:
        lzma1 = {"id": lzma.FILTER_LZMA1, "lc": first % 9, "lp": first // 9 % 5, "pb": first // 45}
        data = lzma.decompress(data, lzma.FORMAT_RAW, filters=[lzma1 | {"dict_size": 1 << second}])
    elif codec in (3, 6):
        data = (bz2 if codec == 3 else brotli).decompress(data)
    elif codec in (4, 5):
        prefix = zstd.ZstdDict(dictionary, is_raw=True).as_prefix if codec == 5 else None
        data = zstd.decompress(data, prefix, {zstd.DecompressionParameter.window_log_max: second})
    require(len(data) == raw, "stream length")
    return data


def read_control(control, spans):
    """Per span its operations (kind, length, other, packing, source), and its two checksums."""
    kinds = control.numbers(sum(counts := control.numbers(spans)))
    lengths = [iter(control.numbers(kinds.count(kind))) for kind in range(6)]
    columns = [{kind: iter(control.numbers(kinds.count(kind))) for kind in (INFLATE, DEFLATE)} for _ in range(2)]
    sources = iter(control.planes(sum(kind in (COPY, ADD, INFLATE) for kind in kinds)))
    cursor, operations = 0, []
    for kind in kinds:
        length, source = next(lengths[kind]), 0
        other, index = (next(column[kind]) for column in columns) if kind in columns[0] else (0, 0)
        if kind in (COPY, ADD, INFLATE):
            folded = next(sources)
            cursor = source = cursor + (-(folded + 1) // 2 if folded % 2 else folded // 2)
        cursor += {INFLATE: other, DEFLATE: 0}.get(kind, length)
        operations.append((kind, length, other, index, source))
    return [([operations.pop(0) for _ in range(count)], control.unpack("II")) for count in counts]


def pack(raw, way):
    if way[0] == 2:
        mode = "high_compression" if way[1] else "default"
        return lz4.block.compress(raw, mode=mode, compression=way[1], store_size=False)
    packer = zlib.compressobj(way[1], zlib.DEFLATED, *way[2:5])
    return packer.compress(raw) + packer.flush()


def make_span(span, old, ways, diff, extra):
    (operations, checks), packing = span, None
    read = window = image = raw = b""
    for kind, length, other, index, source in operations:
        base, start = (old, source) if source < len(old) else (window, source - len(old))
        part = base[start : start + (other or length)] if kind in (COPY, ADD, INFLATE) else bytes(length)
        read += part if base is old and kind in (COPY, ADD, INFLATE) else b""
        if kind == INFLATE:
            window += zlib.decompress(part, way) if (way := ways[index][2]) else lz4.block.decompress(part, length)
        elif kind == DEFLATE:
            packing, raw = (other, ways[index]), b""
        else:
            if kind == ADD:
                part = bytes((a + b) % 256 for a, b in zip(part, diff.take(length), strict=True))
            raw += extra.take(length) if kind == LITERAL else part
        if packing and len(raw) == packing[0]:
            raw, packing = pack(raw, packing[1]), None
        image, raw = (image, raw) if packing else (image + raw, b"")
    plain = {kind for kind, *_ in operations} in ({ZERO}, {COPY})
    require(checks == (zlib.crc32(read), 0 if plain else zlib.crc32(image)), "span checksums")
    return image

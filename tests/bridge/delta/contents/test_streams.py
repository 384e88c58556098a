"""Kernels packed with LZ4, gzip members and zlib streams, wherever they are; and advice about what is none of these."""

from __future__ import annotations

import gzip
import io
import lzma
import random
import shutil
import struct
import subprocess
import sys
import zlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridge.delta.contents.lz4_frames import BLOCK_BYTES
from bridge.release.delta.packing import Method, Packing
from tests.bridge.delta.contents.pictures import find, text

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

NOISE = random.Random(5).randbytes(5000)
LZ4 = Packing.lz4(9)
MILD = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def legacy(*raws, level=9):
    """A legacy frame of LZ4."""
    blocks = [Packing.lz4(level).pack(raw) for raw in raws]
    return b"\x02\x21\x4c\x18" + b"".join(struct.pack("<I", len(block)) + block for block in blocks)


def kernel(*raws, level=9):
    """Something like a kernel image: a frame between other bytes, and the length of what it unpacks to behind it."""
    return NOISE + legacy(*raws, level=level) + struct.pack("<I", 52 << 20) + NOISE[:700]


def raws_of(found, image, streams):
    """What the streams unpack to."""
    return [
        found.packings[stream.packing].unpack(image[stream.offset : stream.offset + stream.length], stream.raw)
        for stream in streams
    ]


def test_blocks_of_a_kernel_are_found():
    """Each of 8 MiB before packing, but for the last."""
    large = text(1, 4096) * (BLOCK_BYTES // 4096)
    old, new = kernel(large, text(2, 90_000)), kernel(large[:-7] + b"another", text(3, 90_000))
    found = find(old, new)

    assert [(packing.method, packing.level) for packing in found.packings] == [(Method.LZ4, 9)]
    assert raws_of(found, new, found.new) == [large[:-7] + b"another", text(3, 90_000)]
    assert len(found.old) == 2
    assert found.notes == ()


def test_frame_of_the_lz4_program_is_found(tmp_path):
    """As the kernel's Makefile runs it."""
    if not shutil.which("lz4"):
        pytest.skip("needs lz4")
    path = tmp_path / "raw"
    path.write_bytes(text(4, 200_000))
    new = subprocess.run(["lz4", "-l", "-9", "-c", str(path)], check=True, capture_output=True).stdout
    found = find(kernel(text(2, 5000)), NOISE + new)

    assert [(stream.offset, stream.raw) for stream in found.new] == [(len(NOISE) + 8, 200_000)]


def test_limit_of_unpacked_bytes_is_kept():
    """Devices with less memory get no larger streams, and a note that tells."""
    old, new = kernel(text(1, 400_000)), kernel(text(2, 400_000))
    found = find(old, new, most=1 << 20)

    assert (found.old, found.new) == ((), ())
    assert "1 LZ4 blocks of" in found.notes[0]
    assert "more than 1048576 bytes each" in found.notes[0]


def gzipped(raw, level, name=""):
    """A gzip member as Python's `gzip` makes it, with or without a file name."""
    output = io.BytesIO()
    with gzip.GzipFile(name, "wb", level, output, mtime=1) as file:
        file.write(raw)
    return output.getvalue()


@pytest.mark.parametrize("level", [1, 6, 9])
@pytest.mark.parametrize("name", ["", "changelog"])
def test_gzip_members_are_found(level, name):
    """As raw deflate behind their heads, which may have names."""
    old, new = (NOISE + gzipped(text(seed, 60_000), level, name) + NOISE for seed in (1, 2))
    found = find(old, new)

    assert [(packing.level, packing.window_bits) for packing in found.packings] == [(level, -15)]
    assert raws_of(found, new, found.new) == [text(2, 60_000)]
    assert new[found.new[0].offset :][: found.new[0].length] in new


@pytest.mark.parametrize("level", [1, 5, 6, 9])
def test_zlib_streams_are_found(level):
    """Whose second byte tells the level roughly."""
    old, new = (NOISE + zlib.compress(text(seed, 60_000), level) + NOISE for seed in (1, 2))
    found = find(old, new)

    assert [(packing.level, packing.window_bits) for packing in found.packings] == [(level, 15)]
    assert raws_of(found, new, found.new) == [text(2, 60_000)]


def test_many_ways_of_packing_keep_to_four():
    """A payload names no more: those that pack most are kept."""
    lengths = {1: 50_000, 3: 60_000, 5: 70_000, 6: 80_000, 9: 90_000}
    old, new = (
        b"".join(zlib.compress(text(seed + level, length), level) for level, length in lengths.items())
        for seed in (1, 100)
    )
    found = find(old, new)

    assert [packing.level for packing in found.packings] == [9, 6, 5, 3]
    assert [stream.raw for stream in found.new] == [60_000, 70_000, 80_000, 90_000]
    assert len(found.old) == 5


def test_images_whose_streams_all_stayed_hold_nothing():
    """What did not change needs no unpacking: it is copied as it is."""
    image = kernel(text(1, 90_000))

    assert find(image, b"more" + image).new == ()


def test_gzip_of_gnu_is_told(tmp_path):
    """It packs otherwise than zlib."""
    if not shutil.which("gzip"):
        pytest.skip("needs gzip")
    path = tmp_path / "raw"
    path.write_bytes(random.Random(1).randbytes(30_000) + text(1, 200_000))
    new = NOISE + subprocess.run(["gzip", "-9", "-n", "-c", str(path)], check=True, capture_output=True).stdout
    found = find(NOISE, new)
    exact = zlib.compress(path.read_bytes(), 9, -15) in new

    assert exact or any("1 gzip members of" in note and "GNU gzip" in note for note in found.notes)


LARGE = random.Random(2).randbytes(20_000)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (lzma.compress(LARGE), f"1 xz streams of 200\\d\\d bytes, the first at byte {len(NOISE)}, .*unpacked.*LZ4"),
        (zstd.compress(LARGE), f"1 zstd frames of 200\\d\\d bytes, the first at byte {len(NOISE)}, "),
        (bytes(-len(NOISE) % 512) + b"LUKS\xba\xbe\0\2", r"an encrypted volume begins at byte 5120: .*on the device"),
        (gzipped(text(1, 10_000) + LARGE * 500, 1), r"1 gzip members of \d+ bytes, .*more than 8388608 bytes each"),
    ],
    ids=["xz", "zstd", "LUKS", "large gzip"],
)
def test_what_cannot_be_exact_is_told(data, words):
    """What it is, where, how much of it, and what to do about it."""
    import re

    notes = find(NOISE, NOISE + data + NOISE).notes

    assert len(notes) == 1
    assert re.search(words, notes[0])


@pytest.mark.parametrize("magic", [b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd", b"\x1f\x8b\x08", b"\x02\x21\x4c\x18", b"hsqs"])
def test_first_bytes_alone_are_told_to_nobody(magic):
    """Programs that unpack these formats hold their magic numbers too."""
    found = find(NOISE, (magic + NOISE[:40]) * 900)

    assert (found.new, found.notes) == ((), ())


def ext4(uuid):
    """The superblock of an ext4, as far as it is looked at."""
    block = bytearray(4096)
    block[1024 + 56 : 1024 + 58] = b"\x53\xef"
    block[1024 + 104 : 1024 + 120] = uuid * 16
    return bytes(block)


def test_file_systems_made_anew_are_told():
    """A random UUID or hash seed moves every directory entry."""
    start = bytes(1 << 20)
    (note,) = find(start + ext4(b"a"), start + ext4(b"b")).notes

    assert "the ext4 at byte 1048576 has another UUID or hash seed" in note
    assert "E2FSPROGS_FAKE_TIME" in note
    assert find(start + ext4(b"a"), start + ext4(b"a")).notes == ()


GOOD = kernel(text(1, 9000)) + gzipped(text(2, 9000), 6, "name") + zlib.compress(text(3, 9000))


@MILD
@given(st.lists(st.tuples(st.integers(0, len(GOOD) - 1), st.integers(0, 255)), min_size=1, max_size=6))
def test_damaged_streams_never_harm(changes):
    """What is found unpacks and, of the new image, packs again; it lies in the image and does not overlap."""
    image = bytearray(GOOD)
    for at, value in changes:
        image[at] = value
    found = find(NOISE, bytes(image))
    end = 0
    for stream, raw in zip(found.new, raws_of(found, bytes(image), found.new), strict=True):
        stored = bytes(image[stream.offset : stream.offset + stream.length])
        assert stream.offset >= end
        assert found.packings[stream.packing].pack(raw) == stored
        end = stream.offset + stream.length


def test_bombs_are_left_alone():
    """Streams that unpack to more than any device holds cost no more than that to look at."""
    bomb = zlib.compress(bytes(60_000_000), 9)
    found = find(NOISE, NOISE + bomb * 20)

    assert found.new == ()
    assert "more than 8388608 bytes each" in found.notes[0]

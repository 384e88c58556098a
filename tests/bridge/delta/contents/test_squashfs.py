"""Squashfs images: every packed block is found, wherever the image holds them, and garbage is left alone."""

from __future__ import annotations

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridge.release.delta.packing import Method
from tests.bridge.delta.contents.pictures import find, small_squashfs, squashfs, text

FILES = {f"usr/lib/{name}.so": text(name, 1000 + 40_000 * name) for name in range(8)} | {"etc/empty": b""}
BLOCKS = [text(seed, 4096) for seed in range(5)]
SMALL = small_squashfs(*BLOCKS)
OTHER = small_squashfs(*(text(seed + 50, 4096) for seed in range(8)))
MILD = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def changed(files, name="usr/lib/5.so"):
    """`files` with some bytes of one of them replaced."""
    return files | {name: files[name][:60_000] + b"patched" + files[name][60_007:]}


@pytest.mark.parametrize(
    ("options", "method", "level"),
    [
        (("-comp", "gzip"), Method.DEFLATE, 9),
        (("-comp", "gzip", "-Xcompression-level", "3"), Method.DEFLATE, 3),
        (("-comp", "gzip", "-Xwindow-size", "12", "-b", "65536"), Method.DEFLATE, 9),
        (("-comp", "lz4"), Method.LZ4, 0),
        (("-comp", "lz4", "-Xhc"), Method.LZ4, 12),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else str(value),
)
def test_nearly_all_of_a_squashfs_is_found(options, method, level, tmp_path):
    """Data, fragments, inodes, directories and tables: less than a kilobyte is left over."""
    old, new = squashfs(tmp_path, FILES, *options), squashfs(tmp_path, changed(FILES), *options)
    found = find(old, new)

    assert [(packing.method, packing.level) for packing in found.packings] == [(method, level)]
    for image, streams in ((old, found.old), (new, found.new)):
        length = int.from_bytes(image[40:48], "little")
        assert length - sum(stream.length for stream in streams) < 1024
        for stream in streams:
            stored = image[stream.offset : stream.offset + stream.length]
            raw = found.packings[0].unpack(stored, stream.raw)
            assert stored in old or found.packings[0].pack(raw) == stored
    assert found.notes == ()


def test_several_in_one_image_are_found(tmp_path):
    """Partitions: at any multiple of 4 KiB, between other bytes."""
    noise = random.Random(1).randbytes(3 * 4096)
    parts = [squashfs(tmp_path, files, "-comp", "gzip", "-no-xattrs") for files in (FILES, changed(FILES))]
    image = noise + parts[0] + noise + parts[1]
    found = find(noise + parts[1] + noise, image)
    inside = [stream.offset > len(noise + parts[0]) for stream in found.new]

    assert 10 < inside.count(False) <= inside.count(True) < 30


@pytest.mark.parametrize("comp", ["xz", "zstd", "lzo"])
def test_other_compressors_are_told(comp, tmp_path):
    """They cannot be made exact: the note says what to build instead."""
    image = bytes(4096) + squashfs(tmp_path, FILES, "-comp", comp)
    found = find(image, image)

    assert (found.old, found.new) == ((), ())
    assert any(
        f"bytes at byte 4096 is packed with {comp}," in note and "`mksquashfs -comp gzip`" in note
        for note in found.notes
    )


def test_squashfs_written_by_hand_is_found():
    """Without any program: each block of data, the inodes and the directories."""
    found = find(SMALL, bytes(8192) + OTHER)

    assert [stream.raw for stream in found.new] == [4096] * 8 + [8 * 36, 300]
    assert found.new[0].offset == 8192 + 96


def test_blocks_that_zlib_does_not_make_are_told():
    """Of the new image only what packs again bit by bit is used."""
    noise = [text(seed, 4096) for seed in range(400)]
    found = find(SMALL, small_squashfs(*noise, level=4))

    assert found.new == ()
    assert "the usual zlib" in found.notes[0]
    assert "400 squashfs blocks" in found.notes[0] or "squashfs blocks of" in found.notes[0]


@MILD
@given(st.lists(st.tuples(st.integers(0, len(SMALL) - 1), st.integers(0, 255)), min_size=1, max_size=6))
def test_damaged_squashfs_never_harms(changes):
    """Whatever its fields say: what is found unpacks, lies in the image, and does not overlap."""
    image = bytearray(SMALL)
    for at, value in changes:
        image[at] = value
    found = find(bytes(image), OTHER)
    end = 0
    for stream in found.old:
        assert end <= stream.offset < stream.offset + stream.length <= len(image)
        end = stream.offset + stream.length
        packing = found.packings[stream.packing]
        packing.unpack(bytes(image[stream.offset : end]), stream.raw)
    assert found.new


@MILD
@given(st.binary(max_size=200), st.integers(0, 95))
def test_garbage_behind_the_magic_never_harms(noise, keep):
    """A file that merely begins like one."""
    image = SMALL[:keep] + noise
    found = find(image, b"hsqs" + image)

    assert found.new == ()

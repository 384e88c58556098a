"""The full-image artifact: decoded the same however it arrives, resumable at every mark, harmless when hostile."""

from __future__ import annotations

import hashlib
import random
import subprocess
from itertools import pairwise

import pytest
from backports import zstd
from hypothesis import given
from hypothesis import strategies as st

from bridge.release.errors import AlteredRelease
from bridge.release.manifest import MAX_WINDOW_LOG, Artifact, Image
from bridge.release.payload import PIECE_BYTES, ImageDecoder, Mark
from tests.releases import compress, describe

IMAGE = random.Random(1).randbytes(20_000) + bytes(60_000) + random.Random(2).randbytes(7_001)
DATA = compress(IMAGE, 16 * 1024)
ARTIFACT = describe(IMAGE, DATA)


START = Mark()


def decode(data, artifact=ARTIFACT, start=START, size=1000):
    """All image bytes of `data`, fed in chunks of `size`."""
    decoder = ImageDecoder(artifact, start)
    pieces = [piece for at in range(0, len(data), size) for piece in decoder.feed(data[at : at + size])]
    decoder.finish()
    return b"".join(pieces)


@given(st.lists(st.integers(0, len(DATA)), max_size=20))
def test_any_chunking_decodes_to_the_image(cuts):
    """The network cuts the stream anywhere, also into nothing."""
    decoder = ImageDecoder(ARTIFACT)
    edges = [0, *sorted(cuts), len(DATA)]
    pieces = [piece for a, b in pairwise(edges) for piece in decoder.feed(DATA[a:b])]
    decoder.finish()

    assert b"".join(pieces) == IMAGE


def test_byte_by_byte_decodes_to_the_image():
    """The slowest link there is."""
    assert decode(DATA, size=1) == IMAGE


def marks():
    """Every mark that a download of the artifact passes."""
    decoder, seen = ImageDecoder(ARTIFACT), []
    for byte in DATA:
        for _ in decoder.feed(bytes([byte])):
            pass
        seen.append(decoder.mark)
    return list(dict.fromkeys(seen))


def test_a_mark_lies_after_every_frame():
    """Six frames, six places to go on from, and the last one is the end."""
    assert [0, 16384, 32768, 49152, 65536, 81920, len(IMAGE)] == [mark.image for mark in marks()]
    assert Mark(len(DATA), len(IMAGE)) == marks()[-1]


@pytest.mark.parametrize("mark", marks(), ids=lambda mark: f"image byte {mark.image}")
def test_decoding_goes_on_at_every_mark(mark):
    """After a reboot the rest of the artifact gives the rest of the image."""
    assert IMAGE[mark.image :] == decode(DATA[mark.artifact :], start=mark)


def test_position_counts_what_was_taken_and_given():
    """Progress can be shown without counting beside the decoder."""
    decoder = ImageDecoder(ARTIFACT)
    given_bytes = sum(len(piece) for piece in decoder.feed(DATA[:5000]))

    assert Mark(5000, given_bytes) == decoder.position


def lying(data, image_length):
    """A signed description of `data` that claims an image of `image_length` bytes."""
    return Artifact("bomb.zst", len(data), hashlib.sha256(data).hexdigest(), Image(image_length, "0" * 64))


def test_a_bomb_stays_small():
    """A gigabyte in a few kilobytes comes out in bounded pieces, and stops at the signed length."""
    bomb = zstd.compress(bytes(64 << 20))
    decoder, sizes = ImageDecoder(lying(bomb, 1 << 20)), []
    with pytest.raises(AlteredRelease, match="decodes to more than the 1048576 bytes that were signed"):
        sizes.extend(len(piece) for piece in decoder.feed(bomb))

    assert max(sizes) <= PIECE_BYTES
    assert sum(sizes) <= 1 << 20


def test_a_window_larger_than_a_devices_memory_is_refused():
    """The frame's header asks for memory; the device decides."""
    parameter = zstd.CompressionParameter
    options = {parameter.window_log: MAX_WINDOW_LOG + 2, parameter.content_size_flag: 0}
    compressor = zstd.ZstdCompressor(options=options)
    data = compressor.compress(random.Random(3).randbytes(1 << 16)) + compressor.flush()
    with pytest.raises(AlteredRelease, match="is not the zstd stream it was"):
        decode(data, lying(data, 1 << 16))


def test_flipped_bytes_are_refused_everywhere():
    """Wherever a bit turns, the artifact is refused at the latest when it ends."""
    for position in range(0, len(DATA), 97):
        altered = bytearray(DATA)
        altered[position] ^= 0x10
        with pytest.raises(AlteredRelease, match=r"artifact rootfs\.img\.zst"):
            decode(bytes(altered))


WRONG = {
    "cut inside a frame": (DATA[:-1], "bytes of artifact is"),
    "cut between frames": (DATA[: marks()[2].artifact], "bytes of artifact is"),
    "garbage at the end": (DATA + b"garbage", "is longer than the"),
    "a frame at the end": (DATA + zstd.compress(b"more"), "is longer than the"),
    "nothing": (b"", "bytes of artifact is 0"),
}


@pytest.mark.parametrize(("data", "says"), WRONG.values(), ids=WRONG)
def test_more_or_less_than_signed_is_refused(data, says):
    """The message names the artifact and both numbers."""
    with pytest.raises(AlteredRelease, match=says):
        decode(data)


def test_garbage_that_was_signed_with_the_artifact_is_refused():
    """Even an owner's mistake does not reach the slot: after the last frame only a frame may follow."""
    data = DATA + b"garbage"
    with pytest.raises(AlteredRelease, match="is not the zstd stream it was"):
        decode(data, lying(data, len(IMAGE)))


def test_an_artifact_that_ends_inside_a_frame_is_refused():
    """Lengths may agree while the last frame's checksum is missing."""
    data = zstd.compress(IMAGE, options={zstd.CompressionParameter.checksum_flag: 1})[:-4]
    with pytest.raises(AlteredRelease, match="ends inside a zstd frame"):
        decode(data, lying(data, len(IMAGE)))


def test_the_zstd_program_reads_it_too(tmp_path):
    """No private format: any `zstd -d` decodes an artifact."""
    path = tmp_path / "image.zst"
    path.write_bytes(DATA)
    try:
        ran = subprocess.run(["zstd", "-dc", path], capture_output=True, check=True)
    except FileNotFoundError:
        pytest.skip("the zstd program is not installed")

    assert ran.stdout == IMAGE

"""The full-image artifact: the same bytes for the same image, whole or not at all."""

from __future__ import annotations

import hashlib
import os
import random

import pytest

from bridge.errors import UsageError
from bridge.folder import check_artifact
from bridge.images import DEFAULT_LEVEL, PARTIAL, WINDOW_LOG, Encoding, artifact_name, build_artifact
from bridge.release.manifest import MAX_WINDOW_LOG
from bridge.release.payload import FRAME_BYTES, ImageDecoder

FAST = Encoding(level=1, threads=2)
BYTES = random.Random(4).randbytes(1 << 16) * 70 + b"the odd end"
"""A little more than one frame."""


@pytest.fixture
def image(tmp_path):
    """A raw image of two frames."""
    path = tmp_path / "rootfs.img"
    path.write_bytes(BYTES)
    return path


def ignore(_count):
    """Nobody watches."""


def test_an_artifact_decodes_to_its_image(image, tmp_path):
    """What is described is what was written, and the device's decoder reads it back."""
    target, steps = tmp_path / "a.full.zst", []
    artifact = build_artifact(image, target, steps.append, FAST)

    assert ("a.full.zst", target.stat().st_size) == (artifact.name, artifact.length)
    assert (len(BYTES), hashlib.sha256(BYTES).hexdigest()) == (artifact.image.length, artifact.image.sha256)
    assert hashlib.sha256(target.read_bytes()).hexdigest() == artifact.sha256
    check_artifact(target, artifact, ignore)
    assert [FRAME_BYTES, len(BYTES) - FRAME_BYTES] == steps


def test_a_device_can_go_on_at_every_frame(image, tmp_path):
    """Each frame stands alone: the decoder passes a mark after so many image bytes."""
    artifact = build_artifact(image, tmp_path / "a.zst", ignore, FAST)
    decoder, marks = ImageDecoder(artifact), []
    data = (tmp_path / "a.zst").read_bytes()
    for at in range(0, len(data), 4096):
        for _ in decoder.feed(data[at : at + 4096]):
            pass
        marks.append(decoder.mark.image)

    assert {0, FRAME_BYTES, len(BYTES)} == set(marks)


def test_the_same_image_gives_the_same_artifact(image, tmp_path):
    """However many threads: a build can be repeated by someone who does not trust it."""
    built = [build_artifact(image, tmp_path / "a.zst", ignore, Encoding(3, threads)) for threads in (1, 2, 7)]

    assert len(set(built)) == 1


def test_the_window_fits_every_device():
    """A device refuses a larger one."""
    assert WINDOW_LOG <= MAX_WINDOW_LOG
    assert DEFAULT_LEVEL in range(1, 23)


@pytest.mark.parametrize("level", [0, 23, -5])
def test_a_level_that_zstd_lacks_is_refused(level):
    """With the range that it has."""
    with pytest.raises(UsageError, match=f"compression level {level} is outside 1 to 22"):
        Encoding(level)


def test_what_is_no_image_is_refused(tmp_path):
    """Missing, a folder, empty, a pipe: each by its path, and nothing is left behind."""
    (tmp_path / "empty.img").touch()
    os.mkfifo(tmp_path / "pipe.img")
    (tmp_path / "folder.img").mkdir()
    for name, says in {
        "missing.img": "cannot be read: No such file or directory",
        "folder.img": "is neither a file nor a block device",
        "pipe.img": "is neither a file nor a block device",
        "empty.img": "has 0 bytes; 1 to ",
        "empty.img/inside": "cannot be read: Not a directory",
    }.items():
        with pytest.raises(UsageError, match=f"image {tmp_path / name} {says}"):
            build_artifact(tmp_path / name, tmp_path / "a.zst", ignore, FAST)
    assert not list(tmp_path.glob("a.zst*"))


@pytest.mark.parametrize("change", ["ab", "r+b"], ids=["it grew", "it was rewritten"])
def test_an_image_that_changes_while_it_is_read_is_refused(image, tmp_path, change):
    """A build that still writes, or a mounted file system, would give an image that never was."""

    def disturb(_count):
        with image.open(change) as file:
            file.write(b"changed")
        os.utime(image, ns=(1, 1))

    with pytest.raises(UsageError, match="changed while it was read"):
        build_artifact(image, tmp_path / "a.zst", disturb, FAST)
    assert [image] == list(tmp_path.iterdir())


def test_a_full_disk_is_told_and_leaves_nothing(image, tmp_path):
    """/dev/full stands in for the disk."""
    (tmp_path / f"a.zst{PARTIAL}").symlink_to("/dev/full")
    with pytest.raises(UsageError, match=r"artifact .*a\.zst cannot be written: no space left in "):
        build_artifact(image, tmp_path / "a.zst", ignore, FAST)
    assert [image] == list(tmp_path.iterdir())


def test_a_missing_folder_is_told(image, tmp_path):
    """The target's folder must be there."""
    with pytest.raises(UsageError, match="cannot be written: No such file or directory"):
        build_artifact(image, tmp_path / "nowhere" / "a.zst", ignore, FAST)


@pytest.mark.parametrize(
    ("parts", "name"),
    [
        (("gateway-os", "2.0.0", ""), "gateway-os-2.0.0.full.zst"),
        (("gateway-os", "2.0.0", "r2"), "gateway-os-2.0.0.r2.full.zst"),
        (("Gateway OS/x", "2.0+ä", "r 2"), "Gateway-OS-x-2.0--.r-2.full.zst"),
        (("../evil", "1", ""), "evil-1.full.zst"),
    ],
)
def test_an_artifacts_name_is_a_file_name(parts, name):
    """Whatever the release is called."""
    assert name == artifact_name(*parts)

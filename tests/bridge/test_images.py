"""The full artifact: the same bytes for the same image, whole or not at all."""

from __future__ import annotations

import hashlib
import os
import random

import pytest

from bridge.artifacts import check_artifact
from bridge.delta.coding import code_frame
from bridge.delta.cutting import Limits
from bridge.delta.steps import READ_BYTES
from bridge.errors import UsageError
from bridge.images import DEFAULT_LEVEL, Encoding, artifact_name, build_artifact
from bridge.large_files import PARTIAL
from bridge.release.delta.apply import Applier, Expected
from bridge.release.delta.memory import DEVICE_MEMORY
from tests.releases import InMemory

FAST = Encoding(level=1, threads=2)
NOISE = random.Random(4).randbytes(1 << 16)
HOLE = 1 << 22
BYTES = NOISE * 70 + bytes(HOLE) + NOISE * 70 + b"the odd end"
"""A little more than one frame, with a hole in the middle."""


@pytest.fixture
def image(tmp_path):
    """A raw image of two frames."""
    path = tmp_path / "rootfs.img"
    path.write_bytes(BYTES)
    return path


def ignore(_count):
    """Nobody watches."""


def test_an_artifact_makes_its_image(image, tmp_path):
    """What is described is what was written, the device's applier makes it, and each byte was counted once."""
    target, steps = tmp_path / "a.full", []
    artifact = build_artifact(image, target, steps.append, FAST)

    assert ("a.full", target.stat().st_size) == (artifact.name, artifact.length)
    assert (len(BYTES), hashlib.sha256(BYTES).hexdigest()) == (artifact.image.length, artifact.image.sha256)
    assert hashlib.sha256(target.read_bytes()).hexdigest() == artifact.sha256
    assert check_artifact(target, artifact, ignore)
    assert (len(BYTES), None) == (sum(steps), artifact.source)


def test_a_device_can_go_on_in_every_span(image, tmp_path):
    """Each checkpoint leads to the same image, and no more than a frame is fetched again; repeats and holes
    cost next to nothing."""
    artifact = build_artifact(image, tmp_path / "a", ignore, FAST)
    data, made, checkpoints = (tmp_path / "a").read_bytes(), bytearray(), set()
    applier = Applier(InMemory(b""), Expected(artifact.image))
    for piece in applier.feed(data):
        checkpoints.add(applier.checkpoint)
        made += piece
    applier.finish()
    assert made == BYTES

    for start in sorted(checkpoints, key=lambda each: each.target)[1::4]:
        again = Applier(InMemory(b""), Expected(artifact.image), start=start)
        assert b"".join(again.feed(data[start.payload :])) == BYTES[start.target :]
    assert {each.frame for each in checkpoints} == {0, 1}
    assert len(data) < 3 * len(NOISE)


def test_a_device_takes_less_memory_than_it_grants(image, tmp_path):
    """At the default level, whatever is inside; release.json says how much."""
    (tmp_path / "noise.img").write_bytes(random.Random(8).randbytes(9 << 20))
    for source in (image, tmp_path / "noise.img"):
        assert 0 < build_artifact(source, tmp_path / "a", ignore, Encoding(1)).memory < DEVICE_MEMORY // 2


def test_the_same_image_gives_the_same_artifact(image, tmp_path):
    """However many threads: a build can be repeated by someone who does not trust it."""
    built = [build_artifact(image, tmp_path / "a.full", ignore, Encoding(3, threads)) for threads in (1, 2, 7)]

    assert len(set(built)) == 1


def test_the_default_level_exists():
    """It is the one that people get."""
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
            build_artifact(tmp_path / name, tmp_path / "a.full", ignore, FAST)
    assert not list(tmp_path.glob("a.full*"))


@pytest.mark.parametrize("change", ["ab", "r+b"], ids=["it grew", "it was rewritten"])
def test_an_image_that_changes_while_it_is_read_is_refused(image, tmp_path, change):
    """A build that still writes, or a mounted file system, would give an image that never was."""

    def disturb(_count):
        with image.open(change) as file:
            file.write(b"changed")
        os.utime(image, ns=(1, 1))

    with pytest.raises(UsageError, match="changed while it was read"):
        build_artifact(image, tmp_path / "a.full", disturb, FAST)
    assert [image] == list(tmp_path.iterdir())


def test_a_full_disk_is_told_and_leaves_nothing(image, tmp_path):
    """/dev/full stands in for the disk."""
    (tmp_path / f"a.full{PARTIAL}").symlink_to("/dev/full")
    with pytest.raises(UsageError, match=r"artifact .*a\.full cannot be written: no space left in "):
        build_artifact(image, tmp_path / "a.full", ignore, FAST)
    assert [image] == list(tmp_path.iterdir())


def test_a_missing_folder_is_told(image, tmp_path):
    """The target's folder must be there."""
    with pytest.raises(UsageError, match="cannot be written: No such file or directory"):
        build_artifact(image, tmp_path / "nowhere" / "a.full", ignore, FAST)


@pytest.mark.parametrize(
    ("parts", "name"),
    [
        (("gateway-os", "2.0.0", ""), "gateway-os-2.0.0.full"),
        (("gateway-os", "2.0.0", "r2"), "gateway-os-2.0.0.r2.full"),
        (("Gateway OS/x", "2.0+ä", "r 2"), "Gateway-OS-x-2.0--.r-2.full"),
        (("../evil", "1", ""), "evil-1.full"),
        (("gateway-os", "2.0.0", "r2", "0123456789abcdef" * 4), "gateway-os-2.0.0.r2.from-0123456789ab.delta"),
    ],
)
def test_an_artifacts_name_is_a_file_name(parts, name):
    """Whatever the release is called."""
    assert name == artifact_name(*parts)


def test_memory_is_bounded_by_the_threads_and_not_by_the_image(image, tmp_path, monkeypatch):
    """Reading waits for the coders: never more than a frame for each, and two on their way."""
    small = Limits(span=1 << 16, frame=1 << 16, alone=1 << 16)
    read, coded, ahead = [0], [0], []

    def step(count):
        read[0] += count

    def coding(frame, *more):
        ahead.append(read[0] - coded[0])
        made = code_frame(frame, *more)
        coded[0] += made.head.target
        return made

    monkeypatch.setattr("bridge.images.WHOLE", small)
    monkeypatch.setattr("bridge.images.code_frame", coding)
    build_artifact(image, tmp_path / "a.full", step, FAST)

    assert len(ahead) > 100
    assert max(ahead) <= READ_BYTES + HOLE + (FAST.threads + 2) * small.frame

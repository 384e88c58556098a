"""A release of several steps on disk: what is built is what devices are handed, and is held against what was signed."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from bridge.building import Recipe, build
from bridge.delta.progress import Silence
from bridge.errors import UsageError
from bridge.folder import RELEASE_FILE, examine, load
from bridge.handler_files import StepSource
from bridge.images import Encoding
from bridge.publish import Delivery, publish
from bridge.release.artifact import Codec
from bridge.release.errors import AlteredRelease, MalformedRelease
from bridge.release.manifest import parse
from bridge.release.step import Place, Step
from bridge.release.trust import follow
from tests.bridge.fakes import FakeFleet
from tests.releases import NOW, ReleaseKit, image_of, new_release, sha256
from tests.stepped import APPLICATION, BOOT, BUNDLE, ROOTFS

SEED = random.Random(12)
IMAGE = SEED.randbytes(60_000) + bytes(20_000)
OLDER = IMAGE[:30_000] + b"older" + IMAGE[30_005:]
BOOT_BYTES, PACKAGE_BYTES, BUNDLE_BYTES = b"#!/bin/sh\nexit 0\n", SEED.randbytes(9000), SEED.randbytes(5000)
FAST = Encoding(level=1, threads=2)
DRAFT = new_release(artifacts=())


@pytest.fixture
def sources(tmp_path):
    """Everything that a release may be made from, by the names of steps."""
    given = {
        "boot.sh": BOOT_BYTES,
        "app.deb": PACKAGE_BYTES,
        "slot.raucb": BUNDLE_BYTES,
        "rootfs.img": IMAGE,
        "older.img": OLDER,
    }
    for name, data in given.items():
        (tmp_path / name).write_bytes(data)
    return {
        "boot": StepSource(BOOT, tmp_path / "boot.sh"),
        "rootfs": StepSource(ROOTFS),
        "application": StepSource(APPLICATION, tmp_path / "app.deb"),
        "bundle": StepSource(BUNDLE, tmp_path / "slot.raucb", tmp_path / "rootfs.img"),
    }


def three(sources, folder, **changes):
    """A script, our image, a package."""
    steps = (sources["boot"], sources["rootfs"], sources["application"])
    return Recipe(folder / "rootfs.img", encoding=FAST, steps=steps, **changes)


def test_each_step_gets_what_its_handler_takes(sources, tmp_path):
    """The image as a payload, files byte for byte; named for the release and the step; read back as it was drafted."""
    built = build(three(sources, tmp_path), tmp_path / "rel", DRAFT, Silence())

    assert {path.name for path in (tmp_path / "rel").iterdir()} == {
        RELEASE_FILE,
        "gateway-os-2.0.0.r2.full",
        "gateway-os-2.0.0.r2.step-boot.sh",
        "gateway-os-2.0.0.r2.step-application.deb",
    }
    assert (tmp_path / "rel/gateway-os-2.0.0.r2.step-boot.sh").read_bytes() == BOOT_BYTES
    release = parse(load(tmp_path / "rel").signed)
    assert release.steps == built.release.steps == (BOOT, ROOTFS, APPLICATION)
    assert [(each.codec, each.step, each.image) for each in built.release.artifacts] == [
        (Codec.PAYLOAD, "rootfs", image_of(IMAGE)),
        (Codec.FILE, "boot", image_of(BOOT_BYTES)),
        (Codec.FILE, "application", image_of(PACKAGE_BYTES)),
    ]
    assert release.most_bytes == sum(artifact.length for artifact in release.artifacts)


def test_the_image_among_steps_may_travel_as_a_delta(sources, tmp_path):
    """For the step that writes it, like the full artifact."""
    built = build(three(sources, tmp_path, olds=(tmp_path / "older.img",)), tmp_path / "rel", DRAFT, Silence())

    (attempt,) = built.attempts
    assert (attempt.is_kept, attempt.artifact.step, attempt.artifact.source) == (True, "rootfs", image_of(OLDER))
    assert attempt.artifact in built.release.slot_artifacts


def test_another_handler_of_the_slot_says_what_it_leaves_behind(sources, tmp_path):
    """The bundle travels, the image that it makes does not."""
    built = build(Recipe(None, steps=(sources["bundle"],)), tmp_path / "rel", DRAFT, Silence())

    (artifact,) = built.release.artifacts
    assert (artifact.length, artifact.sha256) == (len(BUNDLE_BYTES), sha256(BUNDLE_BYTES))
    assert artifact.image == image_of(IMAGE)
    assert {path.suffix for path in (tmp_path / "rel").iterdir()} == {".json", ".raucb"}


def test_the_progress_of_each_file_is_told(sources, tmp_path):
    """Every phase is announced with its bytes, and each of them is counted once."""
    told = {}

    class Looking(Silence):
        def begin(self, phase, total):
            self.phase = phase
            told[phase] = [total, 0]

        def advance(self, count):
            told[self.phase][1] += count

    build(Recipe(None, steps=(sources["boot"], sources["bundle"])), tmp_path / "rel", DRAFT, Looking())

    assert told == {
        "copy boot.sh": [len(BOOT_BYTES), len(BOOT_BYTES)],
        "copy slot.raucb": [len(BUNDLE_BYTES), len(BUNDLE_BYTES)],
        "read rootfs.img": [len(IMAGE), len(IMAGE)],
    }


IMPOSSIBLE = {
    "nothing at all": (None, (), (), "give --image, or --steps"),
    "a step of ours and no image": (None, ("boot", "rootfs"), (), "step rootfs writes an image: give --image"),
    "an image and no step of ours": ("rootfs.img", ("boot",), (), 'no step has the handler "image", which would write'),
    "a delta and no step of ours": (None, ("boot",), ("older.img",), "no step writes an image, of which deltas could"),
    "more than a release holds": (
        "rootfs.img",
        ("boot", "rootfs", "application"),
        tuple(f"{number}.img" for number in range(14)),
        "14 deltas, the full artifact and 2 files of steps are more than the 16 artifacts that a release may have",
    ),
}


@pytest.mark.parametrize(("image", "steps", "olds", "says"), IMPOSSIBLE.values(), ids=IMPOSSIBLE)
def test_a_recipe_that_cannot_be_is_refused(sources, image, steps, olds, says):
    """Before anything is read."""
    with pytest.raises(UsageError, match=says):
        Recipe(image and Path(image), tuple(map(Path, olds)), steps=tuple(sources[name] for name in steps))


def a_folder(path):
    path.unlink()
    path.mkdir()


def a_pipe(path):
    path.unlink()
    os.mkfifo(path)


UNREADABLE = {
    "missing": (Path.unlink, "file .*app.deb cannot be read: No such file or directory"),
    "empty": (lambda path: path.write_bytes(b""), "file .*app.deb has 0 bytes; 1 to "),
    "a folder": (a_folder, "file .*app.deb is not a regular file"),
    "a pipe": (a_pipe, "file .*app.deb is not a regular file"),
}


@pytest.mark.parametrize(("spoil", "says"), UNREADABLE.values(), ids=UNREADABLE)
def test_a_file_that_cannot_be_read_is_found_before_the_long_work(sources, tmp_path, spoil, says):
    """No folder is made."""
    spoil(tmp_path / "app.deb")

    with pytest.raises(UsageError, match=says):
        build(three(sources, tmp_path), tmp_path / "rel", DRAFT, Silence())

    assert not (tmp_path / "rel").exists()


def test_the_image_of_another_handler_is_looked_for_as_early(sources, tmp_path):
    """It is as much of the release as the bundle."""
    (tmp_path / "rootfs.img").unlink()

    with pytest.raises(UsageError, match=r"image .*rootfs.img cannot be read"):
        build(Recipe(None, steps=(sources["bundle"],)), tmp_path / "rel", DRAFT, Silence())

    assert not (tmp_path / "rel").exists()


@pytest.mark.parametrize("change", [lambda path: path.write_bytes(b"longer than before" * 99), os.utime])
def test_a_file_that_changes_while_it_is_read_is_refused(sources, tmp_path, change):
    """Half of one and half of another; nothing of it is left, and there is no release."""

    class Meddling(Silence):
        def advance(self, _count):
            change(tmp_path / "app.deb")

    os.utime(tmp_path / "app.deb", (1, 1))
    recipe = Recipe(None, steps=(sources["application"],))
    with pytest.raises(UsageError, match=r"file .*app.deb changed while it was read; build again once it is finished"):
        build(recipe, tmp_path / "rel", DRAFT, Meddling())

    assert list((tmp_path / "rel").iterdir()) == []


def test_a_step_of_a_name_that_makes_too_long_a_release_is_refused_first(tmp_path):
    """What is signed has limits, which are known before the work."""
    settings = {f"s{number}": "x" * 256 for number in range(16)}
    steps = tuple(
        StepSource(Step(f"s{number}", "script", Place.DEVICE, settings), tmp_path / "boot.sh") for number in range(5)
    )

    with pytest.raises(MalformedRelease, match="the limit is 16384"):
        build(Recipe(None, steps=steps), tmp_path / "rel", DRAFT, Silence())

    assert not (tmp_path / "rel").exists()


def test_an_earlier_release_without_an_image_of_ours_is_no_source(sources, tmp_path):
    """Only the raw image is."""
    build(Recipe(None, steps=(sources["bundle"],)), tmp_path / "rel1", DRAFT, Silence())

    with pytest.raises(UsageError, match=r"--delta-from .*rel1: that release holds no image of ours to unpack: give"):
        build(three(sources, tmp_path, olds=(tmp_path / "rel1",)), tmp_path / "rel2", DRAFT, Silence())


def test_an_earlier_release_of_steps_is_a_source(sources, tmp_path):
    """Where its image is ours."""
    recipe = Recipe(tmp_path / "older.img", encoding=FAST, steps=(sources["rootfs"], sources["boot"]))
    build(recipe, tmp_path / "rel1", DRAFT, Silence())

    built = build(three(sources, tmp_path, olds=(tmp_path / "rel1",)), tmp_path / "rel2", DRAFT, Silence())

    assert built.attempts[0].artifact.source == image_of(OLDER)


# --- held against what was signed -------------------------------------------------------------------------------------

KIT = ReleaseKit()


@pytest.fixture
def signed(sources, tmp_path):
    """A release of a script, a bundle and a package, built and signed."""
    recipe = Recipe(None, steps=(sources["boot"], sources["bundle"], sources["application"]))
    built = build(recipe, tmp_path / "rel", DRAFT, Silence())
    (tmp_path / "rel" / RELEASE_FILE).write_bytes(KIT.sign(built.release))
    return tmp_path / "rel"


def examined(folder):
    """What an examination of all of it finds."""
    return examine(folder, follow(KIT.pinned, ()), NOW, None, lambda _count: None)


def test_files_are_held_against_what_was_signed(signed):
    """A file of the device is its own image; what a bundle makes is only known on a device."""
    found = {finding.artifact.step: finding for finding in examined(signed).findings}

    assert all(finding.problem is None for finding in found.values())
    assert {step: finding.is_applied for step, finding in found.items()} == {
        "boot": True,
        "bundle": False,
        "application": True,
    }


def flipped(data, position):
    """`data` with a bit of the byte at `position` turned."""
    return data[:position] + bytes([data[position] ^ 1]) + data[position + 1 :]


ALTERED = {
    "the first byte": (lambda data: flipped(data, 0), "its sha256 is"),
    "a byte in the middle": (lambda data: flipped(data, len(data) // 2), "its sha256 is"),
    "the last byte": (lambda data: flipped(data, len(data) - 1), "its sha256 is"),
    "a byte less": (lambda data: data[:-1], "bytes, signed were"),
    "a byte more": (lambda data: data + b"\0", "bytes, signed were"),
    "another step's file": (lambda _: PACKAGE_BYTES, "bytes, signed were"),
}


@pytest.mark.parametrize("name", ["step-boot.sh", "step-bundle.raucb"])
@pytest.mark.parametrize(("alter", "says"), ALTERED.values(), ids=ALTERED)
def test_a_file_that_is_not_what_was_signed_is_refused(signed, name, alter, says):
    """By name, and nothing is published."""
    path = signed / f"gateway-os-2.0.0.r2.{name}"
    path.write_bytes(alter(path.read_bytes()))

    with pytest.raises(AlteredRelease, match=says) as refused:
        publish(signed, examined(signed), [FakeFleet("factory", ())], lambda _fleet, _count: None)

    assert str(refused.value).startswith(f"artifact {path.name}: ")


def test_every_file_is_counted_for_the_progress_bar(signed):
    """As many bytes as the release has, whatever they are."""
    counted = []
    examine(signed, follow(KIT.pinned, ()), NOW, None, counted.append)

    assert sum(counted) == sum(artifact.length for artifact in parse(load(signed).signed).artifacts)


def test_all_files_are_published(signed):
    """With the image, to every fleet, once."""
    fleet = FakeFleet("factory", ())
    for _ in range(2):
        assert publish(signed, examined(signed), [fleet], lambda _fleet, _count: None) == (Delivery("factory"),)

    assert sorted(fleet.puts) == sorted(each.sha256 for each in parse(load(signed).signed).artifacts)

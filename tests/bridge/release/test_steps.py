"""Steps of a release: what is signed is read back, and what makes no sense together is refused by name."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tuf.api.metadata import Metadata

from bridge.release.artifact import Artifact, Codec
from bridge.release.errors import MalformedRelease
from bridge.release.image import MAX_IMAGE_BYTES, Image
from bridge.release.manifest import IMPLIED, MAX_RELEASE_BYTES, parse, render, require_valid
from bridge.release.step import IMAGE, MAX_STEPS, Place, Step
from bridge.release.trust import canonical, read_release
from tests.releases import ReleaseKit, describe, new_release
from tests.stepped import APPLICATION, BOOT, BUNDLE, ROOTFS, bundled, for_step, handed, in_place, stepped

HASHES = st.binary(min_size=32, max_size=32).map(bytes.hex)
IMAGES = st.builds(Image, length=st.integers(1, MAX_IMAGE_BYTES), sha256=HASHES)
NAMES = st.from_regex(r"\A[a-z0-9][a-z0-9-]{0,31}\Z")
HANDLERS = st.from_regex(r"\A[a-z][a-z0-9-]{0,31}\Z").filter(lambda name: name != IMAGE)
SETTINGS = st.dictionaries(
    st.from_regex(r"\A[a-z][a-z0-9_]{0,31}\Z"),
    st.text(st.characters(categories=("L", "N", "P", "S", "Zs")), max_size=256),
    max_size=3,
)


@st.composite
def steps(draw):
    """Steps in an order that can be signed: one at most of the slot, ours or another's, restarts before it alone."""
    names = draw(st.lists(NAMES, min_size=1, max_size=MAX_STEPS, unique=True))
    slot = draw(st.none() | st.integers(0, len(names) - 1))
    made = []
    for number, name in enumerate(names):
        if number == slot:
            made.append(Step(name, draw(st.just(IMAGE) | HANDLERS), Place.SLOT, draw(SETTINGS)))
        else:
            restart = (slot is None or number < slot) and draw(st.booleans())
            made.append(Step(name, draw(HANDLERS), Place.DEVICE, draw(SETTINGS), restart))
    return tuple(made)


@st.composite
def releases(draw):
    """Any release of steps that could be signed, its artifacts in any order."""
    wanted, artifacts = draw(steps()), []
    for step in wanted:
        image = draw(IMAGES)
        own = image if step.place is Place.DEVICE else draw(IMAGES)
        codec = Codec.PAYLOAD if step.handler == IMAGE else Codec.FILE
        artifacts.append(Artifact(f"{step.name}.bin", own.length, own.sha256, image, codec=codec, step=step.name))
        if step.handler == IMAGE and draw(st.booleans()):
            old = draw(IMAGES.filter(lambda each, new=image: each.sha256 != new.sha256))
            artifacts.append(Artifact(f"{step.name}.delta", 5, "a" * 64, image, source=old, memory=9, step=step.name))
    return new_release(steps=wanted, artifacts=tuple(draw(st.permutations(artifacts))))


@given(releases())
def test_what_is_signed_is_read_back(release):
    """Steps in their order with all that they say, each artifact for its step; also through the bytes that travel."""
    require_valid(release)
    assert parse(render(release)) == release

    document = canonical(Metadata(render(release)))
    if len(document) <= MAX_RELEASE_BYTES:
        seen = parse(read_release(document).signed)
        assert seen.steps == release.steps
        assert set(seen.artifacts) == set(release.artifacts)


@given(releases())
def test_a_release_of_steps_says_what_it_takes(release):
    """The step of the slot, its artifacts, and the most bytes that a device fetches, are consistent."""
    slot = [step for step in release.steps if step.place is Place.SLOT]

    assert release.slot_step == (slot[0] if slot else None)
    assert {artifact.step for artifact in release.slot_artifacts} == {step.name for step in slot}
    assert release.most_bytes == sum(each.length for each in release.artifacts if not each.name.endswith(".delta"))
    assert sum(len(release.artifacts_of(step)) for step in release.steps) == len(release.artifacts)


# --- the two formats --------------------------------------------------------------------------------------------------


def test_a_release_without_steps_is_written_as_before():
    """Member for member, so that a device of an earlier version reads it."""
    image = describe(b"image", b"payload")
    rendered = json.loads(canonical(Metadata(render(new_release(artifacts=(image,))))))["signed"]

    assert rendered["custom"] == {
        "spec": 1,
        "name": "gateway-os",
        "version": "2.0.0",
        "compatibility": {
            "model": "gateway-3",
            "hardware": ["r2"],
            "from_version": {"least": None, "most": None},
        },
        "floor": 1,
        "kind": "feature",
        "advisory": "",
        "support_until": None,
        "health": [],
        "full_over_metered": True,
    }
    assert rendered["targets"][image.name]["custom"] == {
        "image": {"length": 5, "sha256": image.image.sha256},
        "codec": "payload",
        "source": None,
        "memory": 0,
    }


def test_a_release_of_steps_says_that_earlier_devices_must_not_read_it():
    """They would take the image for the whole."""
    rendered = render(stepped(ReleaseKit(), b"image").release).to_dict()

    assert rendered["custom"]["spec"] == 2
    assert [step["name"] for step in rendered["custom"]["steps"]] == ["boot", "rootfs", "application"]
    assert {name: target["custom"]["step"] for name, target in rendered["targets"].items()} == {
        "boot.bin": "boot",
        "rootfs.full": "rootfs",
        "application.bin": "application",
    }


def test_the_step_of_the_slot_may_be_implied_ours_anothers_or_none():
    """Whoever asks for it need not know which."""
    kit = ReleaseKit()
    bundle = bundled(kit, b"image")

    assert kit.package(b"image").release.slot_step == IMPLIED
    assert stepped(kit, b"image").release.slot_step == ROOTFS
    assert (bundle.release.slot_step, bundle.artifact.image.length) == (BUNDLE, 5)
    assert (in_place(kit).release.slot_step, in_place(kit).release.slot_artifacts) == (None, ())
    with pytest.raises(MalformedRelease, match="no step is of the slot: the release has no full artifact"):
        _ = in_place(kit).artifact


# --- what is refused --------------------------------------------------------------------------------------------------

BOOT_FILE, APPLICATION_FILE = handed(BOOT, b"boot"), handed(APPLICATION, b"application")
BUNDLE_FILE = handed(BUNDLE, b"bundle", b"image")
FULL = for_step(describe(b"image", b"payload"), ROOTFS)
DELTA = for_step(describe(b"image", b"delta", "rootfs.delta", b"older"), ROOTFS)
replace = msgspec.structs.replace
AT_ODDS = {
    "a name twice": (
        (BOOT, replace(APPLICATION, name="boot")),
        (BOOT_FILE,),
        "steps: two are named boot",
    ),
    "two of the slot": (
        (ROOTFS, BUNDLE),
        (FULL, BUNDLE_FILE),
        "steps rootfs and bundle both write the slot: a release makes one image",
    ),
    "our image on the device": (
        (replace(ROOTFS, place=Place.DEVICE),),
        (FULL,),
        "step rootfs: the handler image writes the slot, not the device",
    ),
    "a restart of the slot's own": (
        (replace(ROOTFS, restart=True),),
        (FULL,),
        "step rootfs: restart, which only a step before that of the slot can ask for",
    ),
    "a restart in the trial boot": (
        (ROOTFS, replace(APPLICATION, restart=True)),
        (FULL, APPLICATION_FILE),
        "step application: restart, which only a step before that of the slot can ask for",
    ),
    "an artifact of no step": ((BOOT,), (BOOT_FILE, FULL), "rootfs.full is for step 'rootfs', which the release has"),
    "an artifact without a step": (
        (ROOTFS,),
        (replace(FULL, step=""),),
        "artifact rootfs.full is for step '', which the release has not",
    ),
    "an artifact of a step, and no steps": ((), (FULL,), "rootfs.full is for step 'rootfs', which the release has not"),
    "a file, and no steps": (
        (),
        (replace(BOOT_FILE, step=""),),
        "artifact boot.bin: the handler image needs a payload, this is a file",
    ),
    "a step without a file": (
        (BOOT, APPLICATION),
        (BOOT_FILE,),
        "step application: 0 artifacts, the handler package takes one",
    ),
    "a step of two files": (
        (BOOT,),
        (BOOT_FILE, replace(BOOT_FILE, name="also")),
        "step boot: 2 artifacts, the handler script takes one",
    ),
    "an image step without an image": (
        (BOOT, ROOTFS),
        (BOOT_FILE,),
        "step rootfs: no artifact, the handler image takes a full one",
    ),
    "an image step of deltas alone": ((ROOTFS,), (DELTA,), "all are deltas; one must be full"),
    "an image step of two full ones": ((ROOTFS,), (FULL, replace(FULL, name="whole")), "whole are both full"),
    "an image step of a file": (
        (ROOTFS,),
        (replace(FULL, codec=Codec.FILE),),
        "artifact rootfs.full: the handler image needs a payload, this is a file",
    ),
    "a payload for another handler": (
        (BOOT,),
        (replace(BOOT_FILE, codec=Codec.PAYLOAD),),
        "artifact boot.bin: the handler script of step boot needs a file",
    ),
    "a delta for another handler": (
        (BOOT,),
        (replace(BOOT_FILE, source=Image(3, "b" * 64)),),
        "artifact boot.bin: the handler script of step boot needs a file",
    ),
    "a file that takes memory": (
        (BOOT,),
        (replace(BOOT_FILE, memory=1),),
        "artifact boot.bin: the handler script of step boot needs a file",
    ),
    "a file of the device that makes another image": (
        (BOOT,),
        (replace(BOOT_FILE, image=Image(4, "b" * 64)),),
        "artifact boot.bin: its image is not the file itself, as step boot needs",
    ),
    "a bundle that makes nothing": (
        (BUNDLE,),
        (replace(BUNDLE_FILE, image=Image(0, "b" * 64)),),
        "artifact bundle.bin makes an image without bytes: nothing could be verified",
    ),
}


@pytest.mark.parametrize(("steps", "artifacts", "says"), AT_ODDS.values(), ids=AT_ODDS)
def test_steps_that_make_no_sense_are_refused_by_name(steps, artifacts, says):
    """When a release is made, and when a device reads one that somebody signed all the same."""
    release = new_release(steps=steps, artifacts=artifacts)

    with pytest.raises(MalformedRelease) as made:
        require_valid(release)
    with pytest.raises(MalformedRelease) as read:
        parse(render(release))

    assert says in str(made.value)
    assert str(made.value) == str(read.value)


WRONG = {
    "steps of an earlier format": ({"spec": 1}, "custom.spec is 1 and there are steps, of which that knows none"),
    "steps of a later format": ({"spec": 3}, "custom.spec is 3, this program reads up to 2: update otabridge first"),
    "too many": (
        {"steps": [{"name": f"s{number}", "handler": "script", "place": "device"} for number in range(MAX_STEPS + 1)]},
        f"custom: Expected `array` of length <= {MAX_STEPS} - at `$.steps`",
    ),
    "one instead of a list": ({"steps": {"name": "boot"}}, "custom: Expected `array`, got `object` - at `$.steps`"),
    "no name": ({"steps.0.name": ""}, "matching regex"),
    "a name with a path": ({"steps.0.name": "../boot"}, "matching regex"),
    "a name that ends a line": ({"steps.0.name": "boot\n"}, "matching regex"),
    "a long name": ({"steps.0.name": "b" * 33}, "matching regex"),
    "a handler with a path": ({"steps.0.handler": "/bin/sh"}, "matching regex"),
    "a place that is none": ({"steps.0.place": "cloud"}, "Invalid enum value 'cloud' - at `$.steps[0].place`"),
    "a restart that is none": ({"steps.0.restart": "maybe"}, "Expected `bool`, got `str` - at `$.steps[0].restart`"),
    "a setting that is no text": ({"steps.0.settings": {"board": 3}}, "Expected `str`, got `int`"),
    "a setting of two lines": ({"steps.0.settings": {"board": "a\nb"}}, "matching regex"),
    "a setting with terminal codes": ({"steps.0.settings": {"board": "\x1b[2J"}}, "matching regex"),
    "a setting without end": ({"steps.0.settings": {"board": "b" * 257}}, "length <= 256"),
    "a setting by a wrong name": ({"steps.0.settings": {"LD_PRELOAD": "x"}}, "matching regex"),
    "too many settings": ({"steps.0.settings": {f"s{number}": "" for number in range(17)}}, "length <= 16"),
}


@pytest.mark.parametrize(("changes", "says"), WRONG.values(), ids=WRONG)
def test_a_step_outside_its_limits_is_refused_by_name(changes, says):
    """The message names the field, and never carries what it found to a terminal."""
    with pytest.raises(MalformedRelease) as refusal:
        parse(read_release(edited(changes)).signed)

    assert says in str(refusal.value)
    assert str(refusal.value).isprintable()


def test_words_of_tomorrow_are_left_alone():
    """A step may say more than this program knows; what would be misread raises `spec`."""
    release = parse(read_release(edited({"steps.0.colour": "blue"})).signed)

    assert release.steps[0] == BOOT


def edited(changes):
    """`release.json` of three steps with the members of `custom` at dotted paths replaced."""
    document = Metadata(render(stepped(ReleaseKit(), b"image").release)).to_dict()
    for path, value in changes.items():
        *parents, last = path.split(".")
        place = document["signed"]["custom"]
        for parent in parents:
            place = place[int(parent) if parent.isdigit() else parent]
        place[last] = value
    return json.dumps(document).encode()

"""Which artifact is taken: fewest bytes among those that fit what runs, the memory, and the link."""

from __future__ import annotations

from contextlib import nullcontext

import pytest

from agent.image.choice import Means, MeteredLink, deltas_for, passed_over, require_link
from bridge.release.errors import FailureCode
from bridge.release.manifest import Artifact
from tests.releases import describe, image_of, new_release

NEW, OLD, OLDER = b"new image", b"old image", b"older image"
FULL = describe(NEW, b"x" * 1000)
MEMORY = 1 << 26


def delta(name: str, source: bytes, length: int, memory: int = 0) -> Artifact:
    """A delta of so many bytes."""
    made = describe(NEW, b"y" * length, name, source)
    return Artifact(made.name, made.length, made.sha256, made.image, source=made.source, memory=memory)


SMALL, LARGER, USELESS = delta("small", OLD, 100), delta("larger", OLDER, 200), delta("useless", b"oldest image", 1000)
HEAVY = delta("heavy", OLD, 100, MEMORY + 1)


def names(*artifacts: Artifact, image: bytes | None, unusable: dict[str, str] | None = None) -> list[str]:
    """The deltas that are worth a try on a device that runs `image`."""
    means = Means(MEMORY, None if image is None else image_of(image), unusable or {})
    return [each.name for each in deltas_for(new_release(artifacts=(FULL, *artifacts)), means)]


@pytest.mark.parametrize(
    ("artifacts", "image", "unusable", "chosen"),
    [
        ((), OLD, {}, []),
        ((SMALL, LARGER), OLD, {}, ["small"]),
        ((LARGER, SMALL), OLDER, {}, ["larger"]),
        ((LARGER, SMALL), b"another", {}, []),
        ((LARGER, SMALL), None, {}, ["small", "larger"]),
        ((USELESS,), b"oldest image", {}, []),
        ((HEAVY, LARGER), OLD, {}, []),
        ((SMALL,), OLD, {"small": "of no use"}, []),
        ((SMALL, LARGER), None, {"small": "of no use"}, ["larger"]),
    ],
    ids=[
        "no delta",
        "the one from what runs",
        "the other one",
        "none from what runs",
        "unknown what runs",
        "no shorter than the full one",
        "too much memory",
        "found to be of no use",
        "another may still do",
    ],
)
def test_the_deltas_worth_a_try(artifacts, image, unusable, chosen):
    """From the image that runs, or any while that is unknown; shortest first; none that is known not to do."""
    assert names(*artifacts, image=image, unusable=unusable) == chosen


@pytest.mark.parametrize(
    ("artifacts", "unusable", "words"),
    [
        ((LARGER,), {}, ""),
        ((SMALL,), {}, ""),
        ((SMALL,), {"small": "its slot was modified"}, "delta small was not taken: its slot was modified"),
        (
            (HEAVY,),
            {},
            "delta heavy was not taken: it takes 67108865 bytes of memory, this device grants 67108864",
        ),
        ((LARGER,), {"of another release": "long ago"}, ""),
    ],
)
def test_people_are_told_why_a_delta_was_passed_over(artifacts, unusable, words):
    """A delta that was meant for what runs, and why not it."""
    release = new_release(artifacts=(FULL, *artifacts))

    assert passed_over(release, Means(MEMORY, image_of(OLD), unusable)) == words


@pytest.mark.parametrize(
    ("metered", "release_allows", "device_allows", "words"),
    [
        (False, False, False, ""),
        (True, True, True, ""),
        (True, False, True, "the release keeps the full artifact of 1000 bytes off it"),
        (True, True, False, "this device's configuration keeps the full artifact of 1000 bytes off it"),
    ],
)
def test_the_full_artifact_over_a_metered_link(metered, release_allows, device_allows, words):
    """Either side may forbid it; the message says which, and why there is no delta."""
    release = new_release(artifacts=(FULL,), full_over_metered=release_allows)
    remark = "no delta of the release starts from what this device runs"
    expected = pytest.raises(MeteredLink, match=f"^the link is metered, and {words}; {remark}$")
    with expected if words else nullcontext():
        require_link(release, metered=metered, device_allows=device_allows, remark="")
    assert MeteredLink.code is FailureCode.METERED

"""What a delta can have saved, and what clouds add up."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.release.image import Image
from bridge.release.manifest import Artifact
from bridge.release.savings import most_saved, whole_bytes
from tests.releases import ReleaseKit, new_release
from tests.stepped import in_place, stepped

IMAGE_BYTES = random.Random(1).randbytes(9000)
IMAGE = Image(9000, "22" * 32)
OLD = Image(8000, "33" * 32)


def artifact(length: int, source: Image | None = None) -> Artifact:
    """One of `length` bytes; a delta where it has a `source`."""
    return Artifact(f"{length}.bin", length, "11" * 32, IMAGE, source=source)


@pytest.mark.parametrize(
    ("artifacts", "most"),
    [
        ((artifact(1000),), 0),
        ((artifact(1000), artifact(300, OLD)), 700),
        ((artifact(1000), artifact(300, OLD), artifact(40, OLD)), 960),
        ((artifact(1000), artifact(1200, OLD)), 0),
        ((artifact(300, OLD),), 0),
    ],
)
def test_the_most_that_one_device_can_save(artifacts, most):
    """The full artifact's length less that of the shortest delta; nothing where one of the two is missing."""
    assert most_saved(new_release(artifacts=artifacts)) == most


def test_files_of_steps_are_no_part_of_it():
    """However long: nobody can save them. Where no step is of the slot there is nothing to save at all."""
    kit = ReleaseKit()
    package = stepped(kit, IMAGE_BYTES, sources=[IMAGE_BYTES[:-1]], boot=bytes(1 << 20))

    assert most_saved(package.release) == package.artifact.length - package.delta.length > 0
    assert most_saved(in_place(kit).release) == 0


@given(st.integers(0, 10**9), st.integers(1, 1 << 40), st.floats() | st.integers())
def test_a_sum_is_whole_and_believable(devices, most, total):
    """Whatever a cloud adds up, in floating point: also infinite, negative, and no number at all."""
    assert 0 <= whole_bytes(total, devices, most) <= devices * most


@pytest.mark.parametrize(("total", "found"), [(600.0, 600), (599.9999999, 600), (700.0000001, 700), (math.nan, 0)])
def test_a_sum_is_rounded(total, found):
    """It is off by fractions where many bytes meet."""
    assert whole_bytes(total, 7, 100) == found

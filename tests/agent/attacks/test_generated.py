"""Attacks that nobody thought of: good offers, jobs and twins, changed at random in any place.

Whatever comes, the device runs what its owner signed, says how it ended, or hears nothing that it could answer.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.slots import Slot
from bridge.release.errors import ChannelError
from bridge.release.report import Outcome, Report
from tests.agent.attacks.clouds import Deployment, Hearing, aws, job
from tests.agent.attacks.scene import Scene
from tests.agent.device import image
from tests.releases import FULL_NAME

TOKENS = [
    b"",
    b"0",
    b"-1",
    b"9" * 30,
    b"null",
    b'""',
    b"[]",
    b"{",
    b"}",
    b'"keyid"',
    b"\x00",
    b"\xff",
    b"2.0.0",
    b"NaN",
]
LETTERS = st.characters()  # lone surrogates, too
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(LETTERS, max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(LETTERS, max_size=12), inner, max_size=4),
    max_leaves=12,
)
URLS = st.text(LETTERS, max_size=60) | st.sampled_from(
    ["file:///etc/shadow", "https://store.example/x", "", "//", "x:"]
)
EXAMPLES = 60


@st.composite
def spliced(draw: st.DrawFn, data: bytes) -> bytes:
    """`data` with some pieces replaced by others."""
    for _ in range(draw(st.integers(0, 3))):
        start = draw(st.integers(0, len(data)))
        end = min(len(data), start + draw(st.integers(0, 40)))
        data = data[:start] + draw(st.sampled_from(TOKENS) | st.binary(max_size=20)) + data[end:]
    return data


@st.composite
def disturbed(draw: st.DrawFn, value: object) -> object:
    """A JSON value with members replaced, taken out or added, at any depth."""
    result = copy.deepcopy(value)
    for _ in range(draw(st.integers(0, 3))):
        result = _disturb(draw, result)
    return result


def _disturb(draw: st.DrawFn, value: object) -> object:
    if isinstance(value, dict) and value and draw(st.integers(0, 5)):
        name = draw(st.sampled_from(sorted(value)))
        return {**value, name: _disturb(draw, value[name])}
    if isinstance(value, list) and value and draw(st.integers(0, 3)):
        at = draw(st.integers(0, len(value) - 1))
        return [*value[:at], _disturb(draw, value[at]), *value[at + 1 :]]
    return draw(JSON)


@pytest.fixture(scope="module")
def owner() -> Scene:
    """Whose keys and release the attacked devices trust; keys are drawn once."""
    return Scene()


def attacked(owner: Scene) -> Scene:
    """A fresh device of that owner, whose store has release 2."""
    return Scene(owner=owner.owner)


def end(scene: Scene, prepare: Callable[[], None]) -> Report | None:
    """How it ends; None where the cloud said nothing that could be answered."""
    device = scene.device
    with scene.stack:
        prepare()
        try:
            report = device.run(scene.offer)
        except ChannelError:
            return None
        return device.cloud.heard if isinstance(device.cloud, Hearing) else report


def require_safe(scene: Scene, report: Report | None) -> None:
    """Slot a with the factory's image, or slot b with the whole image that the owner signed, and said to be so."""
    device = scene.device
    ran = (device.booted, device.running_image())
    if report is not None and report.outcome is Outcome.INSTALLED:
        assert ran == (Slot.B, image(2))
    else:
        assert ran == (Slot.A, image(1))
    assert device.boots.trial() is None
    assert device.boots.default() is device.booted


@given(data=st.data())
@settings(max_examples=EXAMPLES)
def test_any_offer(owner: Scene, data: st.DataObject):
    """Metadata, roots, URLs and content changed at once."""
    scene = attacked(owner)
    packed = scene.release()
    good = scene.device.offer(packed)
    scene.offer = replace(
        good,
        release=data.draw(spliced(good.release), "release.json"),
        roots=tuple(data.draw(st.lists(spliced(scene.owner.pinned) | st.binary(max_size=30), max_size=2), "roots")),
        urls=data.draw(st.just(good.urls) | st.dictionaries(st.sampled_from([FULL_NAME, "x"]), URLS), "URLs"),
    )
    scene.serve(FULL_NAME, data.draw(spliced(packed.files[FULL_NAME]), "content"), packed)

    report = end(scene, lambda: None)

    assert report is not None
    require_safe(scene, report)


@given(data=st.data())
@settings(max_examples=EXAMPLES)
def test_any_job_of_aws(owner: Scene, data: st.DataObject):
    """A job document that is another one, or a good one changed anywhere."""
    scene = attacked(owner)
    packed = scene.release()
    scene.device.offer(packed)
    document = data.draw(disturbed(job(packed)) | JSON, "document")

    report = end(scene, lambda: scene.through(aws(document)))

    assert report is not None
    require_safe(scene, report)


@given(data=st.data())
@settings(max_examples=EXAMPLES)
def test_any_twin_of_azure(owner: Scene, data: st.DataObject):
    """Desired properties that are others, or good ones changed anywhere, signed by the service or not."""
    scene = attacked(owner)
    deployment = Deployment(scene.release())
    scene.device.offer(scene.release())
    deployment.files = data.draw(disturbed(deployment.files) | st.just(deployment.files), "files")
    deployment.steps = data.draw(disturbed(deployment.steps) | st.just(deployment.steps), "steps")
    desired = data.draw(disturbed(deployment.desired).filter(lambda value: isinstance(value, dict)), "desired")

    report = end(scene, lambda: scene.through(deployment.channel(desired)))

    require_safe(scene, report)

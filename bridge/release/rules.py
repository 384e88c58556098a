"""What the parts of a release must be to each other, beyond the limits of each. Pure.

Every rule raises MalformedRelease, and names what breaks it.
"""

from __future__ import annotations

from collections.abc import Sequence

from bridge.release.artifact import Artifact, Codec
from bridge.release.errors import MalformedRelease
from bridge.release.step import IMAGE, Place, Step


def require_order(steps: Sequence[Step]) -> None:
    """Each has a name of its own, one at most is of the slot, and none asks for a restart in the trial boot."""
    for name in _repeated([step.name for step in steps]):
        raise MalformedRelease(f"steps: two are named {name}")
    for step in steps:
        if step.handler == IMAGE and step.place is not Place.SLOT:
            raise MalformedRelease(f"step {step.name}: the handler {IMAGE} writes the slot, not the {step.place}")
    _require_one_slot(steps)


def require_served(steps: Sequence[Step], artifacts: Sequence[Artifact]) -> None:
    """Each artifact is for one of `steps`, and each step has what its handler takes."""
    names = {step.name for step in steps}
    for artifact in artifacts:
        if artifact.step not in names:
            raise MalformedRelease(f"artifact {artifact.name} is for step {artifact.step!r}, which the release has not")
    for step in steps:
        own = [artifact for artifact in artifacts if artifact.step == step.name]
        if step.handler == IMAGE:
            _require_image(step, own)
        else:
            _require_file(step, own)


def sole_full(artifacts: Sequence[Artifact]) -> Artifact:
    """The one that needs no older image."""
    full = [artifact for artifact in artifacts if artifact.source is None]
    if not full:
        raise MalformedRelease(
            "artifacts: all are deltas; one must be full, for devices that hold none of the images they start from"
        )
    if len(full) > 1:
        raise MalformedRelease(f"artifacts {full[0].name} and {full[1].name} are both full: one is enough")
    return full[0]


def _repeated(names: Sequence[str]) -> Sequence[str]:
    return [name for number, name in enumerate(names) if name in names[:number]]


def _require_one_slot(steps: Sequence[Step]) -> None:
    slots = [number for number, step in enumerate(steps) if step.place is Place.SLOT]
    if len(slots) > 1:
        one, other = (steps[number].name for number in slots[:2])
        raise MalformedRelease(f"steps {one} and {other} both write the slot: a release makes one image")
    for step in steps[slots[0] :] if slots else ():
        if step.restart:
            raise MalformedRelease(f"step {step.name}: restart, which only a step before that of the slot can ask for")


def _require_file(step: Step, artifacts: Sequence[Artifact]) -> None:
    if len(artifacts) != 1:
        raise MalformedRelease(f"step {step.name}: {len(artifacts)} artifacts, the handler {step.handler} takes one")
    (artifact,) = artifacts
    if artifact.codec is not Codec.FILE or artifact.source is not None or artifact.memory:
        raise MalformedRelease(f"artifact {artifact.name}: the handler {step.handler} of step {step.name} needs a file")
    if step.place is Place.DEVICE and not artifact.is_its_image:
        raise MalformedRelease(f"artifact {artifact.name}: its image is not the file itself, as step {step.name} needs")
    if not artifact.image.length:
        raise MalformedRelease(f"artifact {artifact.name} makes an image without bytes: nothing could be verified")


def _require_image(step: Step, artifacts: Sequence[Artifact]) -> None:
    """One image: from nothing, and from what came before."""
    if not artifacts:
        raise MalformedRelease(f"step {step.name}: no artifact, the handler {IMAGE} takes a full one")
    for artifact in artifacts:
        if artifact.codec is not Codec.PAYLOAD:
            raise MalformedRelease(
                f"artifact {artifact.name}: the handler {IMAGE} needs a payload, this is a {artifact.codec}"
            )
    sole_full(artifacts)
    for artifact in artifacts:
        _require_of_one_image(artifact, artifacts)


def _require_of_one_image(artifact: Artifact, artifacts: Sequence[Artifact]) -> None:
    first = artifacts[0]
    if artifact.image != first.image:
        raise MalformedRelease(f"artifacts {first.name} and {artifact.name} make different images: a release is one")
    if artifact.source is None:
        return
    if not artifact.source.length:
        raise MalformedRelease(f"artifact {artifact.name} starts from an image without bytes")
    if artifact.source.sha256 == artifact.image.sha256:
        raise MalformedRelease(f"artifact {artifact.name} starts from the image that it makes")
    same = [each.name for each in artifacts if each.source and each.source.sha256 == artifact.source.sha256]
    if len(same) > 1:
        raise MalformedRelease(f"artifacts {same[0]} and {same[1]} start from the same image: one is enough")

"""Releases of several steps for tests, in the manner of `tests.releases`.

package = stepped(kit, image, version="2.0.0", sequence=2)     # a script, our image, a package
package = in_place(kit)                                        # a script alone: nothing is of the slot
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from bridge.release.artifact import Artifact, Codec
from bridge.release.step import Place, Step
from tests.releases import Package, ReleaseKit, image_of, sha256

BOOT = Step("boot", "script", Place.DEVICE, {"board": "rev-b"})
ROOTFS = Step("rootfs")
BUNDLE = Step("bundle", "rauc", Place.SLOT)
APPLICATION = Step("application", "package", Place.DEVICE)


def handed(step: Step, data: bytes, image: bytes = b"") -> Artifact:
    """The artifact of what the handler of `step` is handed; of the slot it makes `image`, elsewhere it is its own."""
    length, digest = len(data), sha256(data)
    return Artifact(f"{step.name}.bin", length, digest, image_of(image or data), codec=Codec.FILE, step=step.name)


def stepped(
    kit: ReleaseKit,
    image: bytes,
    *,
    sources: Sequence[bytes] = (),
    boot: bytes = b"#!/bin/sh\n",
    application: bytes = b"!<arch>\n",
    **changes,
) -> Package:
    """A signed release of three steps: a script before ours, which brings `image`, and a package after it."""
    made = kit.package(image, sources=sources)
    ours = [(for_step(artifact, ROOTFS), made.files[artifact.name]) for artifact in made.release.artifacts]
    files = [(handed(BOOT, boot), boot), (handed(APPLICATION, application), application)]
    return kit.bundle(image, [*ours, *files], steps=(BOOT, ROOTFS, APPLICATION), **changes)


def in_place(kit: ReleaseKit, boot: bytes = b"#!/bin/sh\n", **changes) -> Package:
    """A signed release of one script, which is done on the system that runs."""
    return kit.bundle(b"", [(handed(BOOT, boot), boot)], steps=(BOOT,), **changes)


def bundled(kit: ReleaseKit, image: bytes, bundle: bytes = b"bundle", **changes) -> Package:
    """A signed release whose slot another handler writes: it makes `image` of `bundle`."""
    return kit.bundle(image, [(handed(BUNDLE, bundle, image), bundle)], steps=(BUNDLE,), **changes)


def for_step(artifact: Artifact, step: Step) -> Artifact:
    """The same artifact, for `step`."""
    return msgspec.structs.replace(artifact, step=step.name)

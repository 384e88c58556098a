"""An artifact: one file of a release that a device may fetch, and what it makes."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import msgspec

from bridge.release.image import Image, Length, Sha256
from bridge.release.step import ForStep

MAX_ARTIFACTS = 16
MAX_MEMORY = 2**32 - 1
"""Bytes that applying an artifact may declare to take, as its header does (docs/payload-format.md)."""

ArtifactName = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}\Z")]
Memory = Annotated[int, msgspec.Meta(ge=0, le=MAX_MEMORY)]


class Codec(StrEnum):
    """How an artifact's bytes become image bytes."""

    PAYLOAD = "payload"
    """As docs/payload-format.md has it, full images and deltas alike."""
    FILE = "file"
    """As they are: a bundle, a package, a script, that its step's handler is handed."""


class Artifact(msgspec.Struct, frozen=True):
    """One file that a device may fetch: its own length and sha256, and the image that it decodes to.

    `source` is the image that a delta starts from, None for a full artifact; `memory` the bytes that applying it takes,
    0 where only the payload's own header tells. `step` is the name of the step that it is for, "" in a release without
    steps. The image of a file is what the slot holds once its handler is done, or, where the step is not one of the
    slot, the file itself.
    """

    name: ArtifactName
    length: Length
    sha256: Sha256
    image: Image
    codec: Codec = Codec.PAYLOAD
    source: Image | None = None
    memory: Memory = 0
    step: ForStep = ""

    @property
    def is_its_image(self) -> bool:
        """Whether its own bytes are the image, so that whoever has the file has all."""
        return self.image == Image(self.length, self.sha256)

"""An image: the bytes that end up in a slot. By itself, since the applier of payloads needs no more of a release."""

from __future__ import annotations

from typing import Annotated

import msgspec

MAX_IMAGE_BYTES = 1 << 40

Sha256 = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]
Length = Annotated[int, msgspec.Meta(ge=0, le=MAX_IMAGE_BYTES)]


class Image(msgspec.Struct, frozen=True):
    """Length in bytes, and sha256 in lower-case hex."""

    length: Length
    sha256: Sha256

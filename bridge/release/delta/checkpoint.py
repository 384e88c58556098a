"""Where applying can go on after a restart: small enough for a journal, complete without the header."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated

import msgspec

from bridge.release.delta.errors import MalformedPayload
from bridge.release.delta.header import MAX_FRAMES, Terms
from bridge.release.image import Length

MAX_TERMS = 96
"""Characters of base64 for the longest terms."""


class Checkpoint(msgspec.Struct, frozen=True):
    """Go on with a request for the payload from byte `payload` on; image bytes before `target` stay as they are.

    `payload` is where frame `frame` starts, `span` how many of its spans are already in the image. As JSON at most 200
    bytes.
    """

    payload: Length = 0
    target: Length = 0
    frame: Annotated[int, msgspec.Meta(ge=0, le=MAX_FRAMES)] = 0
    span: Annotated[int, msgspec.Meta(ge=0, le=MAX_FRAMES)] = 0
    terms: Annotated[str, msgspec.Meta(max_length=MAX_TERMS)] = ""

    def unpack_terms(self) -> Terms:
        """What the header said. Raises: MalformedPayload when the checkpoint is none that we wrote."""
        try:
            terms = Terms.decode(base64.b64decode(self.terms, validate=True))
        except (binascii.Error, ValueError) as error:
            raise MalformedPayload(f"the checkpoint has terms that are no base64: {error}") from error
        if self.target > terms.new_length or self.frame > terms.frames:
            raise MalformedPayload(
                f"the checkpoint lies at byte {self.target} in frame {self.frame}; the payload makes "
                f"{terms.new_length} bytes in {terms.frames} frames"
            )
        return terms


START = Checkpoint()
"""The first byte of payload and image."""


def pack_terms(terms: Terms) -> str:
    """For `Checkpoint.terms`."""
    return base64.b64encode(terms.encode()).decode()

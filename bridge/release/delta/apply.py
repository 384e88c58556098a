"""Applies a payload as it arrives: chunks of it in, the image's bytes out, in order, in bounded memory.

Pure: the old image is read through a `Source`, the new one is handed out in pieces. One applier serves full images and
deltas.
"""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from itertools import islice

from bridge.release.delta import header
from bridge.release.delta.checkpoint import START, Checkpoint, pack_terms
from bridge.release.delta.errors import AlteredPayload, MalformedPayload, OversizedPayload
from bridge.release.delta.frames import OpenFrame, open_frame
from bridge.release.delta.header import NO_IMAGE, Header, Terms
from bridge.release.delta.memory import DEVICE_MEMORY
from bridge.release.delta.operations import Span
from bridge.release.delta.spans import Source, SpanMaker
from bridge.release.delta.streams import Intake
from bridge.release.image import Image

ZEROS = bytes(1 << 20)
"""The largest piece of zero bytes; every such piece is this very object, so that a consumer can tell it."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What was signed: the image that the payload makes, and for a delta the one it starts from.

    `old` None accepts full images alone.
    """

    new: Image
    old: Image | None = None


Flow = Generator[bytes | None, None, None]
"""Yields pieces of image, and None when more of the payload is needed."""


class Applier:
    """Applies one payload from `start` on, against what was signed.

    The sha256 of the image is checked at the end if the start was the start and `check_image` is left on; a consumer
    that reads the whole slot back may turn it off.

    Feed it the payload from byte `start.payload` on. Each piece is in order; the first one belongs at byte
    `start.target` of the new image. No piece is longer than `ZEROS` or the spans that its frame declares.

    Raises, from `feed`: MalformedPayload, AlteredPayload, OversizedPayload (more than `memory` bytes), ForeignSource,
    ForeignZlib, ForeignLz4; and what `old` raises.
    """

    def __init__(
        self,
        old: Source,
        expected: Expected,
        *,
        memory: int = DEVICE_MEMORY,
        start: Checkpoint = START,
        check_image: bool = True,
    ) -> None:
        self._old = old
        self._expected = expected
        self._memory = memory
        self._start = start
        self._intake = Intake()
        self._target = start.target
        self._hash = hashlib.sha256() if check_image and start == START else None
        self._is_done = False
        self.checkpoint = start
        """Resume here once all pieces that were handed out before the last one are durable. It moves on when the
        consumer comes back for more, and so never promises the piece that he holds."""
        self._flow = self._run()

    @property
    def target(self) -> int:
        """Bytes of image made so far, those before the start included."""
        return self._target

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """The pieces of image that can be made with the next `chunk` of the payload. Exhaust it before the next."""
        self._intake.add(chunk)
        for piece in self._flow:
            if piece is None:
                return
            yield piece
        if not self._intake.is_empty:
            raise MalformedPayload("the payload goes on after its last frame")

    def finish(self) -> None:
        """The payload has ended. Raises: MalformedPayload when it is cut, AlteredPayload for another image."""
        for _ in self.feed(b""):
            raise RuntimeError("the last pieces were not taken")
        if not self._is_done:
            raise MalformedPayload(f"the payload is cut: it ends at byte {self._target} of the image")

    def _run(self) -> Flow:
        terms = yield from self._terms()
        maker = SpanMaker(self._old, terms)
        skip = self._start.span
        for index in range(self._start.frame, terms.frames):
            yield from self._frame(maker, terms, index, skip)
            self._mark(terms, self._payload, index + 1, 0)
            skip = 0
        self._require_whole(terms)
        self._is_done = True

    def _frame(self, maker: SpanMaker, terms: Terms, index: int, skip: int) -> Flow:
        start = self._payload
        opened = yield from open_frame(self._intake, terms, self._old, index)
        self._require_fit(opened, terms, skip)
        for number, span in enumerate(opened.control.spans(), 1):
            if number <= skip:
                yield from opened.skip(span)
                continue
            yield from self._span(maker, span, opened)
            self._mark(terms, start, index, number)
        yield from opened.finish()

    def _span(self, maker: SpanMaker, span: Span, opened: OpenFrame) -> Flow:
        if not span.is_zero:
            yield self._give((yield from maker.make(span, opened.diff, opened.extra, self._target)))
            return
        for at in range(0, span.target, len(ZEROS)):
            yield self._give(ZEROS[: span.target - at])

    def _give(self, piece: bytes) -> bytes:
        if self._hash is not None:
            self._hash.update(piece)
        self._target += len(piece)
        return piece

    def _terms(self) -> Generator[None, None, Terms]:
        if self._start != START:
            terms = self._start.unpack_terms()
        else:
            whole = yield from self._header()
            _require_expected(whole, self._expected)
            terms = whole.terms
        self._require_able(terms)
        return terms

    def _header(self) -> Generator[None, None, Header]:
        fixed = yield from self._intake.exactly(header.FIXED_BYTES)
        rest = yield from self._intake.exactly(header.rest_of_header(bytes(fixed)))
        return header.decode_header(bytes(fixed + rest))

    def _require_able(self, terms: Terms) -> None:
        if terms.memory > self._memory:
            raise OversizedPayload(
                f"the payload takes {terms.memory} bytes of memory to apply, this device grants {self._memory}"
            )
        for packing in terms.packings:
            packing.require_same()

    def _require_whole(self, terms: Terms) -> None:
        if self._target != terms.new_length:
            raise MalformedPayload(f"the frames make {self._target} bytes, the header declares {terms.new_length}")
        if self._hash is not None and self._hash.hexdigest() != self._expected.new.sha256:
            raise AlteredPayload(
                f"the image came out with sha256 {self._hash.hexdigest()}, signed was {self._expected.new.sha256}"
            )

    def _require_fit(self, opened: OpenFrame, terms: Terms, skip: int) -> None:
        room = terms.new_length - self._target
        done = sum(span.target for span in islice(opened.control.spans(), skip)) if skip else 0
        if skip > opened.head.spans or done > self._target or opened.head.target - done > room:
            raise MalformedPayload(
                f"a frame makes {opened.head.target} bytes, {done} of them done, where {room} are left of the image"
            )

    @property
    def _payload(self) -> int:
        return self._start.payload + self._intake.taken

    def _mark(self, terms: Terms, payload: int, index: int, span: int) -> None:
        self.checkpoint = Checkpoint(payload, self._target, index, span, pack_terms(terms))


def _require_expected(whole: Header, expected: Expected) -> None:
    seen = (whole.terms.new_length, whole.new_sha256.hex())
    if seen != (expected.new.length, expected.new.sha256):
        raise AlteredPayload(
            f"the payload makes an image of {_words(*seen)}, signed was {_words(*_pair(expected.new))}"
        )
    old = (whole.terms.old_length, whole.old_sha256.hex())
    if old != (_pair(expected.old) if expected.old else (0, NO_IMAGE.hex())):
        wanted = _words(*_pair(expected.old)) if expected.old else "no image"
        raise AlteredPayload(f"the payload starts from an image of {_words(*old)}, signed was {wanted}")


def _pair(image: Image) -> tuple[int, str]:
    return image.length, image.sha256


def _words(length: int, sha256: str) -> str:
    return f"{length} bytes with sha256 {sha256}"

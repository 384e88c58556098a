"""Opens a frame: its head within bounds, its control stream decoded, its other streams ready to be read."""

from __future__ import annotations

import zlib
from collections.abc import Generator
from dataclasses import dataclass

from bridge.release.delta import frame
from bridge.release.delta.control import Control
from bridge.release.delta.errors import ForeignSource, MalformedPayload
from bridge.release.delta.frame import Dictionary, FrameHead, StreamHead
from bridge.release.delta.header import Terms
from bridge.release.delta.memory import needed
from bridge.release.delta.operations import Span
from bridge.release.delta.spans import Source, read_exactly
from bridge.release.delta.streams import Arriving, Held, Intake, Stream


@dataclass(frozen=True, slots=True)
class OpenFrame:
    """A frame whose operations are known. Its extra stream is decoded as it arrives; the diff stream is held."""

    head: FrameHead
    control: Control
    diff: Stream
    extra: Stream

    def skip(self, span: Span) -> Generator[None, None, None]:
        """Drop the parts of the diff and extra streams that `span` takes; yields while they have not arrived."""
        yield from self.diff.skip(span.diff)
        yield from self.extra.skip(span.extra)

    def finish(self) -> Generator[None, None, None]:
        """All spans were read: the streams must end here."""
        yield from self.diff.finish()
        yield from self.extra.finish()


def open_frame(intake: Intake, terms: Terms, old: Source, index: int) -> Generator[None, None, OpenFrame]:
    """Frame `index` of the payload with these `terms`, from its first byte on.

    Raises:
        MalformedPayload: not such a frame, or it takes more memory than the header declares.
        ForeignSource: the dictionary of its extra stream is not in the old image.
    """
    head = yield from _head(intake, terms, index)
    _require_memory(head, terms, index)
    dictionary = _dictionary(head.dictionary, terms, old)
    control = Control((yield from _whole(intake, head.control)), head, terms)
    diff = Stream("diff", head.diff, Held((yield from intake.exactly(head.diff.stored))))
    return OpenFrame(head, control, diff, Stream("extra", head.extra, Arriving(intake, head.extra.stored), dictionary))


def _head(intake: Intake, terms: Terms, index: int) -> Generator[None, None, FrameHead]:
    fixed = yield from intake.exactly(frame.FIXED_BYTES)
    rest = yield from intake.exactly(frame.rest_of_head(bytes(fixed)))
    return frame.decode_head(bytes(fixed + rest), frame.seal_of(terms.identity, index), index)


def _require_memory(head: FrameHead, terms: Terms, index: int) -> None:
    need = needed(head)
    if need > terms.memory:
        raise MalformedPayload(
            f"frame {index} of the payload takes {need} bytes of memory to apply, its header declares {terms.memory}"
        )


def _whole(intake: Intake, head: StreamHead) -> Generator[None, None, bytes]:
    stream = Stream("control", head, Held((yield from intake.exactly(head.stored))))
    raw = yield from stream.read(head.raw)
    yield from stream.finish()
    return raw


def _dictionary(dictionary: Dictionary | None, terms: Terms, old: Source) -> bytes:
    if dictionary is None:
        return b""
    if dictionary.offset + dictionary.length > terms.old_length:
        raise MalformedPayload(
            f"the payload takes a dictionary of {dictionary.length} bytes at {dictionary.offset}, outside the old image"
        )
    data = read_exactly(old, dictionary.offset, dictionary.length)
    if zlib.crc32(data) != dictionary.check:
        raise ForeignSource(
            f"the old slot holds other bytes than the delta was made from, in the {dictionary.length} from byte "
            f"{dictionary.offset} on: it was modified; take the full artifact"
        )
    return data

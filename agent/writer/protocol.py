"""What the agent may ask of the slot writer, and what it is answered. Pure: bytes in, values out, and back.

One request a packet, one answer each, in turn, over a SOCK_SEQPACKET socket. A packet is the version, one byte, and one
JSON document. While a request takes long, `Working` comes before its answer. A descriptor that belongs to an answer
travels beside it. Image bytes never do: they lie in memory that both sides have mapped, see `Write`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import msgspec

from agent.slots import Slot
from bridge.release.errors import FailureCode
from bridge.release.image import MAX_IMAGE_BYTES
from bridge.release.manifest import MAX_RELEASE_BYTES
from bridge.release.trust import MAX_ROOT_BYTES

VERSION = b"\x01"
MAX_PACKET = 32 * 1024
"""Bytes; the largest is a release or root of 16 KiB, in base64."""
BUFFER_BYTES = 1024 * 1024
"""The memory that both sides share, and so the most that one Write covers."""
MAX_TEXT = 600

Offset = Annotated[int, msgspec.Meta(ge=0, le=MAX_IMAGE_BYTES)]
Length = Annotated[int, msgspec.Meta(ge=1, le=BUFFER_BYTES)]


class ProtocolError(Exception):
    """A packet that is none of these. Whoever sent it is not talked to any longer."""


class Packet(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="is"):
    """Either a request or an answer."""


class Booted(Packet, frozen=True, tag="booted"):
    """See BootLoader; answered with a slot."""


class Default(Packet, frozen=True, tag="default"):
    """See BootLoader; answered with a slot."""


class Trial(Packet, frozen=True, tag="trial"):
    """See BootLoader; answered with a slot or none."""


class BootId(Packet, frozen=True, tag="boot id"):
    """See Board; answered with a text."""


class CausedByWatchdog(Packet, frozen=True, tag="caused by watchdog"):
    """See Board; answered with a length, 1 for yes."""


class Crashes(Packet, frozen=True, tag="crashes"):
    """See `agent.ports.Ports`; answered with a text, the marks with blanks in between."""


class Device(Packet, frozen=True, tag="device"):
    """See BootLoader; answered with a text, the path."""

    slot: Slot


class MarkUnbootable(Packet, frozen=True, tag="mark unbootable"):
    """See BootLoader."""

    slot: Slot


class TrySlot(Packet, frozen=True, tag="try"):
    """See BootLoader. Refused unless the writer itself reads back, bit by bit, what the owner signed."""

    slot: Slot


class Commit(Packet, frozen=True, tag="commit"):
    """See BootLoader. Refused unless the writer has verified the slot, and it runs."""

    slot: Slot


class Refill(Packet, frozen=True, tag="refill"):
    """See BootLoader."""


class ExcuseRestart(Packet, frozen=True, tag="excuse restart"):
    """See BootLoader."""


class Restart(Packet, frozen=True, tag="restart"):
    """See Board.reboot."""


class Follow(Packet, frozen=True, tag="follow"):
    """The next root of the chain; one that is known already is passed over."""

    root: Annotated[bytes, msgspec.Meta(max_length=MAX_ROOT_BYTES)]


class Introduce(Packet, frozen=True, tag="introduce"):
    """The release.json of what is to be written next, to be judged by the writer's own root, floor and clock."""

    release: Annotated[bytes, msgspec.Meta(max_length=MAX_RELEASE_BYTES)]


class Fit(Packet, frozen=True, tag="fit"):
    """Whether this slot may be written at all; see `agent.image.fitness`. Writes nothing."""

    slot: Slot


class Look(Packet, frozen=True, tag="look"):
    """Answered with a descriptor of the slot, for reading alone; `direct`: past the page cache."""

    slot: Slot
    direct: bool = False


class Open(Packet, frozen=True, tag="open"):
    """Begin to write the slot for which a release was introduced; what was open before is closed. Answered with the
    slot's length and the descriptor of the shared memory. The slot is closed with the connection."""

    slot: Slot


class Write(Packet, frozen=True, tag="write"):
    """Put the first `length` bytes of the shared memory at byte `offset` of the open slot."""

    offset: Offset
    length: Length


class Sync(Packet, frozen=True, tag="sync"):
    """Make what was written durable."""


Request = (
    Booted
    | Default
    | Trial
    | BootId
    | CausedByWatchdog
    | Crashes
    | Device
    | MarkUnbootable
    | TrySlot
    | Commit
    | Refill
    | ExcuseRestart
    | Restart
    | Follow
    | Introduce
    | Fit
    | Look
    | Open
    | Write
    | Sync
)


class Done(Packet, frozen=True, tag="done"):
    """It was done; what was asked for stands in one of the fields."""

    slot: Slot | None = None
    text: Annotated[str, msgspec.Meta(max_length=4096)] = ""
    length: int = 0


class Working(Packet, frozen=True, tag="working"):
    """It goes on, and was getting somewhere when this was sent."""


class Refused(Packet, frozen=True, tag="refused"):
    """It was not done. `text` is for people; `errno` that of the operating system, 0 when it had no part in it."""

    text: Annotated[str, msgspec.Meta(max_length=MAX_TEXT)]
    code: FailureCode = FailureCode.SLOT_WRITE
    errno: Annotated[int, msgspec.Meta(ge=0, le=4095)] = 0


Reply = Done | Working | Refused

_requests = msgspec.json.Decoder(Request)
_replies = msgspec.json.Decoder(Reply)


def pack(packet: Request | Reply) -> bytes:
    """`packet` as it travels."""
    return VERSION + msgspec.json.encode(packet)


def request_in(data: bytes) -> Request:
    """The request in a packet from the agent. Raises: ProtocolError."""
    with _understanding():
        request: Request = _requests.decode(_document(data))
        return request


def reply_in(data: bytes) -> Reply:
    """The answer in a packet from the writer. Raises: ProtocolError."""
    with _understanding():
        reply: Reply = _replies.decode(_document(data))
        return reply


def _document(data: bytes) -> memoryview:
    if len(data) > MAX_PACKET:
        raise ProtocolError(f"a packet of more than {MAX_PACKET} bytes")
    if data[:1] != VERSION:
        raise ProtocolError(f"protocol version {data[:1].hex() or 'none'}, this side speaks {VERSION.hex()}")
    return memoryview(data)[1:]


@contextmanager
def _understanding() -> Iterator[None]:
    try:
        yield
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise ProtocolError(f"not understood: {error}") from error

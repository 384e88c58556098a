"""The record of one stage order: what was decided about it, written before it is done.

    starting ──▶ open ──▶ stopped ──▶ closing ──▶ closed
                  └──────────────────────▲

It is one small JSON file in the fleet's container, which is all that a new process needs to go on where another one
died. While an order is `closing` its tally and reports are in here, as its devices forget them.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Literal

import msgspec

from adapters.azure.fleet.request import MAX_TIMEOUT_MINUTES, StageRequest
from adapters.azure.wire import UpdateId
from bridge.fleet import DeviceReport
from bridge.names import PREFIX
from bridge.tally import Tally

Count = Annotated[int, msgspec.Meta(ge=0)]


class State(StrEnum):
    """How far an order is."""

    STARTING = "starting"
    """Its devices are tagged, its update is imported; no device has the offer."""
    OPEN = "open"
    """Its deployment exists."""
    STOPPED = "stopped"
    """Nobody is to begin any more; somebody may be in the middle."""
    CLOSING = "closing"
    """All have ended; devices are being given back to their groups."""
    CLOSED = "closed"
    """Nothing of it is left but this record."""


class OrderRecord(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One order. `examined` and `tagged` count devices, in the order's list, that are done; `jobs` counts jobs that
    were ever asked for, and `nonce` is in their names, so that they are not taken for those of an order whose record
    was lost; `import_operation` is the service's id of the import under way, "" when there is none.

    `admitted` is how many of its devices, or of its buckets, were put into the group (None: all), `joined` how many
    devices that were (None: `size`). `behind` counts admitted devices that are in the middle of another order still;
    where devices are named, `aside` are those. The `size` of an order by bucket is what was planned until all are
    admitted, and from then on what the group holds.

    `lent` says that another order took devices that have ended here; from then on `reports` holds how those ended.
    """

    schema: Literal[1] = 1
    key: str
    size: Count
    timeout_minutes: Count
    release_sha256: str
    roots_sha256: str
    update_id: UpdateId
    state: State = State.STARTING
    import_operation: str = ""
    examined: Count = 0
    tagged: Count = 0
    admitted: Count | None = None
    joined: Count | None = None
    behind: Count = 0
    aside: tuple[str, ...] = ()
    lent: bool = False
    jobs: Count = 0
    nonce: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{0,16}\Z")] = ""
    stopped_reason: str = ""
    tally: Tally | None = None
    reports: tuple[DeviceReport, ...] = ()

    def offers(self, request: StageRequest) -> bool:
        """Whether this is the order of the same release."""
        return (self.release_sha256, self.roots_sha256) == (request.release_sha256, request.roots_sha256)

    def admits(self, request: StageRequest) -> bool:
        """Whether nobody is to be admitted beyond those who were, and all of those have joined."""
        if self.behind:
            return False
        if self.admitted is None or request.target is None:
            return self.admitted is None
        return self.admitted >= request.target


@dataclass(frozen=True, slots=True)
class Held:
    """A record as it was read: `version` tells whether somebody has written it since."""

    stage: str
    record: OrderRecord
    version: str

    @property
    def job_id(self) -> str:
        """The name of the last job that was asked for; IoT Hub takes 64 letters, digits and dashes."""
        return "-".join(filter(None, (f"{PREFIX}{self.stage[-16:]}", self.record.nonce, str(self.record.jobs))))


def new_record(request: StageRequest) -> OrderRecord:
    """The record of an order that nothing was done for; without devices it is over at once."""
    empty = request.selection is None and not request.devices
    return OrderRecord(
        nonce=secrets.token_hex(4),
        key=request.key,
        size=request.size,
        timeout_minutes=request.timeout_minutes,
        release_sha256=request.release_sha256,
        roots_sha256=request.roots_sha256,
        update_id=request.update_id,
        state=State.CLOSED if empty else State.STARTING,
        tally=Tally(open=False) if empty else None,
        admitted=0,
        joined=0,
    )


def opened(record: OrderRecord, request: StageRequest, joined: int) -> OrderRecord:
    """The record once `joined` devices are in the group, and have the offer.

    An order by bucket is then for the devices that there are; where there are none, and never were, it is over.
    """
    admitted = msgspec.structs.replace(record, state=State.OPEN, admitted=request.target, joined=joined)
    if request.selection is None:
        return admitted
    found = joined + record.behind
    size = found if request.target is None else max(request.size, found)
    if size or record.joined:
        return msgspec.structs.replace(admitted, size=size)
    return msgspec.structs.replace(admitted, size=0, state=State.CLOSED, tally=Tally(open=False))


def adopted_record(key: str, size: int) -> OrderRecord:
    """The record of an order that lost its own: to be stopped, with `size` devices that still carry a tag of its.

    Its release and timeout are not known any more; devices in the middle get the longest time.
    """
    return OrderRecord(
        nonce=secrets.token_hex(4),
        key=key,
        size=size,
        timeout_minutes=MAX_TIMEOUT_MINUTES,
        release_sha256="",
        roots_sha256="",
        update_id=UpdateId("", "", ""),
        state=State.STOPPED,
        stopped_reason="its record was lost",
        lent=True,
    )


def render_record(record: OrderRecord) -> bytes:
    """The record as it is stored."""
    return msgspec.json.encode(record)


def parse_record(text: bytes) -> OrderRecord:
    """Inverse to `render_record`. Raises: ValueError saying what is wrong."""
    try:
        return msgspec.json.decode(text, type=OrderRecord)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ValueError(f"no record of a stage order: {error}") from error


def is_final(tally: Tally, size: int) -> bool:
    """Whether every device of an order of `size` has ended."""
    return tally.ended >= size

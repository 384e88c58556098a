"""The lines that local programs read and write: JSON objects, described in docs/reference/agent-socket.md. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import msgspec

from agent.permit.answers import Said
from agent.permit.consent import LATER_MINUTES
from agent.ports import Status
from bridge.release.errors import OtabridgeError
from bridge.release.report import Progress, Report

MOST_MINUTES = 525_600

Say = Callable[[Said, int], str]


class StatusWanted(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="command", tag="status"):
    """How does the device stand?"""


class ConsentGiven(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="command", tag="consent"):
    """Yes or no to the update that is under way."""

    answer: Said


class NotNowWanted(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="command", tag="not-now"):
    """Put the update off."""

    minutes: Annotated[int, msgspec.Meta(ge=1, le=MOST_MINUTES)] = LATER_MINUTES


Command = StatusWanted | ConsentGiven | NotNowWanted


def status_line(status: Status, local: object) -> bytes:
    """How the device stands; the two are as `otabridge-agent --output json status` prints them."""
    return msgspec.json.encode({"event": "status", "status": status, "permission": local})


def progress_line(offer_id: str, progress: Progress) -> bytes:
    """How far an update is."""
    return msgspec.json.encode({"event": "progress", "offer": offer_id, **msgspec.to_builtins(progress)})


def ended_line(offer_id: str, report: Report) -> bytes:
    """How an update ended."""
    return msgspec.json.encode({"event": "ended", "offer": offer_id, "report": report})


def answer_line(line: bytes, say: Say) -> bytes | None:
    """The answer to the command in `line`, a mistake in it included; None for how the device stands."""
    try:
        command: Command = msgspec.json.decode(line, type=Command)
    except msgspec.MsgspecError as error:
        return _wrong(f"not a command: {error}")
    match command:
        case StatusWanted():
            return None
        case ConsentGiven(answer=answer):
            return _said(say, answer, LATER_MINUTES)
        case NotNowWanted(minutes=minutes):
            return _said(say, Said.LATER, minutes)


def _said(say: Say, said: Said, minutes: int) -> bytes:
    try:
        return msgspec.json.encode({"answer": say(said, minutes)})
    except OtabridgeError as error:
        return _wrong(str(error))
    except OSError as error:
        return _wrong(f"it could not be kept: {error.strerror}")


def _wrong(text: str) -> bytes:
    return msgspec.json.encode({"error": text})

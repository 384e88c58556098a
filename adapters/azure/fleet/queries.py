"""What is asked of IoT Hub in its query language. Pure.

Rules of the language (IoT Hub developer guide, query language): at most 8192 characters; strings in single quotes with
backslash escapes; GROUP BY takes one attribute; a comparison with an attribute that is not there is false, and so is
its negation, hence `is_defined`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from adapters.azure.wire import Standing, Word

MOST_CHARACTERS = 8192
MAX_GROUP = 255
"""Characters of an `ADUGroup` tag (Device Update limits, the wider of two figures)."""
LONGEST_QUOTED_GROUP = 2 * MAX_GROUP + 2
_DEVICE = re.compile(r"[A-Za-z0-9\-:.+%_#*?!(),=@$';]{1,128}")
_STAGE = "tags.otabridge.stage"
_WAS = "tags.otabridge.was"
_GROUP = "tags.ADUGroup"
_STANDING = "properties.reported.otabridge.standing"
_STANDING_SINCE = "properties.reported.$metadata.otabridge.standing.$lastUpdated"
_COUNT = "COUNT() AS devices"
_PLACE = f"deviceId, {_GROUP} AS adugroup, {_STAGE} AS stage"
_SAID = "deviceId, properties.reported.otabridge AS otabridge"
ALL_DEVICES = "SELECT deviceId FROM devices"
ENDED_BADLY = (Word.REJECTED, Word.FAILED, Word.FELL_BACK)


def is_device_id(text: str) -> bool:
    """Whether IoT Hub could know a device by this name."""
    return _DEVICE.fullmatch(text) is not None


def quoted(text: str) -> str:
    """A string constant."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def devices_of_group(group: str) -> str:
    """Devices that are in one of the customer's groups, or were when a stage borrowed them, with group and stage.

    `memberships.belongs` tells which still are: the language compares no attribute with another.
    """
    return _select(_PLACE, f"{_is(_GROUP, group)} OR {_is(_WAS, group)}")


def chunks(devices: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """`devices` in runs of which each fits into one query, and into one job's condition."""
    room = MOST_CHARACTERS - len(members(())) - len(f" AND {_GROUP} = ") - LONGEST_QUOTED_GROUP
    chunk: list[str] = []
    left = room
    for device in devices:
        need = len(quoted(device)) + 1
        if need > left:
            yield tuple(chunk)
            chunk, left = [], room
        chunk.append(device)
        left -= need
    if chunk:
        yield tuple(chunk)


def among(devices: Sequence[str]) -> str:
    """Condition: one of these."""
    return f"deviceId IN [{','.join(map(quoted, devices))}]"


def members(devices: Sequence[str]) -> str:
    """Group and stage of each of `devices` that the hub knows."""
    return _select(_PLACE, among(devices))


def joining(devices: Sequence[str], group: str | None) -> str:
    """Condition: those of `devices` that are still in `group`."""
    return f"{among(devices)} AND {_is(_GROUP, group)}"


def group_size(stage: str) -> str:
    """How many devices carry the stage's group."""
    return _select(_COUNT, _is(_GROUP, stage))


def stage_size(stage: str) -> str:
    """How many devices carry the stage's own tag."""
    return _select(_COUNT, in_stage(stage))


def standings(stage: str) -> str:
    """How many devices of the stage stand where."""
    return _select(f"{_STANDING} AS standing, {_COUNT}", in_stage(stage), _STANDING)


def late(stage: str, moment: str) -> str:
    """How many devices began before `moment` and did not end."""
    return _select(_COUNT, _late(stage, moment))


def late_devices(stage: str, moment: str) -> str:
    """What those devices said last."""
    return _select(_SAID, _late(stage, moment))


def bad_devices(stage: str) -> str:
    """What the devices said that did not install."""
    ends = ",".join(quoted(str(Standing(stage, word))) for word in ENDED_BADLY)
    return _select(_SAID, f"{in_stage(stage)} AND {_STANDING} IN [{ends}]")


def borrowed_from(stage: str, *, unbegun: bool = False) -> str:
    """How many devices in the stage's group came from which group; all, or only those that have not begun."""
    return _select(f"{_WAS} AS was, {_COUNT}", in_group(stage, unbegun=unbegun), _WAS)


def borrowed(stage: str, was: str | None, *, unbegun: bool = False) -> str:
    """Condition: in the stage's group, and taken from the group `was`."""
    return f"{in_group(stage, unbegun=unbegun)} AND {_is(_WAS, was)}"


def in_group(stage: str, *, unbegun: bool = False) -> str:
    """Condition: in the stage's group."""
    return f"{in_stage(stage)} AND {_is(_GROUP, stage)}{_has_not_begun(stage) if unbegun else ''}"


def out_of_group(stage: str) -> str:
    """Condition: with the stage's own tag, and out of its group, whoever took the device out."""
    return f"{in_stage(stage)} AND (NOT is_defined({_GROUP}) OR {_GROUP} != {quoted(stage)})"


def in_stage(stage: str) -> str:
    """Condition: with the stage's own tag, in its group or taken out of it again."""
    return _is(_STAGE, stage)


def _select(columns: str, condition: str, group: str = "") -> str:
    words = ["SELECT", columns, "FROM devices WHERE", condition]
    return " ".join(words + ["GROUP BY", group] * bool(group))


def _late(stage: str, moment: str) -> str:
    running = quoted(str(Standing(stage, Word.RUNNING)))
    return f"{in_stage(stage)} AND {_STANDING} = {running} AND {_STANDING_SINCE} < {quoted(moment)}"


def _has_not_begun(stage: str) -> str:
    others = " AND ".join(f"{_STANDING} != {quoted(str(Standing(stage, word)))}" for word in Word)
    return f" AND (NOT is_defined({_STANDING}) OR ({others}))"


def _is(attribute: str, value: str | None) -> str:
    return f"NOT is_defined({attribute})" if value is None else f"{attribute} = {quoted(value)}"

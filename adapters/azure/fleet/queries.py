"""What is asked of IoT Hub in its query language. Pure.

Rules of the language (IoT Hub developer guide, query language): at most 8192 characters; strings in single quotes with
backslash escapes; GROUP BY takes one attribute; a comparison with an attribute that is not there is false, and so is
its negation, hence `is_defined`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from adapters.azure.wire import COMPONENT, Standing, Word

MOST_CHARACTERS = 8192
MAX_GROUP = 255
"""Characters of an `ADUGroup` tag (Device Update limits, the wider of two figures)."""
LONGEST_QUOTED_GROUP = 2 * MAX_GROUP + 2
ROOM = MOST_CHARACTERS - 1200
"""Characters of a condition that says who is meant; the rest of a query, or what a job adds to it, has 1200."""
_DEVICE = re.compile(r"[A-Za-z0-9\-:.+%_#*?!(),=@$';]{1,128}")
_STAGE = "tags.otabridge.stage"
WAS = "tags.otabridge.was"
GROUP = "tags.ADUGroup"
BUCKET = "properties.reported.otabridge.bucket"
MODEL = "properties.reported.otabridge.model"
AGENT_MODEL = "properties.reported.deviceUpdate.agent.deviceProperties.model"
_RESETS = "properties.reported.otabridge.watchdog_resets"
_SEQUENCE = "properties.reported.otabridge.sequence"
_SAVED = "properties.reported.otabridge.saved"
_STANDING = "properties.reported.otabridge.standing"
_STANDING_SINCE = "properties.reported.$metadata.otabridge.standing.$lastUpdated"
_COUNT = "COUNT() AS devices"
_PLACE = f"deviceId, {GROUP} AS adugroup, {_STAGE} AS stage"
_SAID = "deviceId, properties.reported.otabridge AS otabridge"
_DESCRIBED = f"{_PLACE}, {MODEL} AS model, {AGENT_MODEL} AS agentmodel"
ENDED_BADLY = (Word.REJECTED, Word.FAILED, Word.FELL_BACK)


def is_device_id(text: str) -> bool:
    """Whether IoT Hub could know a device by this name."""
    return _DEVICE.fullmatch(text) is not None


def quoted(text: str) -> str:
    """A string constant."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def every(*conditions: str) -> str:
    """All of these; "" is no condition. What has an OR in it must be in parentheses."""
    return " AND ".join(filter(None, conditions))


def described(condition: str) -> str:
    """The devices under a condition, with group, stage and models."""
    return _select(_DESCRIBED, condition)


def counted(condition: str) -> str:
    """How many devices meet a condition."""
    return _select(_COUNT, condition)


def models(condition: str) -> str:
    """How many devices under a condition report which model; those that report none have a row without one."""
    return _select(f"{MODEL} AS model, {_COUNT}", condition, MODEL)


def agent_models(condition: str) -> str:
    """The same of devices that report none: by the model that Device Update's agent reports."""
    return _select(f"{AGENT_MODEL} AS model, {_COUNT}", every(condition, f"NOT is_defined({MODEL})"), AGENT_MODEL)


def unjoined(stage: str, condition: str) -> str:
    """How many devices under a condition, and never in the stage, are in which group."""
    return _select(f"{GROUP} AS adugroup, {_COUNT}", never_in(stage, condition), GROUP)


def never_in(stage: str, condition: str) -> str:
    """Condition: those under a condition that the stage never took."""
    return every(condition, _outside([stage]), f"NOT {has_moved_on(stage)}")


def unjoined_from(stage: str, condition: str, group: str | None) -> str:
    """Condition: those of them that are in `group`."""
    return every(never_in(stage, condition), _is(GROUP, group))


def group_by_stage(stage: str) -> str:
    """How many devices in the stage's group carry which stage's own tag."""
    return _select(f"{_STAGE} AS stage, {_COUNT}", _is(GROUP, stage), _STAGE)


def chunks(devices: Sequence[str], room: int | None = None) -> Iterator[tuple[str, ...]]:
    """`devices` in runs of which each fits into one query, and into one job's condition; or into `room` characters,
    which must be enough for any one.
    """
    if room is None:
        room = MOST_CHARACTERS - len(members(())) - len(f" AND {GROUP} = ") - LONGEST_QUOTED_GROUP
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
    return f"{among(devices)} AND {_is(GROUP, group)}"


def group_size(stage: str) -> str:
    """How many devices carry the stage's group."""
    return _select(_COUNT, _is(GROUP, stage))


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
    return _select(f"{WAS} AS was, {_COUNT}", in_group(stage, unbegun=unbegun), WAS)


def borrowed(stage: str, was: str | None, *, unbegun: bool = False) -> str:
    """Condition: in the stage's group, and taken from the group `was`."""
    return f"{in_group(stage, unbegun=unbegun)} AND {_is(WAS, was)}"


def in_group(stage: str, *, unbegun: bool = False) -> str:
    """Condition: in the stage's group."""
    return f"{in_stage(stage)} AND {_is(GROUP, stage)}{_has_not_begun(stage) if unbegun else ''}"


def out_of_group(stage: str) -> str:
    """Condition: with the stage's own tag, and out of its group, whoever took the device out."""
    return f"{in_stage(stage)} AND (NOT is_defined({GROUP}) OR {GROUP} != {quoted(stage)})"


def in_stage(stage: str) -> str:
    """Condition: with the stage's own tag, in its group or taken out of it again."""
    return _is(_STAGE, stage)


def installed(stages: Sequence[str]) -> str:
    """Condition: has installed the release of one of these stages, and says so; open or closed."""
    ends = ",".join(quoted(str(Standing(stage, Word.INSTALLED))) for stage in stages)
    return f"{_STANDING} IN [{ends}]"


def was_reset(stages: Sequence[str]) -> str:
    """How many of those a watchdog has reset since."""
    return counted(every(installed(stages), f"{_RESETS} > 0"))


def saved(stages: Sequence[str], sequence: int, most: int) -> str:
    """How many of those run the release `sequence` still and say to have saved something, at most `most` bytes each,
    and how much together. The standing outlives a late fallback, so the release is asked for, too.
    """
    runs = f"{_SEQUENCE} = {sequence} AND {_SAVED} > 0 AND {_SAVED} <= {most}"
    return _select(f"{_COUNT}, SUM({_SAVED}) AS saved", every(installed(stages), runs))


def elsewhere(stages: Sequence[str], condition: str) -> str:
    """How many devices under a condition, and in none of these stages now, stand where."""
    return _select(f"{_STANDING} AS standing, {_COUNT}", every(condition, _outside(stages)), _STANDING)


def moved_on(stage: str) -> str:
    """How many devices that another stage took from this one had ended here with which word."""
    return _select(f"{_moved(stage)} AS word, {_COUNT}", has_moved_on(stage), _moved(stage))


def has_moved_on(stage: str) -> str:
    """Condition: another stage took the device from this one."""
    return f"is_defined({_moved(stage)})"


def moved_tag(stage: str) -> str:
    """The tag that says how a device had ended in a stage when another one took it."""
    return f"{COMPONENT}_{stage[-16:]}"


def standings_of(stage: str, condition: str) -> str:
    """How many devices under a condition, and in the stage's group, stand where."""
    return _select(f"{_STANDING} AS standing, {_COUNT}", every(condition, in_group(stage)), _STANDING)


def ended(stage: str, condition: str, word: Word) -> str:
    """Condition: those under a condition, and in the stage's group, that stand at `word` of it."""
    return every(condition, in_group(stage), f"{_STANDING} = {quoted(str(Standing(stage, word)))}")


def begun_before(stage: str, condition: str, moment: str) -> str:
    """Condition: those that began before `moment` and did not end."""
    return f"{ended(stage, condition, Word.RUNNING)} AND {_STANDING_SINCE} < {quoted(moment)}"


def origins(condition: str) -> str:
    """How many devices under a condition were borrowed from which group."""
    return _select(f"{WAS} AS was, {_COUNT}", condition, WAS)


def from_group(condition: str, was: str | None) -> str:
    """Condition: those of them that were borrowed from the group `was`."""
    return every(condition, _is(WAS, was))


def _moved(stage: str) -> str:
    return f"tags.{moved_tag(stage)}"


def _select(columns: str, condition: str, group: str = "") -> str:
    words = ["SELECT", columns, "FROM devices"]
    return " ".join([*words, *["WHERE", condition] * bool(condition), *["GROUP BY", group] * bool(group)])


def _outside(stages: Sequence[str]) -> str:
    """Condition: without the own tag of any of these stages."""
    if not stages:
        return ""
    return f"(NOT is_defined({_STAGE}) OR {_STAGE} NIN [{','.join(map(quoted, stages))}])"


def _late(stage: str, moment: str) -> str:
    running = quoted(str(Standing(stage, Word.RUNNING)))
    return f"{in_stage(stage)} AND {_STANDING} = {running} AND {_STANDING_SINCE} < {quoted(moment)}"


def _has_not_begun(stage: str) -> str:
    others = " AND ".join(f"{_STANDING} != {quoted(str(Standing(stage, word)))}" for word in Word)
    return f" AND (NOT is_defined({_STANDING}) OR ({others}))"


def _is(attribute: str, value: str | None) -> str:
    return f"NOT is_defined({attribute})" if value is None else f"{attribute} = {quoted(value)}"

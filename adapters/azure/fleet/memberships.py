"""Which devices belong to a stage, and how they are put into it and back. Pure.

A device is in one group of Device Update at a time: the value of its tag `ADUGroup`. A stage borrows that tag, keeps
its earlier value beside it in `tags.otabridge.was`, and gives it back when the stage is closed. All of a device's
change is one patch, so it is in the stage wholly or not at all.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from adapters.azure.fleet.queries import MAX_GROUP, moved_tag
from adapters.azure.fleet.standings import Row
from adapters.azure.wire import COMPONENT
from bridge.names import PREFIX

GROUP_TAG = "ADUGroup"
_STAGE = re.compile(rf"{PREFIX}[a-z0-9-]{{1,40}}-[0-9a-f]{{16}}")


@dataclass(frozen=True, slots=True)
class TwinPatch:
    """What a job changes in each twin; a null removes."""

    tags: Mapping[str, object]
    desired: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Survey:
    """Where the devices of an order are: `absent` from the hub, `held` by the group of another stage (device to stage),
    `odd` with a tag that names no group, or free to join, by the group that they are in. The rest are in the stage.
    """

    absent: tuple[str, ...]
    held: Mapping[str, str]
    odd: Mapping[str, object]
    free: Mapping[str | None, tuple[str, ...]]

    @property
    def holders(self) -> Mapping[str, tuple[str, ...]]:
        """The stages that hold some, each with those."""
        found: dict[str, list[str]] = {}
        for device, stage in self.held.items():
            found.setdefault(stage, []).append(device)
        return {stage: tuple(devices) for stage, devices in found.items()}


def survey(stage: str, devices: Sequence[str], rows: Iterable[Row]) -> Survey:
    """What the rows of `queries.members` say of `devices`."""
    found = {str(row.get("deviceId")): row for row in rows}
    held: dict[str, str] = {}
    odd: dict[str, object] = {}
    free: dict[str | None, list[str]] = {}
    for device in (each for each in devices if each in found):
        group, other = found[device].get("adugroup"), found[device].get("stage")
        if group is not None and not is_group(group):
            odd[device] = group
        elif group != stage and group == other and group is not None:
            held[device] = str(other)
        elif (group, other) != (stage, stage):
            free.setdefault(_name(group), []).append(device)
    absent = tuple(each for each in devices if each not in found)
    return Survey(absent, held, odd, {group: tuple(some) for group, some in free.items()})


def belongs(group: str, row: Row) -> bool:
    """Whether a device that is in `group`, or was when a stage borrowed it, is in it but for that stage.

    No condition tells: the language compares no attribute with another.
    """
    found = row.get("adugroup")
    return found == group or (found is not None and found == row.get("stage"))


def is_stage(group: str) -> bool:
    """Whether a group has the form of a name of ours (`bridge.names`)."""
    return _STAGE.fullmatch(group) is not None


def is_group(value: object) -> bool:
    """Whether this can be the name of a group."""
    return isinstance(value, str) and 0 < len(value) <= MAX_GROUP and value.isprintable()


def join(stage: str, group: str | None) -> TwinPatch:
    """Into the stage, out of `group`."""
    was = None if group == stage else group
    return TwinPatch({GROUP_TAG: stage, COMPONENT: {"stage": stage, "was": was}}, {COMPONENT: {"stage": stage}})


def take_over(stage: str, other: str, was: str | None, word: str) -> TwinPatch:
    """Into the stage, out of the stage `other`, which the device came to from `was` and where it ended with `word`: a
    tag of its own says so, by which `other` goes on counting it.
    """
    patch = join(stage, was)
    return TwinPatch({**patch.tags, moved_tag(other): word}, patch.desired)


def stop_counting(stage: str) -> TwinPatch:
    """Nothing left of how the device ended in the stage; it was taken over by another one."""
    return TwinPatch({moved_tag(stage): None}, {})


def leave(was: str | None) -> TwinPatch:
    """Out of the stage's group, back into its own; the stage still counts it."""
    return TwinPatch({GROUP_TAG: was, COMPONENT: {"was": None}}, {})


def give_back(was: str | None) -> TwinPatch:
    """Back into its own group, and nothing left of the stage."""
    return TwinPatch({GROUP_TAG: was, COMPONENT: None}, {COMPONENT: None})


def forget() -> TwinPatch:
    """Nothing left of the stage; the device is in its own group already."""
    return TwinPatch({COMPONENT: None}, {COMPONENT: None})


def _name(group: object) -> str | None:
    return group if isinstance(group, str) else None

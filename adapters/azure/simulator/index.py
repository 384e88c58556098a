"""What Device Update knows of devices and groups, some time after their twins say so."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from adapters.azure.simulator.device_classes import DEFAULT_GROUP, DeviceClass, Membership

MAX_GROUPS = 100
"""Groups by tag, of a Standard account."""


@dataclass(frozen=True, slots=True)
class Group:
    """One group; `created` in seconds since the epoch."""

    group_id: str
    created: float

    @property
    def kind(self) -> str:
        """Its `groupType`."""
        return "DefaultNoTag" if self.group_id == DEFAULT_GROUP else "IoTHubTag"


class Index:
    """Devices by id, groups by name, and the device classes that were ever seen. Its owner locks."""

    def __init__(self, read: Callable[[str], Membership | None]) -> None:
        self._read = read
        self.devices: dict[str, Membership] = {}
        self.groups: dict[str, Group] = {}
        self.classes: dict[str, DeviceClass] = {}
        self.class_names: dict[str, str] = {}
        """Friendly names, by class id."""

    def refresh(self, device_id: str, now: float) -> bool:
        """Take in what a twin says now; whether that changed anything."""
        found, known = self._read(device_id), self.devices.get(device_id)
        if found == known or (found is not None and not self._open(found.group, now)):
            return False
        if found is None:
            del self.devices[device_id]
        else:
            self.devices[device_id] = found
            self.classes.setdefault(found.device_class.class_id, found.device_class)
        return True

    def differs(self, device_id: str) -> bool:
        """Whether a twin says something that is not known yet."""
        return self._read(device_id) != self.devices.get(device_id)

    def members(self, group: str, class_id: str | None = None) -> list[str]:
        """The devices of a group, or of one subgroup of it."""
        return [
            device_id
            for device_id, each in self.devices.items()
            if each.group == group and class_id in (None, each.device_class.class_id)
        ]

    def subgroups(self, group: str) -> Mapping[str, int]:
        """How many devices of each class a group has, by class id."""
        counts: dict[str, int] = {}
        for each in self._of_group(group):
            counts[each.device_class.class_id] = counts.get(each.device_class.class_id, 0) + 1
        return counts

    def _of_group(self, group: str) -> Iterator[Membership]:
        return (each for each in self.devices.values() if each.group == group)

    def _open(self, group: str, now: float) -> bool:
        """Whether there is such a group, now at the latest; beyond the limit there is none."""
        if group not in self.groups:
            tagged = sum(name != DEFAULT_GROUP for name in self.groups)
            if group != DEFAULT_GROUP and tagged >= MAX_GROUPS:
                return False
            self.groups[group] = Group(group, now)
        return True

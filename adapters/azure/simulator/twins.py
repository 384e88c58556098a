"""A device's twin: members, their metadata and versions. Values that never change; a patch makes new ones. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from adapters.azure.simulator.hub_errors import invalid
from adapters.azure.simulator.twin_rules import Part, check_patch, check_size

Json = dict[str, object]
_READ_ONLY = frozenset({"$version", "$metadata"})


@dataclass(frozen=True, slots=True)
class Members:
    """One part of a twin. `metadata` is shaped like `values`, with `$lastUpdated` at each level."""

    values: Mapping[str, object] = field(default_factory=dict)
    metadata: Mapping[str, object] = field(default_factory=dict)
    version: int = 1

    def merged(self, part: Part, patch: Mapping[str, object], now: float) -> Members:
        """After a patch: null removes a member, an object is merged, all else replaces.

        Raises:
            HubError: the patch or what becomes of it breaks a limit.
        """
        patch = writable(patch)
        check_patch(part, patch)
        values = merge(self.values, patch)
        check_size(part, values)
        return Members(values, _touch(self.metadata, patch, stamp(now)), self.version + 1)

    def replaced(self, part: Part, values: Mapping[str, object], now: float) -> Members:
        """With other members altogether.

        Raises:
            HubError: the values break a limit.
        """
        return Members({}, {}, self.version).merged(part, values, now)

    def document(self) -> Json:
        """The members and `$version`, as a device gets them."""
        return {**self.values, "$version": self.version}

    def annotated(self) -> Json:
        """The members, `$metadata` and `$version`, as the service gets them."""
        return {**self.values, "$metadata": self.metadata, "$version": self.version}


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a device proves itself by: base64 keys, the common name of a certificate of our CA, or thumbprints."""

    keys: tuple[str, ...] = ()
    certificate_cn: str | None = None
    thumbprints: frozenset[str] = frozenset()

    @property
    def kind(self) -> str:
        """As the registry names it."""
        if self.certificate_cn is not None:
            return "certificateAuthority"
        return "selfSigned" if self.thumbprints else "sas"


@dataclass(frozen=True, slots=True)
class TwinDevice:
    """One device at one moment. `etag` counts every change, `generation` tells a device from its predecessors.

    `changed_at` is when the connection last came or went, seconds since the epoch.
    """

    device_id: str
    credentials: Credentials
    generation: str
    created_at: float
    tags: Members = field(default_factory=Members)
    desired: Members = field(default_factory=Members)
    reported: Members = field(default_factory=Members)
    version: int = 2
    registration: int = 1
    enabled: bool = True
    model_id: str = ""
    connected: bool = False
    changed_at: float | None = None
    active_at: float | None = None

    def part(self, part: Part) -> Members:
        """Tags, desired or reported properties."""
        return {Part.TAGS: self.tags, Part.DESIRED: self.desired, Part.REPORTED: self.reported}[part]

    def with_part(self, part: Part, members: Members) -> TwinDevice:
        """The device with one part changed."""
        match part:
            case Part.TAGS:
                return replace(self, tags=members, version=self.version + 1)
            case Part.DESIRED:
                return replace(self, desired=members, version=self.version + 1)
            case Part.REPORTED:
                return replace(self, reported=members, version=self.version + 1)


def new_device(device_id: str, credentials: Credentials, generation: str, now: float) -> TwinDevice:
    """A device as it is registered, with an empty twin."""
    empty = Members(metadata={"$lastUpdated": stamp(now)})
    return TwinDevice(device_id, credentials, generation, now, desired=empty, reported=empty)


def merge(values: Mapping[str, object], patch: Mapping[str, object]) -> Json:
    """A new document: null removes a member, an object is merged into an object, all else replaces."""
    merged = dict(values)
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, Mapping):
            old = merged.get(key)
            merged[key] = merge(old if isinstance(old, Mapping) else {}, value)
        else:
            merged[key] = value
    return merged


def stamp(seconds: float) -> str:
    """A moment as the hub writes it: UTC, 100 nanoseconds."""
    return dt.datetime.fromtimestamp(seconds, dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%f0Z")


def writable(document: Mapping[str, object]) -> Json:
    """Without the members that the hub writes itself."""
    return {key: value for key, value in document.items() if key not in _READ_ONLY}


def as_object(value: object, name: str) -> Mapping[str, object]:
    """A JSON object; a missing one is empty.

    Raises:
        HubError: ARGUMENT_INVALID, it is something else.
    """
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise invalid(f"{name} must be a JSON object")
    return value


def _touch(metadata: Mapping[str, object], patch: Mapping[str, object], when: str) -> Json:
    touched: Json = {**metadata, "$lastUpdated": when}
    for key, value in patch.items():
        if value is None:
            touched.pop(key, None)
        elif isinstance(value, Mapping):
            old = touched.get(key)
            touched[key] = _touch(old if isinstance(old, Mapping) else {}, value, when)
        else:
            touched[key] = {"$lastUpdated": when}
    return touched

"""The registry and the twins of one IoT hub, shared by its device side, its REST face and Device Update."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Protocol

from adapters.azure.simulator.hub_errors import HubError, Refusal, invalid
from adapters.azure.simulator.hub_shapes import device_etag, twin_etag
from adapters.azure.simulator.query import Page, run
from adapters.azure.simulator.sas import is_key
from adapters.azure.simulator.twin_rules import Part
from adapters.azure.simulator.twins import Credentials, Json, TwinDevice, as_object, new_device, writable
from adapters.simulation.clock import VirtualClock

Listener = Callable[[str, str], None]
"""Called with a device id and what changed: "tags", "desired", "reported" or "connection"."""
CONNECTION = "connection"
ANY_ETAG = "*"


class DeviceLine(Protocol):
    """The way to connected devices. Called with the hub locked: must not block."""

    def push_desired(self, device_id: str, patch: Json, version: int) -> None:
        """Tell a device what was written to its desired properties."""
        ...

    def hang_up(self, device_id: str) -> None:
        """End a device's connection, if it has one."""
        ...


class Hub:
    """Devices and their twins. Safe to use from any thread.

    Snapshots never change; a later one is asked for. What the hub refuses is a `HubError`. Listeners are called in
    the thread of whoever made the change, after it and outside locks; those of "reported" and "connection" run on the
    MQTT server's thread and must not wait for it.
    """

    def __init__(self, clock: VirtualClock | None = None) -> None:
        self.clock = clock or VirtualClock()
        self._devices: dict[str, TwinDevice] = {}
        self._index: tuple[TwinDevice, ...] | None = None
        self._listeners: list[Listener] = []
        self._line: DeviceLine | None = None
        self._generations = itertools.count(1)
        self._changed = threading.Condition(threading.RLock())
        self._changes = 0

    # --- looking

    def devices(self) -> tuple[TwinDevice, ...]:
        """Every device, by id."""
        with self._changed:
            return tuple(self._devices[each] for each in sorted(self._devices))

    def device(self, device_id: str) -> TwinDevice:
        """One device as it is now. Raises: HubError DEVICE_NOT_FOUND."""
        with self._changed:
            found = self._devices.get(device_id)
        if found is None:
            raise HubError(Refusal.DEVICE_NOT_FOUND, f"Device {device_id} not registered")
        return found

    def knows(self, device_id: str) -> bool:
        """Whether the device is registered."""
        with self._changed:
            return device_id in self._devices

    def tags(self, device_id: str) -> Mapping[str, object]:
        """The tags of a device."""
        return self.device(device_id).tags.values

    def desired(self, device_id: str) -> Mapping[str, object]:
        """The desired properties of a device, without `$version`."""
        return self.device(device_id).desired.values

    def reported(self, device_id: str) -> Mapping[str, object]:
        """The reported properties of a device, without `$version`."""
        return self.device(device_id).reported.values

    def model_id(self, device_id: str) -> str:
        """The model that the device announced when it last connected with one; "" if it never did."""
        return self.device(device_id).model_id

    def query(self, text: str, *, size: int = 100, continuation: str | None = None) -> Page:
        """One page of a twin query. Raises: HubError ARGUMENT_INVALID, the text is no such query."""
        with self._changed:
            devices = self._index
        return run(text, self.devices() if devices is None else devices, size=size, continuation=continuation)

    @contextmanager
    def stale_index(self) -> Iterator[None]:
        """While the block runs, queries see the devices as they are now: the real index lags behind."""
        self._index = self.devices()
        try:
            yield
        finally:
            self._index = None

    def wait_until(self, predicate: Callable[[], bool], timeout: float = 30.0) -> bool:
        """Wait until `predicate`, asked after each change of any device, holds; False if it never does."""
        deadline = time.monotonic() + timeout
        while True:
            with self._changed:
                seen = self._changes
            if predicate():
                return True
            if not self._await_change(seen, deadline - time.monotonic()):
                return predicate()

    # --- changing

    def add_device(
        self,
        device_id: str,
        *,
        certificate_cn: str | None = None,
        key: str | None = None,
        tags: Mapping[str, object] | None = None,
        credentials: Credentials | None = None,
    ) -> TwinDevice:
        """Register a device with a certificate of our CA, a base64 key, or `credentials` of any kind.

        Raises:
            HubError: DEVICE_EXISTS, or the id, the key or a tag is none.
        """
        proof = credentials or Credentials((key,) if key else (), certificate_cn)
        _check_identity(device_id, proof.keys)
        now = self.clock.now()
        with self._changed:
            if device_id in self._devices:
                raise HubError(Refusal.DEVICE_EXISTS, f"A device with ID '{device_id}' is already registered.")
            empty = new_device(device_id, proof, str(next(self._generations)), now)
            made = replace(empty, tags=empty.tags.merged(Part.TAGS, tags or {}, now))
            self._store(made)
        self._tell(device_id, (Part.TAGS,))
        return made

    def change_registration(
        self, device_id: str, *, credentials: Credentials, enabled: bool, etag: str | None = None
    ) -> TwinDevice:
        """Give a device other credentials, or shut it out; it has to connect again.

        Raises:
            HubError: DEVICE_NOT_FOUND, or PRECONDITION_FAILED against `etag`.
        """
        with self._changed:
            old = self.device(device_id)
            check_etag(etag, device_etag(old))
            new = replace(old, credentials=credentials, enabled=enabled, registration=old.registration + 1)
            self._store(new)
            self._hang_up(device_id)
        return new

    def remove_device(self, device_id: str, *, etag: str | None = None) -> None:
        """Forget a device and its twin and hang up on it.

        Raises:
            HubError: DEVICE_NOT_FOUND, or PRECONDITION_FAILED against `etag`.
        """
        with self._changed:
            check_etag(etag, device_etag(self.device(device_id)))
            del self._devices[device_id]
            self._hang_up(device_id)
            self._note_change()
        self._tell(device_id, (Part.TAGS, Part.DESIRED, Part.REPORTED, CONNECTION))

    def patch_twin(self, device_id: str, patch: Mapping[str, object], *, etag: str | None = None) -> TwinDevice:
        """Merge {"tags": {...}, "properties": {"desired": {...}}}; null removes. Tells a connected device.

        Raises:
            HubError: unknown device, a limit broken, or PRECONDITION_FAILED against `etag`.
        """
        return self._write_twin(device_id, _written(patch), etag, replacing=False)

    def replace_twin(self, device_id: str, document: Mapping[str, object], *, etag: str | None = None) -> TwinDevice:
        """Replace tags and desired properties, each as far as the document names it.

        Raises:
            HubError: as `patch_twin`.
        """
        return self._write_twin(device_id, _written(document), etag, replacing=True)

    def report(self, device_id: str, patch: Mapping[str, object]) -> int:
        """A device writes its reported properties; returns their new version.

        Raises:
            HubError: unknown device, or a limit broken.
        """
        now = self.clock.now()
        with self._changed:
            device = self.device(device_id)
            members = device.reported.merged(Part.REPORTED, patch, now)
            self._store(replace(device.with_part(Part.REPORTED, members), active_at=now))
        self._tell(device_id, (Part.REPORTED,))
        return members.version

    def set_connected(self, device_id: str, *, connected: bool, model_id: str = "") -> None:
        """A device came or went; a removed one is ignored."""
        now = self.clock.now()
        with self._changed:
            device = self._devices.get(device_id)
            if device is None:
                return
            model = model_id or device.model_id
            self._store(replace(device, connected=connected, model_id=model, changed_at=now, active_at=now))
        self._tell(device_id, (CONNECTION,))

    def listen(self, listener: Listener) -> None:
        """Call `listener` after each change; the device may be gone by then, as after its removal."""
        with self._changed:
            self._listeners.append(listener)

    def attach(self, line: DeviceLine) -> None:
        """How devices are reached from now on."""
        with self._changed:
            self._line = line

    # --- inside

    def _await_change(self, seen: int, seconds: float) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: self._changes != seen, seconds)

    def _write_twin(
        self, device_id: str, parts: Mapping[Part, Mapping[str, object]], etag: str | None, *, replacing: bool
    ) -> TwinDevice:
        now = self.clock.now()
        with self._changed:
            device = self.device(device_id)
            check_etag(etag, twin_etag(device))
            for part, values in parts.items():
                old = device.part(part)
                new = old.replaced(part, values, now) if replacing else old.merged(part, values, now)
                device = device.with_part(part, new)
            self._store(device)
            if Part.DESIRED in parts and self._line is not None:
                self._line.push_desired(device_id, writable(parts[Part.DESIRED]), device.desired.version)
        self._tell(device_id, tuple(parts))
        return device

    def _store(self, device: TwinDevice) -> None:
        self._devices[device.device_id] = device
        self._note_change()

    def _note_change(self) -> None:
        self._changes += 1
        self._changed.notify_all()

    def _hang_up(self, device_id: str) -> None:
        if self._line is not None:
            self._line.hang_up(device_id)

    def _tell(self, device_id: str, parts: tuple[str, ...]) -> None:
        with self._changed:
            listeners = tuple(self._listeners)
        for part in parts:
            for listener in listeners:
                listener(device_id, str(part))


def check_etag(wanted: str | None, current: str) -> None:
    """Whether an If-Match value, quoted or not, is met. Raises: HubError PRECONDITION_FAILED."""
    if wanted is not None and wanted.strip('"') not in (ANY_ETAG, current):
        raise HubError(Refusal.PRECONDITION_FAILED, f"Precondition failed: the ETag is {current}, not {wanted}")


def _written(document: Mapping[str, object]) -> dict[Part, Mapping[str, object]]:
    properties = as_object(document.get("properties"), "properties")
    named = {Part.TAGS: document.get("tags"), Part.DESIRED: properties.get("desired")}
    return {part: as_object(value, str(part)) for part, value in named.items() if value is not None}


_ID_LENGTH = 128
_ID_CHARACTERS = frozenset("-:.+%_#*?!(),=@;$'")  # device identity properties; plus letters and digits


def _check_identity(device_id: str, keys: tuple[str, ...]) -> None:
    fits = all((each.isascii() and each.isalnum()) or each in _ID_CHARACTERS for each in device_id)
    if not fits or not 0 < len(device_id) <= _ID_LENGTH:
        raise invalid(f"{device_id!r} is no device id: 1 to {_ID_LENGTH} ASCII letters, digits and -:.+%_#*?!(),=@;$'")
    if not all(is_key(each) for each in keys):
        raise invalid("A symmetric key is base64 of 16 to 64 bytes")

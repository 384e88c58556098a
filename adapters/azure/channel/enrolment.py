"""Which hub a device belongs to: the one it is told, or the one that the Device Provisioning Service assigns.

An assignment is remembered in `assignment_file` until a hub refuses the device; then the service is asked again, which
may have moved the device to another hub.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import msgspec
from azure.iot.device import ProvisioningDeviceClient

from adapters.azure.channel.sdk import ask, authorities, certificate, quieten, symmetric_key, unusable
from adapters.azure.channel.settings import AzureSettings, DeviceId, HostName
from adapters.azure.formats.component import MODEL_ID
from agent.disk import SystemDisk
from bridge.release.errors import ChannelError

ASSIGNED = "assigned"
MAX_ASSIGNMENT = 4096

_log = logging.getLogger(__name__)


class Assignment(msgspec.Struct, frozen=True):
    """A hub, and the device's id there."""

    host: HostName
    device: DeviceId


class _Remembered(msgspec.Struct, frozen=True, rename="camel"):
    id_scope: str
    registration_id: str
    assignment: Assignment


class ProvisioningClient(Protocol):
    """What is used of the SDK's client."""

    provisioning_payload: object
    _pipeline: Any

    def register(self) -> object:
        """Return the result once there is one."""


class Enrolment:
    """The device's assignment."""

    def __init__(self, settings: AzureSettings) -> None:
        self._settings = settings
        self._assignment: Assignment | None = None
        if settings.host is not None and settings.device is not None:
            self._assignment = Assignment(settings.host, settings.device)

    def assignment(self) -> Assignment:
        """Asked for once, and again after `forget`. Raises: ChannelError."""
        if self._assignment is None:
            self._assignment = self._remembered() or self._enrol()
        return self._assignment

    def forget(self) -> None:
        """The hub does not take this device: where enrolment named it, enrolment is asked again."""
        if self._settings.id_scope is None:
            return
        self._assignment = None
        if self._settings.assignment_file is not None:
            with contextlib.suppress(OSError):  # the next assignment replaces it
                Path(self._settings.assignment_file).unlink(missing_ok=True)

    def _remembered(self) -> Assignment | None:
        """What the file says, if it is of the same enrolment and makes sense."""
        try:
            text = Path(self._settings.assignment_file or "").read_bytes()
            known = msgspec.json.decode(text[:MAX_ASSIGNMENT], type=_Remembered)
        except (OSError, msgspec.DecodeError, UnicodeError, RecursionError):
            return None
        same = (known.id_scope, known.registration_id) == (self._settings.id_scope, self._settings.registration_id)
        return known.assignment if same else None

    def _enrol(self) -> Assignment:
        settings = self._settings
        where = f"enrolment of {settings.registration_id} at {settings.provisioning_host}"
        client = ask(lambda: _build(settings), settings.reply_seconds, where)
        try:
            result = ask(client.register, settings.connect_seconds, where)
        except ChannelError:
            _hang_up(client, settings, where)
            raise
        assignment = _assigned(result, where)
        self._remember(assignment)
        return assignment

    def _remember(self, assignment: Assignment) -> None:
        path, settings = self._settings.assignment_file, self._settings
        if path is None:
            return
        known = _Remembered(settings.id_scope or "", settings.registration_id or "", assignment)
        try:
            SystemDisk().replace(Path(path), msgspec.json.encode(known))
        except OSError as error:
            _log.warning("assignment_file %s: %s; the device enrols again at each start", path, error.strerror)


def _build(settings: AzureSettings) -> ProvisioningClient:
    quieten()
    x509, authority = certificate(settings), authorities(settings)
    options: dict[str, object] = {
        "provisioning_host": settings.provisioning_host,
        "registration_id": settings.registration_id,
        "id_scope": settings.id_scope,
        "websockets": settings.websockets,
        "keep_alive": settings.keep_alive_seconds,
    }
    if authority is not None:
        options["server_verification_cert"] = authority
    client = _built(x509, settings, options)
    client.provisioning_payload = {"modelId": MODEL_ID}
    return client


def _built(x509: object, settings: AzureSettings, options: Mapping[str, object]) -> ProvisioningClient:
    kind: Any = ProvisioningDeviceClient  # its annotations are not those of what it takes
    key = "" if x509 else symmetric_key(settings)
    try:
        client: ProvisioningClient = (
            kind.create_from_x509_certificate(x509=x509, **options)
            if x509
            else kind.create_from_symmetric_key(symmetric_key=key, sastoken_ttl=settings.sas_seconds, **options)
        )
    except (OSError, ValueError) as error:
        raise unusable(settings, error) from error
    return client


def _hang_up(client: ProvisioningClient, settings: AzureSettings, where: str) -> None:
    """Its connection would stay and drive away that of the next try. The SDK has no public way to end it."""
    done = threading.Event()
    with contextlib.suppress(ChannelError):  # a daemon thread may go on with it
        ask(lambda: client._pipeline.shutdown(callback=lambda **_: done.set()), settings.reply_seconds, where)  # noqa: SLF001
        done.wait(settings.reply_seconds)


def _assigned(result: object, where: str) -> Assignment:
    state, status = getattr(result, "registration_state", None), getattr(result, "status", None)
    if status != ASSIGNED:
        raise ChannelError(f"{where}: the service answered {str(status)[:64]!r} instead of a hub")
    assigned = {"host": getattr(state, "assigned_hub", None), "device": getattr(state, "device_id", None)}
    try:
        return msgspec.convert(assigned, Assignment)
    except msgspec.ValidationError as error:
        raise ChannelError(f"{where}: the service assigned something unreadable: {error}") from error

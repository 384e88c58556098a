"""How a device reaches Azure: its hub or its enrolment, its credentials, and the keys by which it knows updates."""

from __future__ import annotations

from typing import Annotated

import msgspec

Seconds = Annotated[float, msgspec.Meta(gt=0, le=86_400)]
PathText = Annotated[str, msgspec.Meta(min_length=1, max_length=4096)]
HostName = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9.-]{1,253}\Z")]
DeviceId = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_.:=@$!*',%?+()#-]{1,128}\Z")]
"""The characters of a device id (IoT Hub identity registry)."""
RegistrationId = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9._:-]{1,128}\Z")]
"""The characters of a registration id (Device Provisioning Service)."""
Property = Annotated[str, msgspec.Meta(min_length=1, max_length=64, pattern=r"^[\x20-\x7e]+\Z")]
"""A value that Device Update compares with an update's compatibility."""


class AzureSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One device of IoT Hub with Device Update.

    The hub is either named (`host` with `device`) or found by enrolment (`id_scope` with `registration_id`). The device
    shows either a certificate (`certificate_file` with `key_file`, PEM) or a key (`symmetric_key_file`, base64 text).
    """

    host: HostName | None = None
    device: DeviceId | None = None
    id_scope: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9]{1,64}\Z")] | None = None
    registration_id: RegistrationId | None = None
    provisioning_host: HostName = "global.azure-devices-provisioning.net"
    assignment_file: PathText | None = None
    """Where the hub that enrolment assigned is remembered, so that a restart need not enrol again."""
    certificate_file: PathText | None = None
    key_file: PathText | None = None
    symmetric_key_file: PathText | None = None
    ca_file: PathText | None = None
    """PEM of the CA of hub and enrolment; without it the system's trust store judges."""
    files_ca_file: PathText | None = None
    """PEM of the CA of the servers that updates are fetched from, likewise."""
    gateway_host: HostName | None = None
    """An IoT Edge gateway to connect to instead of the hub."""
    websockets: bool = False
    """MQTT over WebSocket on port 443, where port 8883 is closed."""

    manufacturer: Property
    model: Property
    root_keys_file: PathText
    """The root keys of Device Update that are pinned on this device, as JSON."""
    root_key_package_file: PathText | None = None
    """Where the newest root key package is kept; it may disable keys, so the file should outlive an update."""
    allow_test_root_keys: bool = False
    allow_http: bool = False
    """Whether files of an update may come over http; what they hold is checked against signed hashes either way."""
    log_files: Annotated[tuple[PathText, ...], msgspec.Meta(max_length=16)] = ()
    """What Device Update's log collection may have from this device; nothing by default."""
    log_kilobytes: Annotated[int, msgspec.Meta(ge=1, le=102_400)] = 1024
    """From the end of each log file."""

    reply_seconds: Seconds = 30.0
    """How long one request to the hub may take."""
    connect_seconds: Seconds = 30.0
    """How long one connection, or one enrolment, may take to come about."""
    progress_seconds: Seconds = 5.0
    """How long a sign of life may hold the agent up."""
    files_seconds: Seconds = 60.0
    """How long one file of an update, or all logs together, may take; artifacts are not among them."""
    ask_again_seconds: Seconds = 3600.0
    """How often to read the twin without having been told that it changed."""
    reconnect_seconds: Annotated[int, msgspec.Meta(ge=1, le=3600)] = 10
    """Wait between tries to connect again after the connection dropped."""
    keep_alive_seconds: Annotated[int, msgspec.Meta(ge=1, le=1740)] = 300
    sas_seconds: Annotated[int, msgspec.Meta(ge=300, le=86_400)] = 3600
    """How long one token made from the symmetric key is valid."""
    attempts: Annotated[int, msgspec.Meta(ge=1, le=20)] = 6
    backoff_seconds: Seconds = 2.0
    """Mean of the first wait times two; it doubles up to `backoff_most_seconds`."""
    backoff_most_seconds: Seconds = 64.0

    def __post_init__(self) -> None:
        """Raises: ValueError where fields do not go together."""
        if (self.host is None) == (self.id_scope is None):
            raise ValueError("give either `host` and `device`, or `id_scope` and `registration_id`")
        _require_pair("host", self.host, "device", self.device)
        _require_pair("id_scope", self.id_scope, "registration_id", self.registration_id)
        _require_pair("certificate_file", self.certificate_file, "key_file", self.key_file)
        if (self.certificate_file is None) == (self.symmetric_key_file is None):
            raise ValueError("give either `certificate_file` and `key_file`, or `symmetric_key_file`")


def _require_pair(one: str, first: str | None, other: str, second: str | None) -> None:
    if (first is None) != (second is None):
        given, missing = (other, one) if first is None else (one, other)
        raise ValueError(f"`{given}` is given without `{missing}`")

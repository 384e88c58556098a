"""Twins and device identities as JSON, in the shapes of the hub's REST face (api-version 2021-04-12). Pure."""

from __future__ import annotations

import base64

from adapters.azure.simulator.twins import Json, TwinDevice, stamp

_NEVER = "0001-01-01T00:00:00Z"


def twin_shape(device: TwinDevice) -> Json:
    """A whole twin."""
    return {
        "deviceId": device.device_id,
        "etag": twin_etag(device),
        "deviceEtag": device_etag(device),
        "status": _status(device),
        "statusUpdateTime": _NEVER,
        "connectionState": _connection(device),
        "lastActivityTime": _moment(device.active_at),
        "cloudToDeviceMessageCount": 0,
        "authenticationType": device.credentials.kind,
        "x509Thumbprint": _thumbprints(device),
        "modelId": device.model_id,
        "version": device.version,
        "tags": device.tags.values,
        "properties": {"desired": device.desired.annotated(), "reported": device.reported.annotated()},
        "capabilities": {"iotEdge": False},
    }


def device_shape(device: TwinDevice) -> Json:
    """A device identity; keys only where it has some."""
    first, second = (*device.credentials.keys, None, None)[:2]
    return {
        "deviceId": device.device_id,
        "generationId": device.generation,
        "etag": device_etag(device),
        "connectionState": _connection(device),
        "status": _status(device),
        "statusReason": None,
        "connectionStateUpdatedTime": _moment(device.changed_at),
        "statusUpdatedTime": _NEVER,
        "lastActivityTime": _moment(device.active_at),
        "cloudToDeviceMessageCount": 0,
        "authentication": {
            "symmetricKey": {"primaryKey": first, "secondaryKey": second},
            "x509Thumbprint": _thumbprints(device),
            "type": device.credentials.kind,
        },
        "capabilities": {"iotEdge": False},
    }


def device_document(device: TwinDevice) -> Json:
    """What a device gets when it asks for its twin."""
    return {"desired": device.desired.document(), "reported": device.reported.document()}


def twin_etag(device: TwinDevice) -> str:
    """The twin's ETag, without quotes."""
    return _etag(device.version)


def device_etag(device: TwinDevice) -> str:
    """The registration's ETag, without quotes."""
    return _etag(device.registration)


def _etag(version: int) -> str:
    return base64.b64encode(version.to_bytes(8)).decode()


def _status(device: TwinDevice) -> str:
    return "enabled" if device.enabled else "disabled"


def _connection(device: TwinDevice) -> str:
    return "Connected" if device.connected else "Disconnected"


def _moment(seconds: float | None) -> str:
    return _NEVER if seconds is None else stamp(seconds)


def _thumbprints(device: TwinDevice) -> Json:
    first, second = (*sorted(device.credentials.thumbprints), None, None)[:2]
    return {"primaryThumbprint": first, "secondaryThumbprint": second}

"""Refusals of the simulated hub, in the words of its REST face and of its twin topics."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple


class Names(NamedTuple):
    """One kind of refusal: HTTP status, error code of the REST face, six-digit number of the device face."""

    status: int
    code: str
    number: int


class Refusal(Enum):
    """Every kind of refusal that is played (IoT Hub error codes)."""

    ARGUMENT_INVALID = Names(400, "ArgumentInvalid", 400004)
    UNSUPPORTED = Names(400, "InvalidOperation", 400003)
    UNAUTHORIZED = Names(401, "IotHubUnauthorizedAccess", 401002)
    FORBIDDEN = Names(403, "IotHubForbidden", 403000)
    DEVICE_NOT_FOUND = Names(404, "DeviceNotFound", 404001)
    JOB_NOT_FOUND = Names(404, "JobNotFound", 404002)
    DEVICE_NOT_ONLINE = Names(404, "DeviceNotOnline", 404103)
    NOT_FOUND = Names(404, "NotFound", 404000)
    DEVICE_EXISTS = Names(409, "DeviceAlreadyExists", 409001)
    JOB_EXISTS = Names(409, "JobAlreadyExists", 409002)
    PRECONDITION_FAILED = Names(412, "PreconditionFailed", 412001)
    TOO_LARGE = Names(413, "RequestEntityTooLarge", 413001)
    THROTTLED = Names(429, "ThrottlingException", 429001)
    TOO_MANY_JOBS = Names(429, "ThrottlingMaxActiveJobCountExceeded", 429004)
    SERVER_ERROR = Names(500, "ServerError", 500001)
    TIMEOUT = Names(504, "GatewayTimeout", 504101)


class HubError(Exception):
    """The hub refuses a request. `message` is for people."""

    def __init__(self, refusal: Refusal, message: str) -> None:
        super().__init__(message)
        self.refusal = refusal
        self.message = message


def invalid(message: str) -> HubError:
    """An ArgumentInvalid."""
    return HubError(Refusal.ARGUMENT_INVALID, message)

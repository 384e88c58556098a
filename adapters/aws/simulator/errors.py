"""Refusals of the simulated service, named as each of its three planes names them."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple


class Names(NamedTuple):
    """One kind of refusal: HTTP status, REST error type, MQTT code."""

    status: int
    rest: str
    mqtt: str


class Refusal(Enum):
    """Every kind of refusal (Jobs API reference, common errors; ErrorCode of Jobs over MQTT)."""

    INVALID_REQUEST = Names(400, "InvalidRequestException", "InvalidRequest")
    NOT_FOUND = Names(404, "ResourceNotFoundException", "ResourceNotFound")
    ALREADY_EXISTS = Names(409, "ResourceAlreadyExistsException", "InvalidRequest")
    VERSION_CONFLICT = Names(409, "VersionConflictException", "VersionMismatch")
    # The data plane over HTTP answers a stale expectedVersion with a plain 400.
    VERSION_MISMATCH = Names(400, "InvalidRequestException", "VersionMismatch")
    INVALID_TRANSITION = Names(409, "InvalidStateTransitionException", "InvalidStateTransition")
    TERMINAL_STATE = Names(410, "TerminalStateException", "TerminalStateReached")
    THROTTLED = Names(429, "ThrottlingException", "RequestThrottled")
    INTERNAL = Names(500, "InternalFailureException", "InternalError")
    DENIED = Names(403, "AccessDeniedException", "InvalidRequest")
    INVALID_TOPIC = Names(400, "InvalidRequestException", "InvalidTopic")
    INVALID_JSON = Names(400, "InvalidRequestException", "InvalidJson")
    # Device shadows over HTTP; over MQTT they answer with a number.
    CONFLICT = Names(409, "ConflictException", "InvalidRequest")
    TOO_LARGE = Names(413, "RequestEntityTooLargeException", "InvalidRequest")
    # Fleet indexing and dynamic groups, which devices never ask.
    INVALID_QUERY = Names(400, "InvalidQueryException", "InvalidRequest")
    INVALID_AGGREGATION = Names(400, "InvalidAggregationException", "InvalidRequest")
    LIMIT_EXCEEDED = Names(410, "LimitExceededException", "InvalidRequest")


class ServiceError(Exception):
    """The service refuses a request. `execution` is the job execution that the refusal shows."""

    def __init__(self, refusal: Refusal, message: str, execution: object | None = None) -> None:
        super().__init__(message)
        self.refusal = refusal
        self.message = message
        self.execution = execution


class AlreadyExists(ServiceError):
    """ResourceAlreadyExistsException with the resource that it names."""

    def __init__(self, message: str, name: str, arn: str) -> None:
        super().__init__(Refusal.ALREADY_EXISTS, message)
        self.name = name
        self.arn = arn


def invalid(message: str) -> ServiceError:
    """An InvalidRequestException."""
    return ServiceError(Refusal.INVALID_REQUEST, message)


def not_found(message: str) -> ServiceError:
    """A ResourceNotFoundException."""
    return ServiceError(Refusal.NOT_FOUND, message)

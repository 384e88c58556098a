"""What Azure's libraries raise, as FleetErrors: the operation, the service's code, and what to do. One table."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    DeserializationError,
    HttpResponseError,
    SerializationError,
    ServiceRequestError,
    ServiceResponseError,
)
from msrest.exceptions import ClientException, ClientRequestError, HttpOperationError

from adapters.artifact_source import UnfitSource
from adapters.violations import BrokenLimits
from bridge.fleet import FleetError, LimitError
from bridge.release.details import one_line

THROTTLED = 429
PASSING = frozenset({408, THROTTLED})
SERVER_FAULT = 500
BAD_REQUEST, UNAUTHORIZED, FORBIDDEN, NOT_FOUND, CONFLICT, PRECONDITION = 400, 401, 403, 404, 409, 412
MOST_WORDS = 512
DEFAULT_DELAY = 0.5
ROLES: Mapping[str, str] = {
    "/deviceUpdate/": "the role Device Update Administrator on the account",
    "/jobs/": "the role IoT Hub Data Contributor on the hub",
    "/devices/query": "the role IoT Hub Data Contributor on the hub",
}
STORAGE_ROLE = "the roles Storage Blob Data Contributor and Storage Blob Delegator on the storage account"
CODES: Mapping[str, str] = {
    "ContainerNotFound": "Create the container, or correct `container` of this fleet",
    "ThrottlingMaxActiveJobCountExceeded": "The hub runs as many jobs as its tier allows; it is tried again",
    "IotHubQuotaExceeded": "The hub's messages of the day are used up: add units, or wait for tomorrow",
    "AuthorizationPermissionMismatch": f"Give this identity {STORAGE_ROLE}",
    "CannotVerifyCopySource": "Check that the artifacts are in the container",
}
"""Advice for codes that say more than their status."""


class Waiting(Exception):
    """Azure has not come that far yet; the text says what is waited for. It leaves as a retryable FleetError."""


class WaitingFor(Waiting):
    """Devices are in another stage, `stage`, still."""

    def __init__(self, message: str, stage: str) -> None:
        super().__init__(message)
        self.stage = stage


class Refused(Exception):
    """It will not go on by itself; the text says why and what to do. It leaves as a FleetError."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """What one of the services answered. `delay` is what it asked to wait, in seconds."""

    operation: str
    status: int
    code: str
    message: str
    delay: float | None = None

    @property
    def is_passing(self) -> bool:
        """Whether waiting may help."""
        return self.status in PASSING or self.status >= SERVER_FAULT or self.code.startswith("Throttling")


@contextmanager
def explained(fleet: str) -> Iterator[None]:
    """Within it, what Azure's libraries raise leaves as FleetError, BrokenLimits as LimitError; all name `fleet`."""
    try:
        yield
    except BrokenLimits as error:
        raise LimitError(f"fleet {fleet}: {error}") from error
    except Waiting as error:
        raise FleetError(f"fleet {fleet}: {error}", retryable=True) from error
    except (Refused, UnfitSource) as error:
        raise FleetError(f"fleet {fleet}: {error}") from error
    except (AzureError, ClientException, SerializationError, DeserializationError) as error:
        raise _explain(fleet, error) from error


@contextmanager
def blaming(condition: str | None) -> Iterator[None]:
    """Within it, a query that the hub cannot read is the fault of `condition`, a person's. Raises: Refused."""
    try:
        yield
    except HttpOperationError as error:
        if condition is None or status_of(error) != BAD_REQUEST:
            raise
        said = _hub_refusal(error).message
        raise Refused(f"IoT Hub does not take the condition {condition!r}: {said}; correct it") from error


def refusal_of(error: Exception) -> Refusal | None:
    """What the service answered; None where there was no answer, or the error is another."""
    if isinstance(error, HttpOperationError):
        return _hub_refusal(error)
    if isinstance(error, HttpResponseError) and error.response is not None:
        return _core_refusal(error)
    return None


def status_of(error: Exception) -> int:
    """The HTTP status of the service's answer; 0 without one."""
    refusal = refusal_of(error)
    return refusal.status if refusal else 0


def code_of(error: Exception) -> str:
    """The service's name for what was wrong; "" without an answer."""
    refusal = refusal_of(error)
    return refusal.code if refusal else ""


def delay_of(error: Exception) -> float | None:
    """In how many seconds the same call may do; None where it will not."""
    if is_unreachable(error):
        return DEFAULT_DELAY
    refusal = refusal_of(error)
    if refusal is None or not refusal.is_passing:
        return None
    return DEFAULT_DELAY if refusal.delay is None else refusal.delay


def is_unreachable(error: Exception) -> bool:
    """Whether there was no answer at all."""
    return isinstance(error, (ServiceRequestError, ServiceResponseError, ClientRequestError))


def _explain(fleet: str, error: Exception) -> FleetError:
    refusal = refusal_of(error)
    if refusal is not None:
        return _refused(fleet, refusal)
    words = one_line(str(error), MOST_WORDS)
    if is_unreachable(error):
        advice = "Check the network, and the names of hub, endpoint and storage of this fleet"
        return FleetError(f"fleet {fleet}: {words}. {advice}", retryable=True)
    if isinstance(error, ClientAuthenticationError):
        advice = "Sign in (az login), or give this machine an identity; see azure.identity.DefaultAzureCredential"
        return FleetError(f"fleet {fleet}: no credentials for Azure: {words}. {advice}")
    return FleetError(f"fleet {fleet}: {words}. The call did not get through")


def _refused(fleet: str, refusal: Refusal) -> FleetError:
    text = f"fleet {fleet}: {refusal.operation} was refused: {refusal.code}: {refusal.message}. {_advice(refusal)}"
    return FleetError(text, retryable=refusal.is_passing)


def _advice(refusal: Refusal) -> str:
    if refusal.code in CODES:
        return CODES[refusal.code]
    if "LimitExceeded" in refusal.code:
        return "A quota of Device Update is used up: delete old updates, groups or deployments, or have it raised"
    if refusal.status in (UNAUTHORIZED, FORBIDDEN):
        return f"Give this identity {_role(refusal.operation)}"
    return "Try again later" if refusal.is_passing else "Correct what Azure names and run the command again"


def _role(operation: str) -> str:
    return next((role for path, role in ROLES.items() if path in operation), STORAGE_ROLE)


def _core_refusal(error: HttpResponseError) -> Refusal:
    response = error.response
    assert response is not None  # noqa: S101 - the caller looked; the type checker cannot see it
    code = getattr(error, "error_code", None) or getattr(error.error, "code", None) or error.reason
    said = getattr(error.error, "message", None) or error.reason
    request = getattr(response, "request", None)
    operation = _operation(getattr(request, "method", ""), getattr(request, "url", ""))
    headers = getattr(response, "headers", {})
    status = error.status_code or 0
    return Refusal(operation, status, _text(code), _text(said), _seconds(headers.get("Retry-After")))


def _hub_refusal(error: HttpOperationError) -> Refusal:
    response = error.response
    said = _hub_words(response.text)
    code, _, message = said.partition(";")
    code = code.removeprefix("ErrorCode:") if code.startswith("ErrorCode:") else str(response.reason)
    operation = _operation(response.request.method, response.request.url)
    delay = _seconds(response.headers.get("Retry-After"))
    return Refusal(operation, response.status_code, _text(code), _text(message or said), delay)


def _hub_words(text: str) -> str:
    """`Message` of the hub's answer: `ErrorCode:DeviceNotFound;...`."""
    try:
        body = json.loads(text[:65536])
    except (ValueError, RecursionError):
        return text
    return str(body.get("Message", "")) if isinstance(body, dict) else text


def _operation(method: object, url: object) -> str:
    return f"{method} {urlsplit(str(url)).path}"


def _text(value: object) -> str:
    return one_line(str(getattr(value, "value", value) or ""), MOST_WORDS)


def _seconds(text: object) -> float | None:
    """A Retry-After in seconds; a date is as good as none."""
    try:
        return max(0.0, float(str(text)))
    except ValueError:
        return None

"""What a person reads when Azure says no, for each way in which its libraries say so."""

from __future__ import annotations

import io

import pytest
import requests
import urllib3
from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    HttpResponseError,
    ResourceNotFoundError,
    ServiceRequestError,
    ServiceResponseError,
)
from azure.core.rest import HttpRequest
from azure.core.rest._requests_basic import RestRequestsTransportResponse
from msrest.exceptions import ClientRequestError, HttpOperationError, SerializationError

from adapters.azure.fleet.refusals import Refused, Waiting, delay_of, explained, refusal_of, status_of
from adapters.violations import BrokenLimits, Violation
from bridge.fleet import FleetError, LimitError

DU = "https://x.api.adu.microsoft.com/deviceUpdate/i/management/groups/g"
HUB = "https://x.azure-devices.net/devices/query?api-version=2021-04-12"
BLOB = "https://x.blob.core.windows.net/c/b"


def answer(url: str, status: int, body: str, headers=None, method="PUT") -> requests.Response:
    """A service's answer as `requests` gives it."""
    response = requests.Response()
    response.status_code, response.reason = status, {404: "Not Found", 403: "Forbidden"}.get(status, "Reason")
    response.raw = urllib3.HTTPResponse(io.BytesIO(body.encode()), preload_content=False)
    response.headers.update({"Content-Type": "application/json", **(headers or {})})
    response.request = requests.Request(method, url).prepare()
    response.url = url
    return response


def core(url: str, status: int, body: str = "", headers=None, kind=HttpResponseError) -> HttpResponseError:
    """What the libraries on azure.core raise."""
    request = HttpRequest("PUT", url)
    response = RestRequestsTransportResponse(request=request, internal_response=answer(url, status, body, headers))
    response.read()
    return kind(response=response)


def hub(status: int, body: str = "", headers=None, url=HUB) -> HttpOperationError:
    """What azure.iot.hub raises."""
    return HttpOperationError(None, answer(url, status, body, headers, "POST"))


def update_error(code: str) -> str:
    """An error of Device Update."""
    return f'{{"error":{{"code":"{code}","message":"said so"}}}}'


REFUSALS = [
    (core(DU, 403, update_error("Forbidden")), r"PUT /deviceUpdate/i/.*Forbidden: said so.*Device Update Admin", False),
    (core(DU, 400, update_error("GroupLimitExceeded")), r"GroupLimitExceeded.*delete old updates, groups", False),
    (core(DU, 429, update_error("TooManyRequests")), r"TooManyRequests.*Try again later", True),
    (core(DU, 503, "<html>"), r"PUT .* was refused: Reason: Reason\. Try again later", True),
    (core(DU, 404, kind=ResourceNotFoundError), r"Not Found.*Correct what Azure names", False),
    (core(DU, 401, kind=ClientAuthenticationError), r"Give this identity the role Device Update Administrator", False),
    (core(BLOB, 403), r"Storage Blob Data Contributor and Storage Blob Delegator", False),
    (
        hub(404, '{"Message":"ErrorCode:DeviceNotFound;no such"}'),
        r"POST /devices/query.*DeviceNotFound: no such",
        False,
    ),
    (hub(403, '{"Message":"ErrorCode:IotHubUnauthorizedAccess;no"}'), r"IoT Hub Data Contributor", False),
    (hub(403, '{"Message":"ErrorCode:IotHubQuotaExceeded;all"}'), r"messages of the day are used up", False),
    (hub(429, '{"Message":"ErrorCode:ThrottlingException;slow"}'), r"ThrottlingException: slow.*Try again later", True),
    (hub(500, "not json"), r"Reason: not json.*Try again later", True),
    (hub(400, "[1]"), r"Reason: \[1\]", False),
    (hub(400, "[" * 9999), r"Reason: \[\[", False),
]


@pytest.mark.parametrize(("error", "message", "retryable"), REFUSALS, ids=range(len(REFUSALS)))
def test_a_refusal_says_what_to_do(error, message, retryable):
    """Fleet, call, code, words, advice."""
    with pytest.raises(FleetError, match=f"fleet eu: .*{message}") as raised, explained("eu"):
        raise error
    assert raised.value.retryable is retryable
    assert raised.value.__cause__ is error


OTHERS = [
    (ServiceRequestError("no route"), r"no route\. Check the network", True),
    (ServiceResponseError("cut off"), r"cut off\. Check the network", True),
    (ClientRequestError("Error occurred in request."), r"Check the network", True),
    (
        ClientAuthenticationError("nobody\nsigned in"),
        r"no credentials for Azure: nobody\?signed in\. Sign in \(az",
        False,
    ),
    (SerializationError("odd"), r"odd\. The call did not get through", False),
    (AzureError("odd"), r"odd\. The call did not get through", False),
    (Waiting("the import is Running"), r"^fleet eu: the import is Running$", True),
    (Refused("plan again"), r"^fleet eu: plan again$", False),
]


@pytest.mark.parametrize(("error", "message", "retryable"), OTHERS, ids=[type(row[0]).__name__ for row in OTHERS])
def test_no_answer_says_what_to_check(error, message, retryable):
    """Network, credentials, or what Azure still has to do."""
    with pytest.raises(FleetError, match=message) as raised, explained("eu"):
        raise error
    assert raised.value.retryable is retryable


def test_a_broken_limit_is_one():
    """It names the fleet too."""
    with pytest.raises(LimitError, match=r"fleet eu: devices: 'a b'; no spaces"), explained("eu"):
        raise BrokenLimits((Violation("devices", "'a b'", "no spaces"),))


def test_other_errors_are_not_ours():
    """A bug stays a bug."""
    with pytest.raises(ZeroDivisionError), explained("eu"):
        _ = 1 / 0


DELAYS = [
    (core(DU, 429, headers={"Retry-After": "7"}), 7.0),
    (hub(429, headers={"Retry-After": "9"}), 9.0),
    (hub(503, headers={"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}), 0.5),
    (hub(503), 0.5),
    (ServiceRequestError("no route"), 0.5),
    (hub(404), None),
    (ValueError("no"), None),
]


@pytest.mark.parametrize(("error", "delay"), DELAYS, ids=range(len(DELAYS)))
def test_the_service_says_how_long_to_wait(error, delay):
    """Where waiting helps at all."""
    assert delay_of(error) == delay


def test_without_an_answer_there_is_no_status():
    """Nor a refusal."""
    assert refusal_of(ServiceRequestError("no route")) is None
    assert status_of(ServiceRequestError("no route")) == 0
    assert status_of(hub(404)) == 404

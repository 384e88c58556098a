"""What a hub's REST face refuses, and how it says so."""

from __future__ import annotations

import pytest
import urllib3

from adapters.simulation.faults import Effect
from tests.adapters.azure.simulator.hub_stand import KEY, OTHER_KEY, SDK_NOISE, Stand, refusal

pytestmark = SDK_NOISE


@pytest.fixture
def stand(tmp_path):
    """A fresh hub with one device."""
    with Stand(tmp_path) as running:
        running.hub.add_device("pump", key=KEY, tags={"site": "north"})
        yield running


@pytest.mark.parametrize(
    ("method", "path", "body", "said"),
    [
        ("POST", "/twins/pump/methods", {}, "The body needs a methodName"),
        ("POST", "/twins/pump/methods", {"methodName": "x", "responseTimeoutInSeconds": 1}, "must be 5 to 300"),
        ("POST", "/twins/nobody/methods", {"methodName": "x"}, "Device nobody not registered"),
        ("PUT", "/devices/x", {"authentication": {"type": "none"}}, "authentication.type 'none' is not known"),
        ("PUT", "/devices/x", {"authentication": {"symmetricKey": {"primaryKey": "short"}}}, "base64 of 16 to 64"),
        ("PUT", "/devices/x", {"authentication": 1}, "authentication must be a JSON object"),
        ("PUT", "/devices/a b", {}, "'a b' is no device id"),
        ("DELETE", "/devices/pump", None, "If-Match is missing"),
    ],
)
def test_requests_that_make_no_sense(stand, method, path, body, said):
    """Each is told why."""
    answer = stand.request(method, path, json=body)

    assert (answer.status >= 400, said in answer.json()["Message"]) == (True, True)
    assert [each.device_id for each in stand.hub.devices()] == ["pump"]


def test_queries_can_be_rationed(stand):
    """An S1 hub of one unit answers twenty a minute."""
    stand.throttle.per_minute["query"] = 20
    body = {"query": "SELECT * FROM devices"}
    seen = [stand.request("POST", "/devices/query", json=body) for _ in range(21)]

    assert [each.status for each in seen] == [200] * 20 + [429]
    assert "more calls of query in a minute than this hub takes" in seen[-1].json()["Message"]
    stand.clock.advance(60)
    assert stand.request("POST", "/devices/query", json=body).status == 200


@pytest.mark.parametrize("size", ["0", "-1", "many"])
def test_a_page_has_some_rows(stand, size):
    """The header must be a whole number above zero."""
    headers = {"x-ms-max-item-count": size}
    answer = stand.request("POST", "/devices/query", json={"query": "SELECT * FROM devices"}, headers=headers)

    assert "x-ms-max-item-count must be" in answer.json()["Message"]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"type": "scheduleDeviceMethod"}, "plays jobs of type scheduleUpdateTwin only"),
        ({"updateTwin": {"tags": {}}}, 'updateTwin.etag must be "*"'),
        ({"queryCondition": ""}, "queryCondition must be a condition"),
        ({"queryCondition": "deviceId LIKE 'x'"}, "Syntax error"),
        ({"startTime": "soon"}, "startTime 'soon' is no moment"),
        ({"maxExecutionTimeInSeconds": 0}, "maxExecutionTimeInSeconds must be"),
        ({"jobId": "other"}, "jobId must be the one of the address"),
    ],
)
def test_what_is_no_job(stand, body, said):
    """Refused with a message, and no job is there."""
    good = {"jobId": "j", "type": "scheduleUpdateTwin", "updateTwin": {"etag": "*"}, "queryCondition": "*"}
    answer = stand.request("PUT", "/jobs/v2/j", json={**good, **body})

    assert (answer.status, said in answer.json()["Message"]) == (400, True)
    assert stand.request("GET", "/jobs/v2/j").json()["status"] == "unknown"


@pytest.mark.parametrize("case", ["wrong key", "wrong token", "nothing", "expired"])
def test_who_may_not_serve(stand, case):
    """401 in the hub's own form."""
    if case == "expired":
        stand.clock.advance(3700)
    if case in ("wrong key", "expired"):
        manager = stand.registry(OTHER_KEY if case == "wrong key" else KEY)
        assert refusal(manager.get_twin, "pump") == (401, "ErrorCode:IotHubUnauthorizedAccess;Unauthorized")
    else:
        headers = {"Authorization": ""} if case == "nothing" else {}
        assert stand.request("GET", "/twins/pump", token="no", headers=headers).status == 401


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (("POST", "/devices/query", b"{"), 400),
        (("POST", "/devices/query", b"[]"), 400),
        (("POST", "/devices/query", b'{"query": 5}'), 400),
        (("PATCH", "/twins/pump", b"[" * 100_000), 400),
        (("PATCH", "/twins/pump", b'{"tags": NaN}'), 400),
        (("PATCH", "/twins/pump", b'{"tags": 5}'), 400),
        (("PATCH", "/twins/pump", b'{"tags": "' + b"x" * 2**20 + b'"}'), 413),
        (("GET", "/elsewhere", b""), 404),
    ],
)
def test_malformed_requests(stand, request_, status):
    """No traceback, no half-done thing."""
    method, path, body = request_

    assert stand.request(method, path, body=body).status == status
    assert stand.hub.tags("pump") == {"site": "north"}


def test_another_api_version_is_refused(stand):
    """The simulator plays one."""
    assert (
        "api-version must be 2021-04-12" in stand.request("GET", "/twins/pump", version="2018-06-30").json()["Message"]
    )


@pytest.mark.parametrize(
    ("operation", "path", "effect", "status"),
    [
        ("twin_read", "/twins/pump", Effect.THROTTLE, 429),
        ("job_read", "/jobs/v2/j", Effect.SERVER_ERROR, 500),
        ("statistics", "/statistics/devices", Effect.THROTTLE, 429),
    ],
)
def test_planned_refusals(stand, operation, path, effect, status):
    """Once; then the hub serves again."""
    stand.faults.plan(operation, effect)

    assert [stand.request("GET", path).status for _ in range(2)] == [status, 200]


@pytest.mark.parametrize(("effect", "site"), [(Effect.LOSE_REQUEST, "north"), (Effect.LOSE_REPLY, "x")])
def test_planned_silence(stand, effect, site):
    """Nobody answers; whether it happened is the question."""
    stand.faults.plan("twin_update", effect, "pump")
    with pytest.raises(urllib3.exceptions.ProtocolError):
        stand.request("PATCH", "/twins/pump", json={"tags": {"site": "x"}})

    assert stand.hub.tags("pump") == {"site": site}

"""A hub as azure-iot-hub sees it: registry, twins, queries, methods and jobs over https."""

from __future__ import annotations

import pytest
from azure.iot.device import MethodResponse
from azure.iot.device.exceptions import CredentialError
from azure.iot.hub import IoTHubRegistryManager
from azure.iot.hub.models import CloudToDeviceMethod, QuerySpecification, Twin, TwinProperties
from azure.iot.hub.protocol.models import JobRequest

from tests.adapters.azure.simulator.hub_stand import BEARER, KEY, SDK_NOISE, WAIT, Patches, Stand, refusal

pytestmark = SDK_NOISE


@pytest.fixture
def stand(tmp_path):
    """A fresh hub with one device."""
    with Stand(tmp_path) as running:
        running.hub.add_device("pump", key=KEY, tags={"site": "north"})
        yield running


def rows(result):
    """The rows of a projection, as the SDK hides them."""
    return [
        {**each.additional_properties, **({"deviceId": each.device_id} if each.device_id else {})}
        for each in result.items
    ]


def test_a_twin_is_patched_against_its_etag(stand):
    """A stale ETag is a 412; the SDK's default `*` overwrites."""
    manager = stand.registry()
    seen = manager.get_twin("pump")
    changed = manager.update_twin("pump", Twin(tags={"row": 7, "site": None}), seen.etag)
    assert changed.tags == {"row": 7}

    status, message = refusal(manager.update_twin, "pump", Twin(tags={"row": 8}), seen.etag)
    assert (status, message.split(";")[0]) == (412, "ErrorCode:PreconditionFailed")
    assert manager.update_twin("pump", Twin(tags={"row": 9})).tags == {"row": 9}


def test_a_device_hears_what_the_service_writes(stand):
    """From PATCH over REST to the patch over MQTT; PUT replaces."""
    heard = Patches(stand.device())
    manager = stand.registry()
    manager.update_twin("pump", Twin(properties=TwinProperties(desired={"a": 1, "b": 2})))
    manager.replace_twin("pump", Twin(properties=TwinProperties(desired={"c": 3})))

    assert [heard.next(), heard.next()] == [{"a": 1, "b": 2, "$version": 2}, {"c": 3, "$version": 3}]
    assert stand.hub.desired("pump") == {"c": 3}


def test_what_the_hub_refuses_it_names(stand):
    """Error code and message in the hub's own form."""
    manager = stand.registry()

    assert refusal(manager.get_twin, "nobody") == (404, "ErrorCode:DeviceNotFound;Device nobody not registered")
    assert refusal(manager.update_twin, "pump", Twin(tags={"a.b": 1}))[0] == 400
    assert refusal(manager.update_twin, "pump", Twin(tags={f"k{n}": "x" * 4000 for n in range(3)}))[0] == 413
    assert refusal(manager.query_iot_hub, QuerySpecification(query="SELECT x"))[1].startswith(
        "ErrorCode:ArgumentInvalid;Syntax error at character 8"
    )


def test_queries_have_pages(stand):
    """Continuation and page size travel in headers; projections come as raw rows."""
    for name in "abc":
        stand.hub.add_device(name, tags={"site": "south"})
    manager = stand.registry()
    text = QuerySpecification(query="SELECT deviceId, tags.site AS site FROM devices")
    first = manager.query_iot_hub(text, None, 3)
    second = manager.query_iot_hub(text, first.continuation_token, 3)

    assert [each["deviceId"] for each in rows(first) + rows(second)] == ["a", "b", "c", "pump"]
    assert rows(second) == [{"deviceId": "pump", "site": "north"}]
    assert second.continuation_token is None
    counted = manager.query_iot_hub(
        QuerySpecification(query="SELECT tags.site AS site, COUNT() AS devices FROM devices GROUP BY tags.site")
    )
    assert rows(counted) == [{"site": "north", "devices": 1}, {"site": "south", "devices": 3}]


def test_whole_twins_are_told_from_rows(stand):
    """The header x-ms-item-type."""
    whole = stand.request("POST", "/devices/query", json={"query": "SELECT * FROM devices"})
    part = stand.request("POST", "/devices/query", json={"query": "SELECT deviceId FROM devices"})

    assert (whole.headers["x-ms-item-type"], part.headers["x-ms-item-type"]) == ("Twin", "Raw")
    assert part.json() == [{"deviceId": "pump"}]


def test_devices_come_and_go(stand):
    """Created with keys or certificates, disabled, deleted; each registered device can connect."""
    manager = stand.registry()
    made = manager.create_device_with_sas("valve", KEY, KEY, "enabled")
    assert made.authentication.symmetric_key.primary_key == KEY
    manager.create_device_with_certificate_authority("tank", "enabled")
    assert stand.device("valve").get_twin()["desired"] == {"$version": 1}
    assert stand.device_x509("tank").get_twin()["desired"] == {"$version": 1}
    assert refusal(manager.create_device_with_sas, "valve", KEY, KEY, "enabled")[0] == 409

    manager.update_device_with_sas("valve", made.etag, KEY, KEY, "disabled")
    assert manager.get_device("valve").status == "disabled"
    assert manager.get_device_registry_statistics().disabled_device_count == 1
    manager.delete_device("valve")
    assert refusal(manager.get_device, "valve")[0] == 404
    assert refusal(manager.delete_device, "tank", "stale")[0] == 412


def test_a_self_signed_device_has_thumbprints(stand):
    """The certificate itself is known, whoever signed it."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes

    pair = stand.authority.device("other-name", "devices/self")
    prints = x509.load_pem_x509_certificate(pair.cert_file.read_bytes()).fingerprint(hashes.SHA256()).hex().upper()
    manager = stand.registry()
    manager.create_device_with_x509("self", prints, prints, "enabled")
    assert manager.get_device("self").authentication.type == "selfSigned"

    stand.authority.device = lambda _name: pair
    assert stand.device_x509("self").get_twin()["reported"] == {"$version": 1}


def test_a_method_over_rest(stand):
    """Called by the service, answered by the device; 404 while it is away."""
    manager = stand.registry()
    method = CloudToDeviceMethod(method_name="reboot", payload={"in": 5}, response_timeout_in_seconds=WAIT)
    assert refusal(manager.invoke_device_method, "pump", method)[1].startswith("ErrorCode:DeviceNotOnline")
    client = stand.device()

    def answer(request):
        client.send_method_response(MethodResponse.create_from_method_request(request, 200, request.payload))

    client.on_method_request_received = answer
    result = manager.invoke_device_method("pump", method)

    assert (result.status, result.payload) == (200, {"in": 5})
    assert manager.get_service_statistics().connected_device_count == 1


def test_a_device_may_be_registered_disabled(stand):
    """With keys that the hub makes; it cannot connect until it is enabled."""
    made = stand.request("PUT", "/devices/valve", json={"status": "disabled"}).json()
    key = made["authentication"]["symmetricKey"]["primaryKey"]
    with pytest.raises(CredentialError):
        stand.device("valve", key=key, register=False)
    body = {"status": "enabled", "authentication": made["authentication"]}
    assert stand.request("PUT", "/devices/valve", json=body, headers={"If-Match": '"*"'}).json()["status"] == "enabled"

    assert stand.device("valve", key=key, register=False).get_twin()["reported"] == {"$version": 1}


def job(job_id, condition, **patch):
    """A job of the service SDK."""
    twin = Twin(etag="*", **patch)
    return JobRequest(job_id=job_id, type="scheduleUpdateTwin", update_twin=twin, query_condition=condition)


def test_a_scheduled_job(stand):
    """Tags and desired properties of every device that meets the condition; null removes a tag."""
    manager = stand.job_manager()
    desired = TwinProperties(desired={"otabridge": {"stage": "S"}})
    made = manager.create_scheduled_job(
        "j1",
        job("j1", "deviceId IN ['pump'] AND tags.site = 'north'", tags={"site": None, "g": "S"}, properties=desired),
    )
    assert made.status == "queued"
    ended = manager.get_scheduled_job("j1")

    assert (ended.status, ended.device_job_statistics.succeeded_count) == ("completed", 1)
    assert (stand.hub.tags("pump"), stand.hub.desired("pump")) == ({"g": "S"}, {"otabridge": {"stage": "S"}})


def test_jobs_are_refused_and_cancelled(stand):
    """One at a time, an id once; a job that the hub does not know has status `unknown`."""
    stand.jobs.devices_per_second = 1
    manager = stand.job_manager()
    manager.create_scheduled_job("j1", job("j1", "*", tags={"x": 1}))

    status, message = refusal(manager.create_scheduled_job, "j2", job("j2", "*", tags={"x": 1}))
    assert (status, message.split(";")[0]) == (429, "ErrorCode:ThrottlingMaxActiveJobCountExceeded")
    assert refusal(manager.create_scheduled_job, "j1", job("j1", "*", tags={"x": 1}))[0] == 409
    assert manager.cancel_scheduled_job("j1").status == "cancelled"
    assert manager.get_scheduled_job("j2").status == "unknown"
    assert refusal(manager.cancel_scheduled_job, "j2")[0] == 404
    assert [each["jobId"] for each in stand.request("GET", "/jobs/v2/query").json()] == ["j1"]


def test_a_token_credential_may_serve(stand):
    """As with azure.identity; whoever runs the hub judges the token."""
    from azure.core.credentials import AccessToken

    class Credential:
        def get_token(self, *_scopes, **_options):
            return AccessToken(BEARER, 2**40)

    manager = IoTHubRegistryManager.from_token_credential(stand.name, Credential())
    manager.protocol.config.connection.verify = str(stand.authority.ca_file)

    assert manager.get_twin("pump").tags == {"site": "north"}

"""Tokens: who gets one, and what it opens."""

from __future__ import annotations

import json

import pytest
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import DefaultAzureCredential
from azure.iot.hub import IoTHubRegistryManager

from adapters.simulation.faults import Effect

AUDIENCES = ("https://iothubs.azure.net", "https://api.adu.microsoft.com", "https://storage.azure.com")


@pytest.mark.parametrize("audience", AUDIENCES)
def test_azure_identity_gets_a_token_for_each_service(cloud, audience):
    """DefaultAzureCredential finds the managed identity in the environment."""
    assert cloud.credential.get_token(f"{audience}/.default").token.count(".") == 2


def test_the_hub_takes_such_a_token(cloud, simulator):
    """azure-iot-hub works with the same credential."""
    simulator.add_device("pump")
    manager = IoTHubRegistryManager.from_token_credential(simulator.hub_name, cloud.credential)
    assert manager.get_twin("pump").device_id == "pump"
    manager.protocol.close()


@pytest.mark.parametrize(
    ("header", "query", "status"),
    [
        ("wrong", f"resource={AUDIENCES[0]}&api-version=2019-08-01", 401),
        (None, f"resource={AUDIENCES[0]}&api-version=2017-09-01", 400),
        (None, "resource=https://graph.microsoft.com&api-version=2019-08-01", 400),
    ],
)
def test_tokens_need_header_version_and_a_known_resource(simulator, get, header, query, status):
    """As App Service does, in words."""
    environment = simulator.environment()
    headers = {"X-IDENTITY-HEADER": header or environment["IDENTITY_HEADER"]}
    answer = get(f"{environment['IDENTITY_ENDPOINT']}?{query}", headers=headers)
    assert (answer.status, "error_description" in json.loads(answer.data)) == (status, True)


@pytest.mark.parametrize("token", ["", "Bearer", "Bearer a.b.c", "Basic eDp5", "Bearer \u00e9.\u00e9.\u00e9"])
def test_device_update_takes_no_other_tokens(simulator, get, token):
    """401 with the reason."""
    url = f"{simulator.adu_url}/deviceUpdate/{simulator.instance}/updates?api-version=2026-06-01"
    answer = get(url, headers={"Authorization": token.encode("latin-1").decode("latin-1")})
    assert answer.status == 401
    assert "bearer token for https://api.adu.microsoft.com" in json.loads(answer.data)["error"]["message"]


@pytest.mark.usefixtures("cloud")
def test_the_identity_can_be_out_of_order(simulator):
    """A planned failure is one of authentication to the client."""
    simulator.faults.plan("token", Effect.SERVER_ERROR, times=20, status=400)
    with DefaultAzureCredential() as credential, pytest.raises(ClientAuthenticationError):
        credential.get_token(f"{AUDIENCES[0]}/.default")

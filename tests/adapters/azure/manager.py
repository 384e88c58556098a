"""Azure Resource Manager on loopback: GET of resources by their ids, as the published protocol has it.

Written from the REST reference: api-version must be given, a token too; a resource that is not there is 404
ResourceNotFound, one that may not be read 403 AuthorizationFailed; lists come in pages with `nextLink`.
"""

from __future__ import annotations

import copy
import json
import ssl
from contextlib import contextmanager

from azure.core.credentials import AccessToken
from werkzeug.wrappers import Request, Response

from adapters.simulation.http import HttpServer
from adapters.simulation.pki import CertificateAuthority

SUBSCRIPTION = "/subscriptions/11111111-2222-3333-4444-555555555555"
GROUP = f"{SUBSCRIPTION}/resourceGroups/plant-otabridge"
HUB = f"{GROUP}/providers/Microsoft.Devices/IotHubs/plant-hub"
ACCOUNT = f"{GROUP}/providers/Microsoft.DeviceUpdate/accounts/plant-adu"
INSTANCE = f"{ACCOUNT}/instances/fleet"
STORAGE = f"{GROUP}/providers/Microsoft.Storage/storageAccounts/plantota"
CONTAINER = f"{STORAGE}/blobServices/default/containers/artifacts"
VAULT = f"{GROUP}/providers/Microsoft.KeyVault/vaults/plant-keys"
NAMESPACE = f"{GROUP}/providers/Microsoft.EventHub/namespaces/plant-events"
EVENT_HUB = f"{NAMESPACE}/eventhubs/devices"
READERS = f"{EVENT_HUB}/consumergroups/readers"
PROVISIONING = f"{GROUP}/providers/Microsoft.Devices/provisioningServices/plant-dps"
WORKSPACE = f"{GROUP}/providers/Microsoft.OperationalInsights/workspaces/plant-logs"
WORKBOOK = f"{GROUP}/providers/Microsoft.Insights/workbooks/33333333-3333-5333-8333-333333333333"
UPDATER, SENDER = "99999999-0000-0000-0000-000000000001", "99999999-0000-0000-0000-000000000002"
ASSIGNMENTS = "/providers/Microsoft.Authorization/roleAssignments"
PERMISSIONS = "/providers/Microsoft.Authorization/permissions"
DEFINITIONS = f"{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions"
CONTRIBUTES, SENDS = "4fc6c259-987e-4a07-842e-c321cc9d413f", "2b629674-e913-4c01-ae53-ef4638d8f975"
SIGN = "Microsoft.KeyVault/vaults/keys/sign/action"
SETTINGS = {
    "hub": "plant-hub.azure-devices.net",
    "endpoint": "plant-adu.api.adu.microsoft.com",
    "instance": "fleet",
    "storage_url": "https://plantota.blob.core.windows.net",
    "container": "artifacts",
    "provider": "contoso",
    "manufacturer": "Contoso",
}
RESOURCES = {
    "resource_group": "plant-otabridge",
    "location": "westeurope",
    "hub_id": HUB,
    "device_update_account_id": ACCOUNT,
    "device_update_instance_id": INSTANCE,
    "device_update_principal_id": UPDATER,
    "storage_account_id": STORAGE,
    "container_id": CONTAINER,
    "key_vault_id": VAULT,
    "root_key": "azurekms:plant-keys/root",
    "release_key": "azurekms:plant-keys/releases",
    "event_hub_namespace": "plant-events",
    "event_hub": "devices",
    "event_consumer_group": "readers",
    "log_analytics_workspace_id": WORKSPACE,
    "workbook_id": WORKBOOK,
    "provisioning_id": PROVISIONING,
    "provisioning_id_scope": "0ne00000001",
    "provisioning_host": "global.azure-devices-provisioning.net",
}
"""`resources` of the module's `tool_config`."""


def assignment(principal, role):
    """A role assignment, as it is listed."""
    return {"properties": {"principalId": principal, "roleDefinitionId": f"{DEFINITIONS}/{role}"}}


def route(source):
    """A route to the event hub."""
    return {"name": source, "source": source, "endpointNames": ["devices"], "isEnabled": True, "condition": "true"}


KEY = {"kty": "EC", "curveName": "P-256", "keyOps": ["sign", "verify"], "attributes": {"enabled": True}}
READS_ALL = {"actions": ["*/read"], "notActions": [], "dataActions": [], "notDataActions": []}
SIGNS = {"actions": [], "notActions": [], "dataActions": ["Microsoft.KeyVault/vaults/keys/*"], "notDataActions": []}
SOURCES = ("TwinChangeEvents", "DeviceLifecycleEvents", "DeviceConnectionStateEvents")
ENDPOINT = {"name": "devices", "endpointUri": "sb://plant-events.servicebus.windows.net", "entityPath": "devices"}
ADDRESSES = {"blob": "https://plantota.blob.core.windows.net/"}
LINKED = {"resourceId": HUB.lower()}
SEALED = {
    "primaryEndpoints": ADDRESSES,
    "allowBlobPublicAccess": False,
    "allowSharedKeyAccess": False,
    "supportsHttpsTrafficOnly": True,
    "minimumTlsVersion": "TLS1_2",
}
ENROLS = {
    "state": "Active",
    "idScope": "0ne00000001",
    "deviceProvisioningHostName": "global.azure-devices-provisioning.net",
    "iotHubs": [{"name": "plant-hub.azure-devices.net", "location": "westeurope"}],
}
MADE = {
    HUB: {
        "sku": {"name": "S1", "tier": "Standard", "capacity": 1},
        "identity": {"type": "SystemAssigned", "principalId": SENDER},
        "properties": {
            "state": "Active",
            "hostName": "plant-hub.azure-devices.net",
            "routing": {"routes": [route(source) for source in SOURCES], "endpoints": {"eventHubs": [ENDPOINT]}},
        },
    },
    ACCOUNT: {"properties": {"hostName": "plant-adu.api.adu.microsoft.com", "provisioningState": "Succeeded"}},
    INSTANCE: {"properties": {"iotHubs": [LINKED], "provisioningState": "Succeeded"}},
    STORAGE: {"properties": SEALED},
    f"{STORAGE}/blobServices/default": {"properties": {"isVersioningEnabled": True}},
    CONTAINER: {"properties": {"publicAccess": "None"}},
    VAULT: {"properties": {"enableRbacAuthorization": True, "enablePurgeProtection": True}},
    f"{VAULT}/keys/root": {"properties": KEY},
    f"{VAULT}/keys/releases": {"properties": copy.deepcopy(KEY)},
    EVENT_HUB: {"properties": {"status": "Active"}},
    READERS: {"properties": {}},
    PROVISIONING: {"properties": ENROLS},
    WORKSPACE: {"properties": {"provisioningState": "Succeeded"}},
    WORKBOOK: {"properties": {}},
    f"{HUB}{ASSIGNMENTS}": {"value": [assignment("somebody", CONTRIBUTES), assignment(UPDATER, CONTRIBUTES)]},
    f"{EVENT_HUB}{ASSIGNMENTS}": {"value": [assignment(SENDER.upper(), SENDS)]},
    f"{VAULT}/keys/root{PERMISSIONS}": {"value": [READS_ALL]},
    f"{VAULT}/keys/releases{PERMISSIONS}": {"value": [READS_ALL]},
}
"""What Resource Manager tells of a fleet that is as the module made it."""


class Manager:
    """One subscription. `made` may be changed, `refused` says of which ids nothing is told, and with which status."""

    def __init__(self, folder):
        self.made = copy.deepcopy(MADE)
        self.refused = {}
        self.asked = []
        self._authority = CertificateAuthority(folder)
        pair = self._authority.server()
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(pair.cert_file, pair.key_file)
        self._http = HttpServer(Request.application(self._answer), tls=tls)
        self.ca_file = self._authority.ca_file

    @contextmanager
    def running(self):
        """Serves within it."""
        self._http.start()
        try:
            yield self
        finally:
            self._http.stop()

    @property
    def url(self):
        """Where it serves."""
        return self._http.url

    def _answer(self, request):
        self.asked.append(f"{request.method} {request.path}")
        path, _, page = request.path.partition("/page/")
        if not request.headers.get("Authorization", "").startswith("Bearer "):
            return _error(401, "AuthenticationFailed", "no token")
        if "api-version" not in request.args:
            return _error(
                400, "MissingApiVersionParameter", "The api-version query parameter (?api-version=) is required"
            )
        if path in self.refused:
            status = self.refused[path]
            return _error(status, {403: "AuthorizationFailed", 429: "TooManyRequests"}[status], "no")
        if path not in self.made:
            return _error(404, "ResourceNotFound", f"The Resource '{path}' was not found.")
        return _json(self._paged(path, int(page or 0)))

    def _paged(self, path, page):
        """A list's one item a page."""
        found = self.made[path]
        if "value" not in found:
            return {"id": path, **found}
        more = page + 1 < len(found["value"])
        following = {"nextLink": f"{self.url}{path}/page/{page + 1}?api-version=2022-04-01"} if more else {}
        return {"value": found["value"][page : page + 1], **following}


class Token:
    """Credentials that somebody has."""

    def get_token(self, *_scopes, **_options):
        """One that lives for long."""
        return AccessToken("token", 4_102_444_800)


def _error(status, code, message):
    return _json({"error": {"code": code, "message": message}}, status)


def _json(body, status=200):
    return Response(json.dumps(body), status, content_type="application/json")

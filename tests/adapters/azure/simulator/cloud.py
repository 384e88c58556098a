"""A simulated Azure as its users see it: the real SDKs, updates to import, and devices that only report."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import json
from contextlib import contextmanager

from azure.core.pipeline.policies import SansIOHTTPPolicy
from azure.identity import DefaultAzureCredential
from azure.iot.deviceupdate import DeviceUpdateClient
from azure.storage.blob import BlobServiceClient, generate_blob_sas

MODEL_ID = "dtmi:azure:iot:deviceUpdateModel;3"
CONTRACT = "dtmi:azure:iot:deviceUpdateContractModel;3"
COMPATIBILITY = {"manufacturer": "acme", "model": "pump"}
START = "2026-01-01T00:00:00Z"
HANDLER = "acme/image:1"
FILES = {"image.bin": bytes(range(256)) * 40, "notes.txt": b"notes"}


class ServedAt(SansIOHTTPPolicy):
    """The Device Update SDK takes no port in its endpoint."""

    def __init__(self, endpoint, url):
        self._endpoint = f"https://{endpoint}"
        self._url = url

    def on_request(self, request):
        request.http_request.url = request.http_request.url.replace(self._endpoint, self._url)


class Cloud:
    """Clients of one simulator; `credential` is what azure-identity makes of its environment."""

    def __init__(self, simulator, credential):
        self.simulator = simulator
        self.credential = credential
        self.blobs = BlobServiceClient(simulator.storage_url, credential=credential, retry_total=0)
        self.container = self.blobs.get_container_client(simulator.container)
        self.client = DeviceUpdateClient(
            endpoint=simulator.endpoint,
            instance_id=simulator.instance,
            credential=credential,
            per_retry_policies=[ServedAt(simulator.endpoint, simulator.adu_url)],
            polling_interval=0.02,
            retry_total=0,
        )
        self.updates = self.client.device_update
        self.management = self.client.device_management

    def close(self):
        self.blobs.close()
        self.client.close()

    def key(self):
        """A user delegation key for four hours."""
        now = dt.datetime.now(dt.UTC)
        return self.blobs.get_user_delegation_key(now - dt.timedelta(minutes=5), now + dt.timedelta(hours=4))

    def signed_url(self, name, *, key=None, permission="r", hours=1):
        """A URL that opens one blob."""
        query = generate_blob_sas(
            self.simulator.account,
            self.simulator.container,
            name,
            user_delegation_key=key or self.key(),
            permission=permission,
            expiry=dt.datetime.now(dt.UTC) + dt.timedelta(hours=hours),
        )
        return f"{self.simulator.storage_url}/{self.simulator.container}/{name}?{query}"

    def put(self, name, octets):
        """Upload a blob; a URL that reads it."""
        self.container.upload_blob(name, octets, overwrite=True)
        return self.signed_url(name)

    def item(self, manifest, files):
        """One update of an import: manifest and files, uploaded."""
        text = json.dumps(manifest).encode()
        name = "-".join(manifest["updateId"].values())
        return {
            "importManifest": {
                "url": self.put(f"{name}/manifest", text),
                "sizeInBytes": len(text),
                "hashes": sha256(text),
            },
            "files": [{"filename": each, "url": self.put(f"{name}/{each}", octets)} for each, octets in files.items()],
        }

    def import_update(self, name="firmware", version="1.0", files=None, **changes):
        """Import an update of one step and wait for it; its id."""
        files = files or {"image.bin": b"image of " + version.encode()}
        manifest = import_manifest(name, version, files, **changes)
        self.updates.begin_import_update([self.item(manifest, files)]).result()
        return manifest["updateId"]

    def deploy(self, update_id, group, deployment="d-1", **changes):
        """Create a deployment for a group."""
        body = {
            "deploymentId": deployment,
            "groupId": group,
            "startDateTime": START,
            "update": {"updateId": update_id},
            "downloadSecurity": "http",
        }
        return self.management.create_or_update_deployment(group, deployment, body | changes)

    def counts(self, group, deployment="d-1"):
        """In progress, succeeded, failed, cancelled of all subgroups."""
        names = ("InProgress", "CompletedSucceeded", "CompletedFailed", "Canceled")
        shown = self.management.get_deployment_status(group, deployment)["subgroupStatus"]
        return tuple(sum(each[f"devices{name}Count"] for each in shown) for name in names)

    def the_class(self, group):
        """The only device class of a group."""
        (subgroup,) = self.management.list_device_class_subgroups_for_group(group)
        return subgroup["deviceClassId"]


class Board:
    """A device without a connection: what it would report is put into its twin."""

    def __init__(self, simulator, name, *, group=None, properties=None, contract=CONTRACT, model_id=MODEL_ID):
        self.simulator = simulator
        self.name = name
        self.properties = properties or COMPATIBILITY
        simulator.hub.add_device(name, key="c2VjcmV0LXNlY3JldC1zZWNyZXQ=", tags={"ADUGroup": group} if group else None)
        simulator.hub.set_connected(name, connected=True, model_id=model_id)
        self.report(
            deviceProperties={**self.properties, "contractModelId": contract},
            compatPropertyNames=",".join(self.properties),
        )

    def report(self, **agent):
        """Report as the agent does."""
        self.simulator.hub.report(self.name, {"deviceUpdate": {"__t": "c", "agent": agent}})

    def tag(self, group):
        """Put it into a group."""
        self.simulator.hub.patch_twin(self.name, {"tags": {"ADUGroup": group}})

    def service(self):
        """What it is told; nothing yet is empty."""
        return self.simulator.hub.desired(self.name).get("deviceUpdate", {}).get("service", {})

    def told(self, action=3):
        """Wait for a goal with this action; what it is told."""
        assert self.simulator.hub.wait_until(lambda: self.service().get("workflow", {}).get("action") == action)
        return self.service()

    def ends(self, state, *, installed=None, result=700):
        """Report an end of the workflow that it is told of."""
        text = json.dumps(installed, separators=(",", ":")) if installed else None
        workflow = self.service()["workflow"]
        outcome = {"resultCode": result, "extendedResultCodes": "00000000", "stepResults": None}
        self.report(state=state, workflow=workflow, installedUpdateId=text, lastInstallResult=outcome)


@contextmanager
def signed_in(simulator, monkeypatch):
    """Clients with the identity that the simulator's environment gives."""
    for name, value in simulator.environment().items():
        monkeypatch.setenv(name, value)
    with DefaultAzureCredential() as credential:
        cloud = Cloud(simulator, credential)
        try:
            yield cloud
        finally:
            cloud.close()


def import_manifest(name, version, files, **changes):
    """An import manifest of one inline step with all files."""
    return {
        "manifestVersion": "4.0",
        "updateId": {"provider": "acme", "name": name, "version": version},
        "compatibility": [COMPATIBILITY],
        "instructions": {"steps": [{"handler": HANDLER, "files": list(files), "handlerProperties": {"slot": "b"}}]},
        "files": [file_entry(each, octets) for each, octets in files.items()],
        "createdDateTime": "2026-01-01T00:00:00Z",
    } | changes


def file_entry(name, octets):
    """What an import manifest says of a file."""
    return {"filename": name, "sizeInBytes": len(octets), "hashes": sha256(octets)}


def sha256(octets):
    """As manifests write it."""
    return {"sha256": base64.b64encode(hashlib.sha256(octets).digest()).decode()}

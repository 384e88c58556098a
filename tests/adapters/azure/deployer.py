"""Device Update as one device meets it: goals written into its twin by hand, so that a test decides what is odd.

Everything is signed as the service signs, by keys of the simulator; files come from a server on loopback.
"""

from __future__ import annotations

import base64
import hashlib
import json
import threading
import uuid

from werkzeug.wrappers import Request, Response

from adapters.azure.simulator.signing import root_key_package, service_keys, sign_manifest
from adapters.azure.wire import HANDLER, RELEASE_FILE, ROOTS_FILE, render_roots, step_properties
from adapters.simulation.http import HttpServer

PROVIDER = "acme"
NOTHING = {"updateManifest": None, "updateManifestSignature": None, "fileUrls": None, "rootKeyPackageUrl": None}


class Deployer:
    """Writes the goals of one device. `stored` maps a path to the bytes that the content server has there."""

    def __init__(self, hub, device):
        self.hub = hub
        self.device = device
        self.stored = {}
        self.planned = {}
        self.asked = []
        self.uploads = {}
        self.packages = 1
        self._server = HttpServer(self._serve)

    def __enter__(self):
        self._server.start()
        return self

    def __exit__(self, *_):
        self._server.stop()

    # --- what the service does

    def deploy(self, package, *, workflow=None, stage="", package_url=True, **odd):
        """Want `package` installed; returns the workflow's id. `odd` are arguments of `service_of`."""
        workflow = workflow or str(uuid.uuid4())
        service = self.service_of(package, **odd) | {"workflow": {"action": 3, "id": workflow, "retryTimestamp": None}}
        service["rootKeyPackageUrl"] = self.root_key_package() if package_url else None
        self.write({"deviceUpdate": {"__t": "c", "service": service}, "otabridge": {"stage": stage} if stage else None})
        return workflow

    def retry(self, when="2026-11-22T10:00:00.000Z"):
        """Send the failed deployment again."""
        self.write({"deviceUpdate": {"service": {"workflow": {"retryTimestamp": when}}}})

    def cancel(self, workflow="nodeployment"):
        """Want nothing any more: all but the workflow is null, and no root key package is named."""
        work = {"action": 255, "id": workflow, "retryTimestamp": None}
        self.write({"deviceUpdate": {"__t": "c", "service": {"workflow": work, **NOTHING}}})

    def redeliver(self):
        """Write the goal again, as it is."""
        self.write({"deviceUpdate": self.hub.desired(self.device)["deviceUpdate"]})

    def write(self, desired):
        """Merge into the desired properties."""
        self.hub.patch_twin(self.device, {"properties": {"desired": desired}})

    def ask_for_logs(self, operation="op-1", container="logs"):
        """Ask the device to upload its logs."""
        url = f"{self._server.url}/{container}?sv=1&sig=secret"
        service = {"operationId": operation, "storageSasUrl": url}
        self.write({"diagnosticInformation": {"__t": "c", "service": service}})

    def root_key_package(self, *, disabled=False, version=None):
        """Publish the root key package, which disables the signing key if so wished; its URL."""
        signers = (service_keys().signer_hash(),) if disabled else ()
        data = root_key_package(service_keys(), version or self.packages, disabled_signers=signers)
        return self.store("package.json", data)

    def service_of(self, package, *, roots=(), handler=HANDLER, detached=False, tamper=None, mutate=None):
        """The component's `service`, without its workflow. `mutate` changes the manifest before it is signed."""
        files = {RELEASE_FILE: package.document, **package.files}
        if roots:
            files[ROOTS_FILE] = render_roots(roots)
        named = {f"f{number}": (name, data) for number, (name, data) in enumerate(sorted(files.items()))}
        manifest = manifest_of(package, named, handler)
        text = json.dumps(mutate(manifest) if mutate else manifest)
        urls = {file_id: self.store(name, data) for file_id, (name, data) in named.items()}
        if detached:
            text, urls = self._detach(text, urls)
        signature = sign_manifest(service_keys(), text)
        return {
            "updateManifest": tamper(text) if tamper else text,
            "updateManifestSignature": signature,
            "fileUrls": urls,
        }

    def store(self, name, data):
        """Put a file on the content server; its URL."""
        self.stored[f"/{name}"] = data
        return f"{self._server.url}/{name}"

    # --- what a test looks at

    @property
    def reported(self):
        """The device's reported properties."""
        return self.hub.reported(self.device)

    @property
    def agent(self):
        """What it reported to Device Update."""
        return self.reported["deviceUpdate"]["agent"]

    @property
    def result(self):
        """State, result code, extended codes and workflow as reported last."""
        last = self.agent["lastInstallResult"]
        return self.agent["state"], last["resultCode"], last["extendedResultCodes"], self.agent["workflow"]["id"]

    @property
    def acknowledged(self):
        """Whether the newest version of the goal was acknowledged."""
        service = self.reported["deviceUpdate"].get("service", {})
        return service.get("ac") == 200 and service.get("av") == self.hub.device(self.device).desired.version

    # --- inside

    def _detach(self, text, urls):
        data = json.dumps({"updateManifest": text}).encode()
        whole = json.loads(text)
        mini = {
            "manifestVersion": whole["manifestVersion"],
            "updateId": whole["updateId"],
            "detachedManifestFileId": "fdetached",
            "files": {"fdetached": file_of("whole.updatemanifest.json", data)},
        }
        return json.dumps(mini), urls | {"fdetached": self.store("whole.updatemanifest.json", data)}

    def _serve(self, environ, start_response):
        request = Request(environ)
        self.asked.append(request.path)
        return self._answer(request)(environ, start_response)

    def _answer(self, request):
        planned = self.planned.get(request.path)
        if planned:
            return planned.pop(0)
        if request.method == "PUT":
            self.uploads[request.path] = (request.args.get("sig"), request.get_data())
            return Response(status=201)
        data = self.stored.get(request.path)
        return Response("no such file", 404) if data is None else Response(data)


class History:
    """Every state that a device has reported, in order."""

    def __init__(self, hub, device):
        self._hub = hub
        self._device = device
        self._lock = threading.Lock()
        self._patches = []
        self._connected = hub.device(device).connected
        self.connections = 0
        """How often the device has connected."""
        hub.listen(self._hear)

    def _hear(self, device, part):
        if (device, part) == (self._device, "connection") and self._hub.knows(device):
            before, self._connected = self._connected, self._hub.device(device).connected
            self.connections += self._connected and not before
        if (device, part) == (self._device, "reported"):
            reported = self._hub.reported(device)
            agent = reported.get("deviceUpdate", {}).get("agent", {})
            standing = reported.get("otabridge", {}).get("standing")
            with self._lock:
                self._patches.append((agent.get("state"), agent.get("workflow", {}).get("id"), standing))

    @property
    def count(self):
        """Of patches."""
        with self._lock:
            return len(self._patches)

    @property
    def states(self):
        """Each state that was new, with its workflow."""
        with self._lock:
            seen = [patch[:2] for patch in self._patches if patch[0] is not None]
        return [each for at, each in enumerate(seen) if at == 0 or seen[at - 1] != each]


def manifest_of(package, named, handler=HANDLER):
    """The manifest of an update that carries `package`; `named` maps file ids to names and bytes."""
    by_name = dict(named.values())
    roots = by_name.get(ROOTS_FILE)
    properties = step_properties(sha256(by_name[RELEASE_FILE]), sha256(roots) if roots else "")
    release = package.release
    return {
        "manifestVersion": "4",
        "updateId": {"provider": PROVIDER, "name": release.name, "version": release.version},
        "compatibility": [{"manufacturer": "acme", "model": release.compatibility.model}],
        "instructions": {"steps": [{"handler": handler, "files": list(named), "handlerProperties": properties}]},
        "files": {file_id: file_of(name, data) for file_id, (name, data) in named.items()},
        "createdDateTime": "2026-11-22T10:00:00Z",
    }


def file_of(name, data):
    """One entry of a manifest's files."""
    digest = base64.b64encode(hashlib.sha256(data).digest()).decode()
    return {"fileName": name, "sizeInBytes": len(data), "hashes": {"sha256": digest}}


def sha256(data):
    """In hex."""
    return hashlib.sha256(data).hexdigest()

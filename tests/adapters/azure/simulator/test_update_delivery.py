"""What devices are told: goals in their twins, signed manifests, files, and what can be wrong with them."""

from __future__ import annotations

import base64
import hashlib
import json

import pytest
import urllib3
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from adapters.azure.simulator.device_update import Delays
from tests.adapters.azure.simulator.cloud import CONTRACT, FILES, HANDLER, Board, import_manifest

MINUTE = 60


# --- an independent reading of the signature


def b64url(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def number(octets):
    return int.from_bytes(octets, "big")


def key_of(modulus, exponent):
    return rsa.RSAPublicNumbers(exponent, modulus).public_key()


def open_jws(text, key):
    """Header and payload of a compact JWS, if `key` made it."""
    header, payload, signature = text.split(".")
    key.verify(b64url(signature), f"{header}.{payload}".encode(), padding.PKCS1v15(), hashes.SHA256())
    return json.loads(b64url(header)), json.loads(b64url(payload))


def signing_key(service, roots):
    """The key that signed, as the root vouches for it."""
    header = json.loads(b64url(service["updateManifestSignature"].split(".")[0]))
    assert header["alg"] == "RS256"
    root = roots[json.loads(b64url(header["sjwk"].split(".")[0]))["kid"]]
    _, jwk = open_jws(header["sjwk"], key_of(number(b64url(root["n"])), root["e"]))
    return key_of(number(base64.b64decode(jwk["n"])), number(base64.b64decode(jwk["e"])))


def verify(simulator, service):
    """Whether the manifest is the signed one."""
    roots = json.loads(simulator.root_keys_file.read_text())
    _, payload = open_jws(service["updateManifestSignature"], signing_key(service, roots))
    digest = hashlib.sha256(service["updateManifest"].encode()).digest()
    return payload == {"sha256": base64.b64encode(digest).decode()}


def fetch(url):
    with urllib3.PoolManager() as pool:
        return pool.request("GET", url, retries=False).data


def fetched(service, file_id, entry):
    """A file of an update, checked against what the manifest says of it."""
    octets = fetch(service["fileUrls"][file_id])
    assert len(octets) == entry["sizeInBytes"]
    assert base64.b64encode(hashlib.sha256(octets).digest()).decode() == entry["hashes"]["sha256"]
    return octets


# --- goals


def test_the_manifest_is_signed_and_names_its_files(simulator, told):
    """A chain from a pinned root to the text, and from the text to each file."""
    assert verify(simulator, told)
    manifest = json.loads(told["updateManifest"])
    (step,) = manifest["instructions"]["steps"]
    assert (manifest["manifestVersion"], step["handler"]) == ("4", HANDLER)
    assert step["handlerProperties"] == {"slot": "b"}
    assert set(step["files"]) == set(manifest["files"]) == set(told["fileUrls"])
    assert all(len(each) == 17 and each[0] == "f" and bytes.fromhex(each[1:]) for each in step["files"])
    for file_id, entry in manifest["files"].items():
        assert fetched(told, file_id, entry) == FILES[entry["fileName"]]


def test_the_root_key_package_is_signed_by_every_root(simulator, told):
    """Signatures stand in the order of the keys, over the protected part without spaces."""
    package = json.loads(fetch(told["rootKeyPackageUrl"]))
    protected = package["protected"]
    text = json.dumps(protected, separators=(",", ":")).encode()
    assert list(protected["rootKeys"].values()) == list(json.loads(simulator.root_keys_file.read_text()).values())
    for root, signature in zip(protected["rootKeys"].values(), package["signatures"], strict=True):
        key = key_of(number(b64url(root["n"])), root["e"])
        key.verify(b64url(signature["sig"]), text, padding.PKCS1v15(), hashes.SHA256())
    assert (protected["disabledRootKeys"], protected["disabledSigningKeys"]) == ([], [])


def test_a_disabled_signing_key_is_named_by_its_hash(simulator, told, cloud, board):
    """A later package lists SHA-256 of its PKCS#1 form, and it goes on signing."""
    simulator.renew_root_key_package(disable_signer=True)
    cloud.deploy(cloud.import_update(version="2.0"), "ring", "d-2")
    assert simulator.hub.wait_until(lambda: board.service()["workflow"] != told["workflow"])
    service = board.service()
    key = signing_key(service, json.loads(simulator.root_keys_file.read_text()))
    der = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.PKCS1)
    protected = json.loads(fetch(service["rootKeyPackageUrl"]))["protected"]
    (disabled,) = protected["disabledSigningKeys"]
    assert (protected["version"], b64url(disabled["hash"])) == (2, hashlib.sha256(der).digest())


def test_a_workflow_keeps_its_id(simulator, told, board, cloud):
    """One deployment is one workflow for every device, and after a redelivery."""
    version = simulator.hub.device("pump").desired.version
    simulator.redeliver("pump")
    assert simulator.hub.device("pump").desired.version == version + 1
    assert board.service() == told
    other = Board(simulator, "other", group="ring")
    assert other.told()["workflow"] == told["workflow"]
    assert simulator.workflows("pump") == (told["workflow"]["id"],)
    assert cloud.counts("ring") == (2, 0, 0, 0)


def test_goals_arrive_after_a_while(cloud, simulator, board):
    """Not before the service has got round to it."""
    simulator.service.delays = Delays(delivery_seconds=5 * MINUTE)
    cloud.deploy(cloud.import_update(), "ring")
    assert cloud.counts("ring") == (1, 0, 0, 0)
    assert board.service() == {}
    simulator.clock.advance(5 * MINUTE)
    assert board.told()["workflow"]["action"] == 3


def test_a_cancelled_device_is_told_that_there_is_nothing(simulator, told, board, cloud):
    """All that belonged to the deployment is gone from its twin."""
    assert "rootKeyPackageUrl" in told
    cloud.management.stop_deployment("ring", cloud.the_class("ring"), "d-1")
    assert board.told(255) == {"workflow": {"action": 255, "id": "nodeployment"}}
    assert simulator.workflows("pump") == (told["workflow"]["id"],)


def test_leaving_the_group_cancels_too(told, board, cloud):
    """And coming back delivers the same workflow again."""
    board.tag(None)
    board.told(255)
    board.tag("ring")
    assert board.told() == told
    assert cloud.counts("ring") == (1, 0, 0, 0)


def test_a_new_goal_leaves_nothing_of_the_old(simulator, told, board, cloud):
    """Files of the earlier update are not among the later one's."""
    cloud.deploy(cloud.import_update(version="2.0"), "ring", "d-2")
    assert simulator.hub.wait_until(lambda: board.service()["workflow"] != told["workflow"])
    assert set(board.service()["fileUrls"]).isdisjoint(told["fileUrls"])


def test_devices_without_a_deployment_hear_nothing_unless_asked(cloud, simulator, board):
    """The real service tells them, too, that there is none."""
    cloud.management.get_group("ring")
    assert board.service() == {}
    simulator.idle_cancel = True
    other = Board(simulator, "other", group="ring")
    assert other.told(255)["workflow"]["id"] == "nodeployment"


def test_devices_may_hear_first_that_there_is_nothing(cloud, simulator, board):
    """Before each other deployment, for as long as a delivery takes; not before a retry or a redelivery."""
    simulator.idle_first = True
    first = cloud.import_update()
    simulator.service.delays = Delays(delivery_seconds=MINUTE)
    cloud.deploy(first, "ring")
    simulator.clock.advance(MINUTE)
    assert board.told(255)["workflow"]["id"] == "nodeployment"
    simulator.clock.advance(MINUTE)
    told = board.told()
    board.ends(255, result=0)
    assert cloud.counts("ring") == (0, 0, 1, 0)
    cloud.management.retry_deployment("ring", cloud.the_class("ring"), "d-1")
    simulator.clock.advance(MINUTE)
    assert board.service()["workflow"]["id"] == told["workflow"]["id"]
    assert "retryTimestamp" in board.service()["workflow"]
    simulator.redeliver(board.name)
    assert board.service()["workflow"]["id"] == told["workflow"]["id"]
    cloud.deploy(cloud.import_update(version="2.0"), "ring", "d-2")
    simulator.clock.advance(MINUTE)
    board.told(255)
    simulator.clock.advance(MINUTE)
    assert board.told()["workflow"]["id"] != told["workflow"]["id"]


def test_what_devices_report_is_counted_after_a_while(cloud, simulator, told, board):
    """The counters of a deployment lag behind the twins."""
    assert told["workflow"]["action"] == 3
    assert cloud.counts("ring") == (1, 0, 0, 0)  # all that came before has been read
    simulator.service.delays = Delays(status_seconds=5 * MINUTE)
    board.ends(255, result=0)
    assert cloud.counts("ring") == (1, 0, 0, 0)
    simulator.clock.advance(5 * MINUTE)
    assert cloud.counts("ring") == (0, 0, 1, 0)


# --- other forms


def test_a_long_manifest_is_delivered_as_a_file(cloud, simulator, board):
    """The signed text then names one file, whose content is the manifest."""
    simulator.detached = 0
    cloud.deploy(cloud.import_update(files=FILES), "ring")
    service = board.told()
    mini = json.loads(service["updateManifest"])
    assert set(mini) == {"manifestVersion", "updateId", "detachedManifestFileId", "files"}
    (file_id,) = mini["files"]
    inner = json.loads(json.loads(fetched(service, file_id, mini["files"][file_id]))["updateManifest"])
    assert verify(simulator, service)
    assert set(service["fileUrls"]) == {file_id, *inner["files"]}


def test_a_manifest_that_fits_no_string_of_a_twin_is_detached_by_itself(cloud, board):
    """4096 bytes are the limit."""
    files = {f"{number}-{'x' * 200}.bin": b"%d" % number for number in range(10)}
    properties = {"text": "x" * 2000}
    steps = [{"handler": HANDLER, "files": list(files), "handlerProperties": properties}]
    cloud.deploy(cloud.import_update(files=files, instructions={"steps": steps}), "ring")
    assert "detachedManifestFileId" in board.told()["updateManifest"]


def test_children_come_as_detached_manifests(cloud, simulator, board):
    """At any size; their files are among the parent's URLs."""
    files = {"motor.bin": b"motor"}
    child = import_manifest("motor", "1.1", files, compatibility=[{"group": "motors"}], isDeployable=False)
    steps = [{"type": "reference", "updateId": child["updateId"]}]
    parent = import_manifest("machine", "1.0", {}, instructions={"steps": steps})
    cloud.updates.begin_import_update([cloud.item(parent, {}), cloud.item(child, files)]).result()
    cloud.deploy(parent["updateId"], "ring")
    service = board.told()
    manifest = json.loads(service["updateManifest"])
    (step,) = manifest["instructions"]["steps"]
    entry = manifest["files"][step["detachedManifestFileId"]]
    assert (step["type"], entry["fileName"]) == ("reference", "acme.motor.1.1.updatemanifest.json")
    inner = json.loads(json.loads(fetched(service, step["detachedManifestFileId"], entry))["updateManifest"])
    (file_id,) = inner["files"]
    assert fetched(service, file_id, inner["files"][file_id]) == b"motor"
    assert verify(simulator, service)


def test_related_files_are_a_map_on_the_wire(cloud, board):
    """With the download handler that makes the file of them."""
    manifest = import_manifest("firmware", "1.0", {"image.bin": b"image"}, manifestVersion="5.0")
    delta = import_manifest("x", "1.0", {"delta.bin": b"delta"})["files"][0] | {"properties": {"from": "0.9"}}
    manifest["files"][0] |= {"relatedFiles": [delta], "downloadHandler": {"id": "microsoft/delta:1"}}
    item = cloud.item(manifest, {"image.bin": b"image", "delta.bin": b"delta"})
    cloud.updates.begin_import_update([item]).result()
    cloud.deploy(manifest["updateId"], "ring")
    service = board.told()
    wire = json.loads(service["updateManifest"])
    (entry,) = wire["files"].values()
    ((related_id, related),) = entry["relatedFiles"].items()
    assert (wire["manifestVersion"], entry["downloadHandler"]) == ("5", {"id": "microsoft/delta:1"})
    assert (related["properties"], fetched(service, related_id, related)) == ({"from": "0.9"}, b"delta")


def test_old_agents_get_no_new_manifests(cloud, simulator):
    """Contract model 1 reads version 4 only."""
    old = Board(simulator, "old", group="ring", contract=CONTRACT.replace(";3", ";1"))
    newer = cloud.import_update(version="2.0", manifestVersion="5.0")
    assert cloud.deploy(newer, "ring", "d-1")["deviceClassSubgroups"] == []
    cloud.deploy(cloud.import_update(version="1.0"), "ring", "d-2")
    assert json.loads(old.told()["updateManifest"])["manifestVersion"] == "4"


# --- trouble


def test_a_tampered_manifest_does_not_match_its_signature(cloud, simulator, board):
    """It says the same in other bytes."""
    simulator.tamper_manifest = True
    cloud.deploy(cloud.import_update(), "ring")
    service = board.told()
    assert json.loads(service["updateManifest"])["updateId"]["version"] == "1.0"
    assert not verify(simulator, service)


def test_the_check_of_these_tests_can_fail(simulator, told):
    """A flipped bit of the signature is noticed."""
    head, _, signature = told["updateManifestSignature"].rpartition(".")
    other = "B" if signature[0] == "A" else "A"
    with pytest.raises(InvalidSignature):
        verify(simulator, {**told, "updateManifestSignature": f"{head}.{other}{signature[1:]}"})


def test_the_root_key_package_can_be_missing(cloud, simulator, board):
    """As for devices of older models."""
    simulator.missing_root_key_package = True
    cloud.deploy(cloud.import_update(), "ring")
    assert "rootKeyPackageUrl" not in board.told()

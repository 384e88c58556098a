"""Updates: what Device Update imports, what it refuses and why, and what it shows of them."""

from __future__ import annotations

import re

import pytest
from azure.core import MatchConditions
from azure.core.exceptions import AzureError, HttpResponseError, ResourceNotFoundError, ResourceNotModifiedError

from adapters.azure.simulator.device_update import Delays
from adapters.simulation.faults import Effect
from tests.adapters.azure.simulator.cloud import Board, file_entry, import_manifest, sha256

FILES = {"image.bin": b"image"}
UPDATE = {"provider": "acme", "name": "firmware", "version": "1.0"}
HOURS = 3600


def refusal(cloud, batch):
    """How an import fails."""
    with pytest.raises(HttpResponseError):
        cloud.updates.begin_import_update(batch).result()
    (operation,) = cloud.updates.list_operation_statuses()
    assert operation["status"] == "Failed"
    return f"{operation['error']['code']}: {operation['error']['message']}"


def test_an_imported_update_can_be_looked_at(cloud):
    """Provider, name, version and files appear, with the manifest's particulars."""
    cloud.import_update(files=FILES, description="spring release")
    shown = cloud.updates.get_update(**UPDATE)
    assert (shown["updateId"], shown["description"], shown["isDeployable"]) == (UPDATE, "spring release", True)
    assert list(cloud.updates.list_providers()) == ["acme"]
    assert list(cloud.updates.list_names("acme")) == ["firmware"]
    assert list(cloud.updates.list_versions("acme", "firmware")) == ["1.0"]
    (file_id,) = cloud.updates.list_files(**UPDATE)
    file = cloud.updates.get_file(**UPDATE, file_id=file_id)
    assert (file["fileName"], file["sizeInBytes"], file["hashes"]) == ("image.bin", 5, sha256(b"image"))
    assert [each["updateId"] for each in cloud.updates.list_updates(search="spring")] == [UPDATE]
    assert list(cloud.updates.list_updates(filter="isDeployable eq false")) == []


def test_an_unchanged_update_is_not_sent_again(cloud):
    """If-None-Match is answered with 304."""
    cloud.import_update()
    etag = cloud.updates.get_update(**UPDATE)["etag"]
    with pytest.raises(ResourceNotModifiedError):
        cloud.updates.get_update(**UPDATE, etag=etag, match_condition=MatchConditions.IfModified)


def test_leading_zeros_of_a_version_are_dropped(cloud):
    """01.002 becomes 1.2."""
    cloud.import_update(version="01.002")
    assert cloud.updates.get_update("acme", "firmware", "1.2")["updateId"]["version"] == "1.2"


MANIFESTS = [
    ({"manifestVersion": "3.0"}, "UnsupportedVersion: manifestVersion '3.0'"),
    ({"updateId": {"provider": "a b", "name": "n", "version": "1.0"}}, "CannotParse: .*provider"),
    ({"updateId": {"provider": "a", "name": "n", "version": "1"}}, "CannotParse: .*version"),
    ({"updateId": {"provider": "a", "name": "n", "version": "1.2147483648"}}, "each number is at most 2147483647"),
    ({"compatibility": []}, "CannotParse: .*compatibility"),
    ({"compatibility": [{}]}, "CannotParse: .*compatibility"),
    ({"instructions": {"steps": []}}, "CannotParse: .*steps"),
    ({"instructions": {"steps": [{"handler": "h", "files": ["image.bin"]}]}}, r"steps\[0\] breaks .*handler"),
    ({"instructions": {"steps": [{"handler": "acme/x:1", "files": []}]}}, r"steps\[0\] breaks .*files"),
    ({"instructions": {"steps": [{"handler": "acme/x:1", "files": ["no"]}]}}, "names no, which is not among the files"),
    ({"instructions": {"steps": [{"handler": "acme/x:1", "files": ["image.bin"] * 2}]}}, "names a file twice"),
    ({"instructions": {"steps": [{"handler": "acme/x:1", "files": ["image.bin"], "odd": 1}]}}, "unknown field `odd`"),
    ({"instructions": {"steps": [{"type": "reference", "updateId": UPDATE}]}}, "referenced update .* does not exist"),
    ({"files": [file_entry("image.bin", b"image")] * 2}, "two files have the same name"),
    ({"files": [file_entry("image.bin", b"image") | {"hashes": {"md5": "x"}}]}, "hashes need sha256"),
    (
        {"files": [file_entry("image.bin", b"image") | {"downloadHandler": {"id": "acme/d:1"}}]},
        "need manifestVersion 5",
    ),
    ({"files": [file_entry("image.bin", b"imagE")]}, "CannotProcessUpdateFile: the sha256 of the file is not"),
    ({"files": [file_entry("image.bin", b"longer")]}, "CannotProcessUpdateFile: the file has 5 bytes"),
    ({"files": [file_entry("image.bin", b"image"), file_entry("more", b"x")]}, "more has no url"),
]


@pytest.mark.parametrize(("changes", "reason"), MANIFESTS)
def test_a_manifest_that_breaks_a_rule_is_refused(cloud, changes, reason):
    """The operation fails and says which rule, and nothing was imported."""
    item = cloud.item(import_manifest("firmware", "1.0", FILES) | changes, FILES)
    message = refusal(cloud, [item])
    assert re.search(reason, message), message
    assert list(cloud.updates.list_updates()) == []


def test_links_that_do_not_open_are_refused(cloud, simulator):
    """Manifest and files are fetched by their signed URLs, by the clock."""
    item = cloud.item(import_manifest("firmware", "1.0", FILES), FILES)
    simulator.clock.advance(2 * HOURS)
    assert re.search("CannotDownload: .*time frame", refusal(cloud, [item]))


def test_a_file_behind_a_bad_link_is_refused(cloud):
    """It is named without its secret."""
    item = cloud.item(import_manifest("firmware", "1.0", FILES), FILES)
    item["files"][0]["url"] = item["files"][0]["url"].replace("sig=", "sig=x")
    message = refusal(cloud, [item])
    assert message.startswith("ContentFileCannotDownload: https://")
    assert "sig=" not in message


def test_an_altered_manifest_is_refused(cloud):
    """Its size and hash are part of the import."""
    item = cloud.item(import_manifest("firmware", "1.0", FILES), FILES)
    item["importManifest"]["hashes"] = sha256(b"other")
    assert refusal(cloud, [item]).startswith("CannotProcessImportManifest: the sha256")


def test_an_update_is_imported_once(cloud):
    """The same id again fails."""
    cloud.import_update(files=FILES)
    with pytest.raises(HttpResponseError):
        cloud.import_update(files={"image.bin": b"another"})
    errors = [each["error"]["code"] for each in cloud.updates.list_operation_statuses() if "error" in each]
    assert errors == ["UpdateAlreadyExists"]


def test_the_same_import_twice_at_once_fails_once(cloud, simulator):
    """What is going on need not begin again."""
    simulator.service.delays = Delays(import_seconds=HOURS)
    item = cloud.item(import_manifest("firmware", "1.0", FILES), FILES)
    first = cloud.updates.begin_import_update([item])
    with pytest.raises(HttpResponseError):
        cloud.updates.begin_import_update([item]).result()
    errors = [each["error"]["code"] for each in cloud.updates.list_operation_statuses() if "error" in each]
    assert errors == ["DuplicateContentImport"]
    simulator.clock.advance(HOURS)
    first.result()
    assert cloud.updates.get_update(**UPDATE)["updateId"] == UPDATE


def test_an_import_takes_its_time(cloud, simulator):
    """Until it is due, the operation runs and the update does not exist."""
    simulator.service.delays = Delays(import_seconds=HOURS)
    cloud.updates.begin_import_update([cloud.item(import_manifest("firmware", "1.0", FILES), FILES)])
    assert len(list(cloud.updates.list_operation_statuses(filter="status eq 'Succeeded'"))) == 0
    with pytest.raises(ResourceNotFoundError):
        cloud.updates.get_update(**UPDATE)
    simulator.clock.advance(HOURS)
    assert simulator.service.wait_until(lambda: simulator.service.updates.get("acme/firmware/1.0"))
    assert len(list(cloud.updates.list_operation_statuses(filter="status eq 'Succeeded'"))) == 1


def test_properties_belong_to_one_name(cloud):
    """Another update may not have the same compatibility, a further version may."""
    cloud.import_update(version="1.0")
    cloud.import_update(version="1.1")
    with pytest.raises(HttpResponseError):
        cloud.import_update(name="other")
    errors = [each["error"] for each in cloud.updates.list_operation_statuses() if "error" in each]
    assert [each["message"] for each in errors] == [
        "compatibility {'manufacturer': 'acme', 'model': 'pump'} belongs to acme/firmware"
    ]


def test_a_parent_brings_its_children_along(cloud):
    """In one import; the child then shows who refers to it."""
    child = import_manifest("motor", "1.0", FILES, compatibility=[{"group": "motors"}], isDeployable=False)
    steps = [{"type": "reference", "updateId": child["updateId"]}]
    parent = import_manifest("machine", "1.0", {}, instructions={"steps": steps})
    cloud.updates.begin_import_update([cloud.item(parent, {}), cloud.item(child, FILES)]).result()
    assert cloud.updates.get_update(**child["updateId"])["referencedBy"] == [parent["updateId"]]


def test_a_batch_is_imported_as_a_whole(cloud):
    """If one update of it is refused, none is there."""
    cloud.import_update(name="machine", compatibility=[{"a": "b"}])
    child = import_manifest("motor", "1.0", FILES, compatibility=[{"group": "motors"}])
    again = import_manifest("machine", "1.0", FILES, compatibility=[{"a": "b"}])
    with pytest.raises(HttpResponseError):
        cloud.updates.begin_import_update([cloud.item(again, FILES), cloud.item(child, FILES)]).result()
    assert [each["updateId"]["name"] for each in cloud.updates.list_updates()] == ["machine"]


def test_an_update_that_nobody_uses_can_be_deleted(cloud):
    """After the operation it is gone."""
    cloud.import_update()
    cloud.updates.begin_delete_update(**UPDATE).result()
    with pytest.raises(ResourceNotFoundError, match=r"acme/firmware/1\.0 does not exist"):
        cloud.updates.get_update(**UPDATE)


def test_a_deployed_update_cannot_be_deleted(cloud, simulator):
    """The operation names the deployment."""
    Board(simulator, "pump", group="ring")
    cloud.deploy(cloud.import_update(), "ring", "d-1")
    with pytest.raises(HttpResponseError):
        cloud.updates.begin_delete_update(**UPDATE).result()
    failed = [each["error"]["message"] for each in cloud.updates.list_operation_statuses() if "error" in each]
    assert failed == ["update acme/firmware/1.0 is in use by d-1"]


def test_lists_go_over_pages(cloud):
    """nextLink leads on, filters included."""
    simulator = cloud.simulator
    for number in range(101):
        Board(simulator, f"pump-{number:03d}", group="ring")
    Board(simulator, "other")
    found = [each["deviceId"] for each in cloud.management.list_devices(filter="groupId eq 'ring'")]
    assert found == [f"pump-{number:03d}" for number in range(101)]


@pytest.mark.parametrize("text", ["size gt 3", "status eq 'x' or status eq 'y'", "status eq", "odd eq 'x'"])
def test_filters_that_are_not_understood_are_refused(cloud, text):
    """400 with the filter."""
    with pytest.raises(HttpResponseError, match="is not understood") as refused:
        list(cloud.updates.list_operation_statuses(filter=text))
    assert refused.value.status_code == 400


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b'[{"importManifest": {}}]', b"[" * 100_000])
def test_an_import_body_that_is_none_is_refused_at_once(cloud, body):
    """400; no operation begins."""
    with pytest.raises(HttpResponseError, match="the import body") as refused:
        cloud.updates.begin_import_update(body, content_type="application/json")
    assert refused.value.status_code == 400
    assert list(cloud.updates.list_operation_statuses()) == []


@pytest.mark.parametrize(
    ("effect", "operations"),
    [(Effect.SERVER_ERROR, 0), (Effect.THROTTLE, 0), (Effect.LOSE_REQUEST, 0), (Effect.LOSE_REPLY, 1)],
)
def test_an_import_can_go_wrong_on_purpose(cloud, simulator, effect, operations):
    """A lost reply is told from a lost request by what has begun."""
    item = cloud.item(import_manifest("firmware", "1.0", FILES), FILES)
    simulator.faults.plan("import", effect)
    with pytest.raises(AzureError):
        cloud.updates.begin_import_update([item])
    assert len(list(cloud.updates.list_operation_statuses())) == operations

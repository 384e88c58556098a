"""Azure Storage as azure-storage-blob sees it."""

from __future__ import annotations

import datetime as dt

import pytest
from azure.core import MatchConditions
from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    ResourceExistsError,
    ResourceModifiedError,
    ResourceNotFoundError,
)
from azure.storage.blob import (
    BlobClient,
    BlobServiceClient,
    ContainerClient,
    generate_blob_sas,
    generate_container_sas,
)

from adapters.simulation.faults import Effect

HOURS = 3600


def test_a_blob_comes_back_as_it_was_uploaded(cloud):
    """Bytes, metadata and content length survive."""
    cloud.container.upload_blob("a/b.bin", b"0123456789", metadata={"release": "spring"})
    properties = cloud.container.get_blob_client("a/b.bin").get_blob_properties()
    assert cloud.container.download_blob("a/b.bin").readall() == b"0123456789"
    assert (properties.size, properties.metadata) == (10, {"release": "spring"})


def test_large_blobs_are_uploaded_in_blocks(cloud):
    """What the SDK cuts into blocks is one blob again, and parts of it can be read."""
    octets = bytes(range(256)) * 64
    url = f"{cloud.simulator.storage_url}/{cloud.simulator.container}"
    with ContainerClient.from_container_url(
        url, credential=cloud.credential, max_single_put_size=1024, max_block_size=4096
    ) as container:
        container.upload_blob("big", octets)
    assert cloud.container.download_blob("big").readall() == octets
    assert cloud.container.download_blob("big", offset=5000, length=10).readall() == octets[5000:5010]


def test_a_list_of_unknown_blocks_is_refused(cloud):
    """Nothing is committed."""
    blob = cloud.container.get_blob_client("big")
    blob.stage_block("YQ==", b"a")
    with pytest.raises(HttpResponseError, match="InvalidBlockList"):
        blob.commit_block_list(["YQ==", "Yg=="])
    assert not blob.exists()


@pytest.mark.parametrize(
    ("method", "path", "headers", "status", "code"),
    [
        ("PUT", "/a", {}, 400, "InvalidHeaderValue"),
        ("PUT", "/a?comp=blocklist", {}, 400, "InvalidXmlDocument"),
        ("PUT", "/a?comp=lease", {}, 400, "UnsupportedOperation"),
        ("GET", "/nothing", {}, 404, "BlobNotFound"),
        ("GET", "/full", {"Range": "bytes=9-"}, 416, "InvalidRange"),
        ("GET", "/full", {"If-Match": '"other"'}, 412, "ConditionNotMet"),
    ],
)
def test_refusals_say_their_code(cloud, simulator, get, method, path, headers, status, code):  # noqa: PLR0917 - a table
    """In the header that Azure's clients read."""
    cloud.container.upload_blob("full", b"12345")
    token = cloud.credential.get_token("https://storage.azure.com/.default").token
    url = f"{simulator.storage_url}/{simulator.container}{path}"
    answer = get(url, method=method, headers={"Authorization": f"Bearer {token}", **headers})
    assert (answer.status, answer.headers["x-ms-error-code"]) == (status, code)


def test_a_delegation_key_is_valid_for_a_week_at_most(cloud):
    """A longer one is refused."""
    now = dt.datetime.now(dt.UTC)
    with pytest.raises(HttpResponseError, match="at most 7 days apart"):
        cloud.blobs.get_user_delegation_key(now, now + dt.timedelta(days=8))


def test_an_empty_blob_is_a_blob(cloud):
    """Nothing is something that can be stored."""
    cloud.container.upload_blob("empty", b"")
    assert cloud.container.download_blob("empty").readall() == b""


def test_a_list_goes_over_pages_and_knows_folders(cloud):
    """Prefix, pages and delimiter work as in Azure."""
    for name in ("x/1", "x/2", "x/3", "y/1", "z"):
        cloud.container.upload_blob(name, b"", metadata={"n": name})
    pages = [[each.name for each in page] for page in cloud.container.list_blobs("x/", results_per_page=2).by_page()]
    assert pages == [["x/1", "x/2"], ["x/3"]]
    assert [each.name for each in cloud.container.walk_blobs()] == ["x/", "y/", "z"]
    assert next(iter(cloud.container.list_blobs("z", include=["metadata"]))).metadata == {"n": "z"}


def test_a_deleted_blob_is_gone(cloud):
    """Reading it is refused by name."""
    cloud.container.upload_blob("a", b"")
    cloud.container.delete_blob("a")
    with pytest.raises(ResourceNotFoundError, match="BlobNotFound"):
        cloud.container.download_blob("a")


def test_writers_can_insist_on_what_they_have_seen(cloud):
    """If-None-Match and If-Match decide before anything is written."""
    blob = cloud.container.get_blob_client("a")
    first = blob.upload_blob(b"1")
    with pytest.raises(ResourceExistsError, match="BlobAlreadyExists"):
        blob.upload_blob(b"2", overwrite=False)
    blob.upload_blob(b"3", overwrite=True, etag=first["etag"], match_condition=MatchConditions.IfNotModified)
    with pytest.raises(ResourceModifiedError, match="ConditionNotMet"):
        blob.upload_blob(b"4", overwrite=True, etag=first["etag"], match_condition=MatchConditions.IfNotModified)
    assert blob.download_blob().readall() == b"3"


def test_metadata_can_be_replaced(cloud):
    """Set Blob Metadata keeps the bytes."""
    blob = cloud.container.get_blob_client("a")
    blob.upload_blob(b"1", metadata={"old": "1"})
    blob.set_blob_metadata({"new": "2"})
    assert blob.get_blob_properties().metadata == {"new": "2"}
    assert blob.download_blob().readall() == b"1"


def test_containers_come_and_go(cloud):
    """A second one of the same name is refused, and a deleted one takes no blobs."""
    container = cloud.blobs.create_container("logs")
    with pytest.raises(ResourceExistsError, match="ContainerAlreadyExists"):
        cloud.blobs.create_container("logs")
    assert "logs" in [each.name for each in cloud.blobs.list_containers()]
    container.delete_container()
    assert not container.exists()
    with pytest.raises(ResourceNotFoundError, match="ContainerNotFound"):
        container.upload_blob("a", b"")


def test_a_signed_url_opens_one_blob_for_reading(cloud):
    """Whoever has the URL reads that blob, and can do nothing else."""
    url = cloud.put("a", b"secret")
    with BlobClient.from_blob_url(url, retry_total=0) as blob:
        assert blob.download_blob().readall() == b"secret"
        with pytest.raises(ClientAuthenticationError, match="grants none"):
            blob.upload_blob(b"other", overwrite=True)
        with pytest.raises(ClientAuthenticationError, match="grants none"):
            blob.delete_blob()


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda url: url.replace("/a?", "/b?"), "Signature did not match"),
        (lambda url: url.replace("sp=r", "sp=rw"), "Signature did not match"),
        (lambda url: url.replace("sr=b", "sr=c"), "Signature did not match"),
        (lambda url: url.replace("sr=b", "sr=d"), "sr=d does not cover"),
        (lambda url: url.replace("sig=", "sig=A"), "Signature did not match"),
        (lambda url: url.replace("skoid=", "other="), "only user delegation signatures"),
    ],
)
def test_a_changed_signed_url_opens_nothing(cloud, spoil, reason):
    """Place, permissions and signature belong together."""
    cloud.container.upload_blob("b", b"")
    url = spoil(cloud.put("a", b"secret"))
    with BlobClient.from_blob_url(url, retry_total=0) as blob, pytest.raises(ClientAuthenticationError, match=reason):
        blob.download_blob()


def test_a_signed_url_ends_by_the_clock(cloud, simulator):
    """An hour later it says so."""
    url = cloud.put("a", b"secret")
    simulator.clock.advance(1.1 * HOURS)
    reason = "not valid in the specified time frame: se="
    with BlobClient.from_blob_url(url, retry_total=0) as blob, pytest.raises(ClientAuthenticationError, match=reason):
        blob.download_blob()


def test_create_permission_does_not_overwrite(cloud):
    """`c` makes a new blob, only `w` replaces one."""
    cloud.put("old", b"1")
    for name, refused in (("new", False), ("old", True)):
        with BlobClient.from_blob_url(cloud.signed_url(name, permission="c"), retry_total=0) as blob:
            if refused:
                with pytest.raises(ClientAuthenticationError):
                    blob.upload_blob(b"2", overwrite=True)
            else:
                blob.upload_blob(b"2")
    assert cloud.container.download_blob("old").readall() == b"1"


def test_a_signature_may_be_for_a_whole_container(cloud, simulator):
    """It shows what there is, but not for longer than the key that made it is valid."""
    cloud.put("a", b"1")
    query = generate_container_sas(
        simulator.account,
        simulator.container,
        user_delegation_key=cloud.key(),
        permission="rl",
        expiry="2099-01-01T00:00:00Z",
    )
    url = f"{simulator.storage_url}/{simulator.container}?{query}"
    with ContainerClient.from_container_url(url, retry_total=0) as container:
        assert [each.name for each in container.list_blobs()] == ["a"]
        simulator.clock.advance(5 * HOURS)
        with pytest.raises(ClientAuthenticationError, match="time frame: ske="):
            list(container.list_blobs())


def test_a_signature_may_bind_header_and_query(cloud, get):
    """A request without them, or with others, is refused."""
    cloud.put("a", b"1")
    query = generate_blob_sas(
        cloud.simulator.account,
        cloud.simulator.container,
        "a",
        user_delegation_key=cloud.key(),
        permission="r",
        expiry="2099-01-01T00:00:00Z",
        request_headers={"x-reason": "test"},
        request_query_params={"round": "1"},
    )
    url = f"{cloud.simulator.storage_url}/{cloud.simulator.container}/a?{query}"
    assert get(f"{url}&round=1", headers={"X-Reason": "test"}).data == b"1"
    assert get(f"{url}&round=1").status == 403
    assert get(f"{url}&round=2", headers={"X-Reason": "test"}).status == 403


@pytest.mark.usefixtures("cloud")
def test_nobody_gets_in_without_a_token(simulator):
    """Neither bearer nor signature: 401."""
    reason = "NoAuthenticationInformation"
    with (
        BlobServiceClient(simulator.storage_url, retry_total=0) as blobs,
        pytest.raises(HttpResponseError, match=reason),
    ):
        list(blobs.list_containers())


def test_a_token_for_another_service_is_refused(cloud, simulator, get):
    """Audiences are told apart."""
    token = cloud.credential.get_token("https://api.adu.microsoft.com/.default").token
    answer = get(f"{simulator.storage_url}/?comp=list", headers={"Authorization": f"Bearer {token}"})
    assert (answer.status, answer.headers["x-ms-error-code"]) == (401, "InvalidAuthenticationInfo")


def test_storage_can_fail_on_purpose(cloud, simulator):
    """A planned 503 reaches the client with its status."""
    simulator.faults.plan("blob", Effect.SERVER_ERROR, "*/a", status=503)
    with pytest.raises(HttpResponseError) as refusal:
        cloud.container.upload_blob("a", b"")
    assert refusal.value.status_code == 503

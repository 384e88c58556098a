"""Presigned downloads: minted anew for each asking, expiring, resumable as on S3."""

from __future__ import annotations

import hashlib
import json
import threading
from urllib.parse import parse_qs, urlsplit

import pytest
import urllib3

BODY = bytes(range(256)) * 4096  # 1 MiB


@pytest.fixture
def http():
    with urllib3.PoolManager() as pool:
        yield pool


@pytest.fixture
def offer(simulator, create_job):
    """A job whose document points at an object; gives a function that asks for the document."""
    s3 = simulator.client("s3")
    simulator.bucket("artifacts")
    s3.put_object(Bucket="artifacts", Key="rel 1/image.bin", Body=BODY)
    simulator.add_thing("pump")
    placeholder = "${aws:iot:s3-presigned-url-v2:https://s3.eu-west-1.amazonaws.com/artifacts/rel%201/image.bin}"
    create_job(
        "j",
        "pump",
        document=json.dumps({"url": placeholder, "size": len(BODY)}),
        presignedUrlConfig={"roleArn": simulator.role_arn, "expiresInSec": 120},
    )
    data = simulator.client("iot-jobs-data")

    def ask():
        execution = data.describe_job_execution(thingName="pump", jobId="$next")["execution"]
        return json.loads(execution["jobDocument"])["url"]

    return ask


def code(response):
    """S3's error code."""
    return response.data.decode().partition("<Code>")[2].partition("</Code>")[0]


def test_a_url_downloads_the_object(offer, http):
    """Whole, with size and ETag."""
    response = http.request("GET", offer())

    assert (response.status, response.data) == (200, BODY)
    assert response.headers["ETag"] == f'"{hashlib.md5(BODY).hexdigest()}"'
    assert response.headers["Accept-Ranges"] == "bytes"


def test_each_asking_signs_a_fresh_url(simulator, offer):
    """The date moves with the clock, so that a resumed download gets its full time again."""
    first = offer()
    simulator.clock.advance(60)
    second = offer()

    dates = [parse_qs(urlsplit(each).query)["X-Amz-Date"][0] for each in (first, second)]

    assert dates[0] < dates[1]


def test_an_expired_url_is_refused_and_a_fresh_one_works(simulator, offer, http):
    """403 AccessDenied, as S3 says it; the clock decides."""
    url = offer()
    simulator.clock.advance(121)

    expired = http.request("GET", url)

    assert (expired.status, code(expired)) == (403, "AccessDenied")
    assert b"Request has expired" in expired.data
    assert http.request("GET", offer()).status == 200


TAMPERED = {
    "another object": (lambda url: url.replace("image.bin", "other.bin"), "SignatureDoesNotMatch"),
    "a longer life": (lambda url: url.replace("Expires=120", "Expires=9999"), "SignatureDoesNotMatch"),
    "another key": (lambda url: url.replace("ASIAOTABRIDGESIM", "SOMEBODY"), "InvalidAccessKeyId"),
    "a life without end": (
        lambda url: url.replace("Expires=120", "Expires=never"),
        "AuthorizationQueryParametersError",
    ),
    "no date": (lambda url: url.replace("X-Amz-Date=", "X-Amz-Day="), "AuthorizationQueryParametersError"),
}


@pytest.mark.parametrize(("tamper", "refusal"), TAMPERED.values(), ids=TAMPERED)
def test_a_tampered_url_is_refused(offer, http, tamper, refusal):
    """The signature is checked, not only the date."""
    response = http.request("GET", tamper(offer()))

    assert (response.status, code(response)) == (403, refusal)


RANGES = {
    "from the middle": ("bytes=100-", slice(100, None)),
    "a window": ("bytes=5-9", slice(5, 10)),
    "the end": ("bytes=-3", slice(-3, None)),
    "past the end": (f"bytes=10-{len(BODY) * 2}", slice(10, None)),
}


@pytest.mark.parametrize(("header", "part"), RANGES.values(), ids=RANGES)
def test_a_range_is_answered_in_part(offer, http, header, part):
    """206 with Content-Range."""
    response = http.request("GET", offer(), headers={"Range": header})

    assert (response.status, response.data) == (206, BODY[part])
    start = range(len(BODY))[part].start
    assert response.headers["Content-Range"] == f"bytes {start}-{start + len(response.data) - 1}/{len(BODY)}"


def test_a_range_beyond_the_object_cannot_be_satisfied(offer, http):
    """416 with the real size."""
    response = http.request("GET", offer(), headers={"Range": f"bytes={len(BODY)}-"})

    assert (response.status, code(response)) == (416, "InvalidRange")
    assert response.headers["Content-Range"] == f"bytes */{len(BODY)}"


@pytest.mark.parametrize("header", ["bytes=9-5", "bytes=0-1,4-5", "items=0-1", "bytes=-"])
def test_a_range_that_s3_does_not_understand_is_ignored(offer, http, header):
    """The whole object comes."""
    response = http.request("GET", offer(), headers={"Range": header})

    assert (response.status, len(response.data)) == (200, len(BODY))


def test_a_changed_object_is_noticed_by_if_match(simulator, offer, http):
    """A resumed download must not glue two objects together."""
    etag = http.request("GET", offer()).headers["ETag"]
    resumed = {"Range": "bytes=100-", "If-Match": etag}
    assert http.request("GET", offer(), headers=resumed).status == 206
    simulator.client("s3").put_object(Bucket="artifacts", Key="rel 1/image.bin", Body=b"other")

    changed = http.request("GET", offer(), headers=resumed)

    assert (changed.status, code(changed)) == (412, "PreconditionFailed")
    whole = http.request("GET", offer(), headers={"Range": "bytes=1-", "If-Range": etag})
    assert (whole.status, whole.data) == (200, b"other")
    current = {"If-None-Match": whole.headers["ETag"]}
    assert http.request("GET", offer(), headers=current).status == 304


def test_an_object_that_is_gone_is_not_found(simulator, offer, http):
    """404 NoSuchKey, after the signature was accepted."""
    simulator.client("s3").delete_object(Bucket="artifacts", Key="rel 1/image.bin")

    response = http.request("GET", offer())

    assert (response.status, code(response)) == (404, "NoSuchKey")


def test_urls_that_boto3_signs_are_good_too(simulator, http):
    """The same check, signed by another implementation: GET, HEAD and PUT."""
    s3 = simulator.client("s3")
    place = {"Bucket": simulator.bucket("uploads"), "Key": "a b/ü+.txt"}
    put = s3.generate_presigned_url("put_object", place)
    assert http.request("PUT", put, body=b"hello").status == 200

    got = http.request("GET", s3.generate_presigned_url("get_object", place))
    head = http.request("HEAD", s3.generate_presigned_url("head_object", place))

    assert (got.data, head.headers["Content-Length"], head.data) == (b"hello", "5", b"")


def test_an_old_signature_is_refused(simulator, http):
    """Buckets of today accept Signature Version 4 only."""
    old = simulator.session().client("s3", endpoint_url=simulator.endpoint_url)
    url = old.generate_presigned_url("get_object", {"Bucket": simulator.bucket("artifacts"), "Key": "k"})

    response = http.request("GET", url)

    assert (response.status, code(response)) == (400, "InvalidRequest")


def test_a_version_can_be_pinned(simulator, create_job, http):
    """`?versionId=` in a v2 placeholder survives an overwrite."""
    s3 = simulator.client("s3")
    bucket = simulator.bucket("versioned")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    version = s3.put_object(Bucket=bucket, Key="k", Body=b"old")["VersionId"]
    s3.put_object(Bucket=bucket, Key="k", Body=b"new")
    simulator.add_thing("pump")
    url = f"https://s3.eu-west-1.amazonaws.com/{bucket}/k%3FversionId%3D{version}"
    document = json.dumps({"url": "${aws:iot:s3-presigned-url-v2:" + url + "}"})
    create_job("j", "pump", document=document, presignedUrlConfig={"roleArn": simulator.role_arn})
    started = simulator.client("iot-jobs-data").start_next_pending_job_execution(thingName="pump")

    response = http.request("GET", json.loads(started["execution"]["jobDocument"])["url"])

    assert (response.data, response.headers["x-amz-version-id"]) == (b"old", version)


def test_many_devices_download_a_multipart_object_at_once(simulator, http):
    """Ten readers, one object of 24 MiB put in parts; each gets its own bytes right."""
    s3 = simulator.client("s3")
    bucket = simulator.bucket("artifacts")
    piece = hashlib.sha256(b"x").digest() * (8 * 1024 * 32)  # 8 MiB
    upload = s3.create_multipart_upload(Bucket=bucket, Key="big")["UploadId"]
    parts = []
    for number in (1, 2, 3):
        etag = s3.upload_part(Bucket=bucket, Key="big", UploadId=upload, PartNumber=number, Body=piece)["ETag"]
        parts.append({"ETag": etag, "PartNumber": number})
    s3.complete_multipart_upload(Bucket=bucket, Key="big", UploadId=upload, MultipartUpload={"Parts": parts})
    url = s3.generate_presigned_url("get_object", {"Bucket": bucket, "Key": "big"})
    digests = []

    def download():
        response = http.request("GET", url, preload_content=False)
        digest = hashlib.sha256()
        for data in response.stream(1 << 20):
            digest.update(data)
        digests.append(digest.hexdigest())

    threads = [threading.Thread(target=download) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert digests == [hashlib.sha256(piece * 3).hexdigest()] * 10

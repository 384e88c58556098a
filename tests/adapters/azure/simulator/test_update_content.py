"""Files of updates on the content hosts: over TLS or not, in parts, and spoilt on purpose."""

from __future__ import annotations

import pytest
import urllib3

from adapters.simulation.faults import Effect
from tests.adapters.azure.simulator.cloud import FILES


def test_files_come_over_tls_if_wanted(cloud, simulator, board, get):
    """downloadSecurity decides about files and key package."""
    cloud.deploy(cloud.import_update(), "ring", downloadSecurity="https")
    service = board.told()
    urls = [*service["fileUrls"].values(), service["rootKeyPackageUrl"]]
    assert all(each.startswith(f"{simulator.adu_url}/") for each in urls)
    assert [get(each).status for each in urls] == [200, 200]


def test_a_download_can_be_resumed(simulator, told, get):
    """Ranges and entity tags; bytes that were sent are counted by name."""
    url = next(each for each in told["fileUrls"].values() if each.endswith("image.bin"))
    size = len(FILES["image.bin"])
    first = get(url, headers={"Range": "bytes=0-99"})
    rest = get(url, headers={"Range": "bytes=100-", "If-Range": first.headers["ETag"]})
    assert (first.status, rest.status, first.data + rest.data) == (206, 206, FILES["image.bin"])
    assert rest.headers["Content-Range"] == f"bytes 100-{size - 1}/{size}"
    assert get(url, headers={"Range": "bytes=-5"}).data == FILES["image.bin"][-5:]
    assert get(url, headers={"Range": "bytes=9-", "If-Range": '"other"'}).status == 200
    beyond = get(url, headers={"Range": f"bytes={size}-"})
    assert (beyond.status, beyond.headers["Content-Range"]) == (416, f"bytes */{size}")
    assert simulator.bytes_sent_by_name() == {"image.bin": 2 * size + 5}


def test_a_range_has_a_limit(simulator, told, get):
    """Longer ones are refused; without a range all is sent."""
    simulator.most_range = 1000
    url = next(each for each in told["fileUrls"].values() if each.endswith("image.bin"))
    asked = ("bytes=0-999", "bytes=0-1000", "bytes=-1001", f"bytes={len(FILES['image.bin']) - 1000}-")
    assert [get(url, headers={"Range": each}).status for each in asked] == [206, 400, 400, 206]
    assert get(url).data == FILES["image.bin"]


def test_a_download_can_be_spoilt_on_purpose(simulator, told, get):
    """Refused, expired, corrupt or cut; then it is whole again."""
    url = next(each for each in told["fileUrls"].values() if each.endswith("image.bin"))
    simulator.faults.plan("content", Effect.SERVER_ERROR, "image.bin", status=404)
    simulator.faults.plan("content", Effect.EXPIRED, "image.bin")
    simulator.faults.plan("content", Effect.CORRUPT_BODY, "image.bin", body_bytes=7)
    simulator.faults.plan("content", Effect.CUT_BODY, "image.bin", body_bytes=1000)
    assert [get(url).status, get(url).status] == [404, 403]
    corrupt = get(url).data
    assert [index for index, each in enumerate(corrupt) if each != FILES["image.bin"][index]] == [7]
    with pytest.raises(urllib3.exceptions.ProtocolError):
        get(url)
    assert get(url).data == FILES["image.bin"]


def test_addresses_of_files_cannot_be_guessed(told, get):
    """A wrong one is not found."""
    url = next(iter(told["fileUrls"].values()))
    assert get(url[:-1]).status == 404

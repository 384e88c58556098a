"""Artifacts in the fleet's container: put once, whole, under a name made from their content."""

from __future__ import annotations

import msgspec
import pytest
import urllib3
from azure.storage.blob import BlobClient

from adapters.azure.fleet import storage
from adapters.simulation.faults import Effect
from bridge.fleet import FleetError
from tests.adapters.azure.plant import Plant, calls_counted
from tests.releases import sha256


@pytest.fixture
def plant(tmp_path):
    """Azure without devices."""
    with Plant(tmp_path).running() as plant:
        yield plant


@pytest.fixture
def artifact(package):
    """What the owner signed."""
    return package.artifact


@pytest.fixture
def source(tmp_path, package):
    """Its bytes on disk."""
    path = tmp_path / "rootfs.full"
    path.write_bytes(package.files[package.artifact.name])
    return path


def stored(plant, artifact) -> BlobClient:
    """The artifact's blob."""
    container = plant.fleet._services.storage
    return container._blob(container.path(artifact.sha256, artifact.name))


def test_an_artifact_is_put_once(plant, artifact, source):
    """The second process sends nothing, and asks once."""
    sent: list[int] = []
    plant.fleet.put_artifact(artifact, source, sent.append)
    again = plant.open()

    with calls_counted() as calls:
        again.put_artifact(artifact, source, sent.append)

    assert sum(sent) == artifact.length
    assert [call.partition(" ")[0] for call in calls if "token" not in call] == ["HEAD"]
    assert stored(plant, artifact).download_blob().readall() == source.read_bytes()


def test_a_long_artifact_goes_in_parts(plant, artifact, tmp_path):
    """Each part is told once, whichever thread sent it; the whole is what was signed."""
    data = bytes(range(256)) * (40 << 10)
    long = msgspec.structs.replace(artifact, length=len(data), sha256=sha256(data))
    path = tmp_path / "long"
    path.write_bytes(data)
    sent: list[int] = []

    plant.fleet.put_artifact(long, path, sent.append)

    assert sum(sent) == len(data)
    assert len(sent) == 3
    assert sha256(stored(plant, long).download_blob().readall()) == long.sha256


OTHERS = [("half", {}), ("half", {"sha256": "right"}), ("same", {}), ("same", {"sha256": "0" * 64})]


@pytest.mark.parametrize("other", OTHERS, ids=repr)
def test_another_blob_of_that_name_is_replaced(plant, artifact, source, other):
    """Only the right length together with the right digest counts as there already."""
    length, metadata = other
    body = {"half": b"half", "same": bytes(artifact.length)}[length]
    known = {"sha256": artifact.sha256} if metadata == {"sha256": "right"} else metadata
    stored(plant, artifact).upload_blob(body, metadata=known)

    plant.fleet.put_artifact(artifact, source, lambda _: None)

    assert stored(plant, artifact).download_blob().readall() == source.read_bytes()


def test_other_bytes_than_signed_are_not_sent(plant, artifact, tmp_path):
    """A source that changed after signing is refused, with both digests."""
    path = tmp_path / "altered"
    path.write_bytes(b"something else")
    sent: list[int] = []

    with pytest.raises(FleetError, match=rf"the release signed {artifact.length} bytes with {artifact.sha256}"):
        plant.fleet.put_artifact(artifact, path, sent.append)
    assert sent == []
    assert not stored(plant, artifact).exists()


def test_a_missing_file_is_named(plant, artifact, tmp_path):
    """The release folder was moved."""
    with pytest.raises(FleetError, match=r"fleet factory: artifact rootfs\.full: .*absent: No such file"):
        plant.fleet.put_artifact(artifact, tmp_path / "absent", lambda _: None)


def test_a_missing_container_is_named(plant, artifact, source):
    """With what to correct."""
    with pytest.raises(FleetError, match="Create the container, or correct `container` of this fleet"):
        plant.open(container="absent").put_artifact(artifact, source, lambda _: None)
    with pytest.raises(FleetError, match="Create the container, or correct `container` of this fleet"):
        plant.open(container="absent").tally("spring/1")


def test_a_part_that_fails_for_good_leaves_no_blob(plant, artifact, tmp_path, monkeypatch):
    """What was sent of it is never seen; the next try sends it whole."""
    monkeypatch.setattr(storage, "SINGLE", 100)
    monkeypatch.setattr(storage, "BLOCK", 150)
    data = bytes(range(200))
    small = msgspec.structs.replace(artifact, length=len(data), sha256=sha256(data))
    path = tmp_path / "parts"
    path.write_bytes(data)
    plant.faults.plan("blob", Effect.EXPIRED, skip=1)

    with pytest.raises(FleetError, match="AuthenticationFailed"):
        plant.fleet.put_artifact(small, path, lambda _: None)
    assert not stored(plant, small).exists()

    plant.fleet.put_artifact(small, path, lambda _: None)
    assert stored(plant, small).download_blob().readall() == data


def test_a_link_reads_one_blob_for_a_time(plant):
    """Signed by this identity, without a key of the account; after its hours it is dead."""
    container = plant.fleet._services.storage
    link = container.link(container.put_octets("release.json", b"signed"), hours=4)

    assert get(plant, link).data == b"signed"
    assert get(plant, link.replace("release.json", "other.json")).status == 403
    plant.simulator.clock.advance(5 * 3600)
    assert get(plant, link).status == 403


def test_a_link_of_a_later_hour_has_a_key_of_its_own(plant):
    """The key that signs links is renewed before it ends."""
    container = plant.fleet._services.storage
    path = container.put_octets("release.json", b"signed")
    container.link(path, hours=4)
    plant.simulator.clock.advance(6 * 3600)
    plant.fleet = plant.open()

    assert get(plant, plant.fleet._services.storage.link(path, hours=4)).data == b"signed"


def test_a_link_for_a_week_has_a_key(plant):
    """Azure gives none for longer than that, counted from its start, which allows for clocks that differ."""
    container = plant.open(sas_hours=168)._services.storage

    link = container.link(container.put_octets("release.json", b"signed"), hours=168)

    assert get(plant, link).data == b"signed"


def get(plant, url):
    """As Device Update fetches it."""
    with urllib3.PoolManager(ca_certs=str(plant.simulator.ca_file)) as pool:
        return pool.request("GET", url, retries=False)


def test_a_write_whose_reply_was_lost_finds_its_own_bytes(plant):
    """And is content; other bytes are somebody else's."""
    container = plant.fleet._services.storage
    version = container.write("orders/x.json", b"one", None)
    plant.faults.plan("blob", Effect.LOSE_REPLY)

    newer = container.write("orders/x.json", b"two", version)

    assert container.read("orders/x.json").octets == b"two"
    assert container.read("orders/x.json").version == newer


def test_a_record_of_any_length_is_not_read(plant, monkeypatch):
    """Somebody put something else there."""
    monkeypatch.setattr(storage, "MOST_OCTETS", 99)
    container = plant.fleet._services.storage
    container.write("orders/x.json", bytes(100), None)

    with pytest.raises(storage.Refused, match=r"blob orders/x\.json has 100 bytes, otabridge writes 99 at most"):
        container.read("orders/x.json")

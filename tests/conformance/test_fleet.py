"""What the controller and the publisher may rely on, whatever cloud a fleet is in."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest

from bridge.fleet import EVERYTHING, Census, Device, FleetError, LimitError
from bridge.planning.planned import FEATURES
from bridge.release.bucket import Buckets, bucket
from bridge.release.report import Outcome, Report
from bridge.rollout.model import FleetPart
from bridge.tally import Tally
from tests.conformance.cloud import WAIT
from tests.conformance.staged import state_of
from tests.releases import sha256

INSTALLED = Report(Outcome.INSTALLED, "b", "2.0.0")


def test_a_fleet_names_every_device_once(cloud, devices):
    """Whatever the cloud's page size."""
    found = ids(cloud.fleet, EVERYTHING)

    assert set(devices) <= set(found)
    assert len(found) == len(set(found))


def test_a_group_narrows_the_fleet(cloud, key, devices):
    """Only the members of the cloud's own group."""
    cloud.add_group(key, devices[:2])

    assert sorted(ids(cloud.fleet, FleetPart("factory", group=key))) == sorted(devices[:2])


def test_a_list_narrows_the_fleet(cloud, devices):
    """Only the devices that a person named, and a census counts as many."""
    part = FleetPart("factory", devices=devices[:2])

    assert sorted(ids(cloud.fleet, part)) == sorted(devices[:2])
    assert sum(cloud.fleet.census(part).models.values()) == 2


def test_buckets_divide_the_fleet(cloud, key, devices):
    """Every device is in one of two halves, by the same number in every cloud."""
    cloud.add_group(key, devices)
    part = FleetPart("factory", group=key)

    halves = [ids(cloud.fleet, part, (half,)) for half in (Buckets(0, 4999), Buckets(5000, 9999))]

    assert sorted(halves[0]) == sorted(device for device in devices if bucket(device) < 5000)
    assert sorted((*halves[0], *halves[1])) == sorted(devices)


def test_a_condition_narrows_the_fleet(cloud, key, line, devices):
    """In the cloud's own language, over what devices report; the census counts by the model that they report."""
    if cloud.by_bucket is None:
        pytest.skip("nothing that devices report is indexed here")
    for device, model in zip(devices, (key, key, f"{key}-other"), strict=True):
        line(device).state(state_of(model))
    part = FleetPart("factory", query=cloud.condition("model", key))

    for fleet in (cloud.fleet, cloud.by_bucket):
        assert set(fleet.devices(part)) == {Device(device, key) for device in devices[:2]}
        assert fleet.census(part) == Census({key: 2})


def test_a_census_by_bucket_lists_nobody(cloud, key, line, devices):
    """It counts by model, in buckets or all; who reports no bucket is told apart."""
    if cloud.by_bucket is None:
        pytest.skip("devices cannot be selected by bucket here")
    cloud.add_group(key, devices)
    for device, model in zip(devices, (key, f"{key}-other"), strict=False):
        line(device).state(state_of(model))
    part, first = FleetPart("factory", group=key), bucket(devices[0])

    assert cloud.by_bucket.census(part) == Census({key: 1, f"{key}-other": 1}, unplaced=1)
    assert cloud.by_bucket.census(part, models=(key,)).models == {key: 1}
    assert cloud.by_bucket.census(part, (Buckets(first, first),)).models == {key: 1}
    assert ids(cloud.by_bucket, part, (Buckets(first, first),)) == [devices[0]]


def test_a_fleet_tells_how_it_gives_each_feature(cloud):
    """The same words in every cloud, each once and with a note."""
    facts = cloud.fleet.facts()

    assert tuple(feature.name for feature in facts.features) == FEATURES
    assert all(feature.note for feature in facts.features)
    assert facts.cloud == cloud.name


def ids(fleet, part, buckets=()):
    """The ids of a part's devices."""
    return [device.id for device in fleet.devices(part, buckets)]


def test_an_artifact_is_put_once(cloud, tmp_path, kit, key):
    """The second time nothing is sent, however long ago and by whom the first was."""
    package = kit.package(key.encode() * 999)
    source = tmp_path / "artifact"
    source.write_bytes(package.files[package.artifact.name])
    sent: list[int] = []

    cloud.fleet.put_artifact(package.artifact, source, sent.append)
    cloud.fleet.put_artifact(package.artifact, source, sent.append)

    assert sum(sent) == package.artifact.length


def test_a_long_artifact_goes_in_parts(cloud, tmp_path, key, kit):
    """An artifact above one part's length arrives whole, and what was sent adds up."""
    data = (key.encode() * 9)[:64] * (9 << 14)
    artifact = msgspec.structs.replace(kit.package(b"x").artifact, length=len(data), sha256=sha256(data))
    source = tmp_path / "long"
    source.write_bytes(data)
    sent: list[int] = []

    cloud.fleet.put_artifact(artifact, source, sent.append)
    cloud.fleet.put_artifact(artifact, source, sent.append)

    assert sum(sent) == len(data)
    assert len(sent) > 1


def test_other_bytes_than_signed_are_not_sent(cloud, tmp_path, kit, key):
    """A source that changed after signing is refused, with both digests, before anything is stored."""
    package = kit.package(key.encode() * 77)
    source = tmp_path / "altered"
    source.write_bytes(b"something else")
    sent: list[int] = []

    with pytest.raises(FleetError, match=f"the release signed {package.artifact.length} bytes"):
        cloud.fleet.put_artifact(package.artifact, source, sent.append)
    assert sent == []


def test_a_stage_is_started_once(cloud, order, line, devices):
    """Starting it again, also after devices have moved on, changes nothing."""
    cloud.fleet.start(order)
    channel = line(devices[0])
    channel.conclude(channel.next_offer(WAIT).id, INSTALLED)

    cloud.fleet.start(order)

    assert cloud.fleet.tally(order.key) == Tally(waiting=2, installed=1)
    assert channel.next_offer(0.3) is None


def test_a_key_belongs_to_one_release(cloud, kit, order):
    """A second release under the same key is refused, not mixed in."""
    cloud.fleet.start(order)
    other = kit.package(b"other image", version="3.0.0", sequence=3)

    with pytest.raises(FleetError, match="another release"):
        cloud.fleet.start(replace(order, release=other.document))


def test_an_unknown_key_has_no_tally(cloud, key):
    """Not a tally of nothing: none."""
    assert cloud.fleet.tally(key) is None
    assert list(cloud.fleet.reports(key)) == []
    cloud.fleet.stop(key, "never started")


def test_a_stage_without_devices_is_over_at_once(cloud, order):
    """A fleet whose share of a stage rounds to nothing does not hold the rollout up."""
    empty = replace(order, key=f"{order.key}-empty", devices=())

    cloud.fleet.start(empty)
    cloud.fleet.start(empty)

    assert cloud.fleet.tally(empty.key) == Tally(open=False)
    cloud.fleet.stop(empty.key, "nothing there")


def test_stop_withdraws_from_those_who_have_not_begun(cloud, order, line, devices):
    """The device in the middle finishes and is counted; stopping again is nothing."""
    cloud.fleet.start(order)
    busy = line(devices[0])
    offer = busy.next_offer(WAIT)

    cloud.fleet.stop(order.key, "budget spent: 2 of 10 failed")
    cloud.fleet.stop(order.key, "again")

    assert cloud.fleet.tally(order.key) == Tally(running=1, withdrawn=2, open=False, cancelled=True)
    busy.conclude(offer.id, INSTALLED)
    assert cloud.fleet.tally(order.key) == Tally(installed=1, withdrawn=2, open=False, cancelled=True)
    assert line(devices[1]).next_offer(0.5) is None


def test_a_stage_that_all_have_ended_is_closed(cloud, order, line, devices):
    """Stopping it then is nothing."""
    cloud.fleet.start(order)
    for device in devices:
        channel = line(device)
        channel.conclude(channel.next_offer(WAIT).id, INSTALLED)

    cloud.fleet.stop(order.key, "late")

    assert cloud.fleet.tally(order.key) == Tally(installed=3, open=False)


def test_a_limit_is_found_before_anything_is_called(cloud, order):
    """The message names the field, its value and the limit; nothing was started."""
    with pytest.raises(LimitError, match=r"(?i)timeout.*100000.*10080"):
        cloud.fleet.start(replace(order, timeout_minutes=100_000))
    assert cloud.fleet.tally(order.key) is None


def test_a_device_that_left_the_fleet_is_named(cloud, order):
    """So that the person knows whom to plan without."""
    with pytest.raises(FleetError, match="device-nobody-knows"):
        cloud.fleet.start(replace(order, devices=(*order.devices, "device-nobody-knows")))
    assert cloud.fleet.tally(order.key) is None

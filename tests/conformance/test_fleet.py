"""What the controller and the publisher may rely on, whatever cloud a fleet is in."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest

from bridge.fleet import FleetError, LimitError
from bridge.release.report import Outcome, Report
from bridge.tally import Tally
from tests.conformance.cloud import WAIT
from tests.releases import sha256

INSTALLED = Report(Outcome.INSTALLED, "b", "2.0.0")


def test_a_fleet_names_every_device_once(cloud, devices):
    """Whatever the cloud's page size."""
    found = list(cloud.fleet.devices(None))

    assert set(devices) <= set(found)
    assert len(found) == len(set(found))


def test_a_group_narrows_the_fleet(cloud, key, devices):
    """Only the members of the cloud's own group."""
    cloud.add_group(key, devices[:2])

    assert sorted(cloud.fleet.devices(key)) == sorted(devices[:2])


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

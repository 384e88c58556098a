"""A stage order as Device Update's update, and every limit that is found before a call."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import msgspec
import pytest

from adapters.azure.fleet.request import import_manifest, stage_request
from adapters.azure.formats.import_manifest import parse
from adapters.azure.wire import UpdateId, parse_roots
from adapters.violations import BrokenLimits
from bridge.fleet import StageOrder
from bridge.names import stage_name
from bridge.release.bucket import Buckets
from bridge.release.errors import MalformedRelease
from bridge.release.manifest import Artifact
from bridge.rollout.model import FleetPart
from tests.releases import ReleaseKit, new_release, pretended, sha256

OWNER = {"provider": "contoso", "manufacturer": "acme"}
CREATED = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def owner() -> ReleaseKit:
    """Who has rotated their keys once."""
    kit = ReleaseKit(root_keys=(1, 1), release_keys=(1, 1))
    kit.rotate()
    return kit


def order_of(kit: ReleaseKit, *artifacts, devices=("gate-2", "gate-1"), roots=(), **changes) -> StageOrder:
    """An order for a signed release; without artifacts it has one."""
    made = artifacts or kit.package(b"image").release.artifacts
    release = new_release(artifacts=made, **changes)
    return StageOrder("spring/1", kit.sign(release), roots, devices, timeout_minutes=30)


def test_an_order_becomes_an_update(owner):
    """One step of ours with every file, metadata first; the model is the release's."""
    order = order_of(owner, roots=owner.later_roots)
    request = stage_request(order, **OWNER)

    manifest = parse(import_manifest(request, CREATED))

    assert request.stage == stage_name("spring/1")
    assert request.devices == ("gate-2", "gate-1")
    assert manifest.update_id == UpdateId("contoso", "gateway-os", "2.0.0")
    assert manifest.compatibility == ({"manufacturer": "acme", "model": "gateway-3"},)
    assert [file.name for file in manifest.files] == ["release.json", "roots.json", "rootfs.full"]
    (step,) = manifest.steps
    assert step.files == ("release.json", "roots.json", "rootfs.full")
    assert step.properties == {
        "releaseSha256": sha256(order.release),
        "rootsSha256": sha256(request.metadata["roots.json"]),
    }
    assert request.metadata["release.json"] == order.release
    assert parse_roots(request.metadata["roots.json"]) == owner.later_roots


def test_without_later_roots_there_is_no_file_of_them(owner):
    """And its digest is empty."""
    request = stage_request(order_of(owner), **OWNER)

    assert list(request.metadata) == ["release.json"]
    assert request.properties["rootsSha256"] == ""


def test_a_device_named_twice_is_one(owner):
    """The order's size is what the hub can count."""
    assert stage_request(order_of(owner, devices=("b", "a", "b")), **OWNER).devices == ("b", "a")


def changed(kit, changes) -> tuple[Artifact, ...]:
    """The artifacts of a release, one full and the others deltas, each changed."""
    made = pretended(kit.package(b"image").artifact, len(changes) - 1)
    return tuple(msgspec.structs.replace(artifact, **change) for artifact, change in zip(made, changes, strict=True))


LIMITS = [
    ({"timeout_minutes": 100_000}, {}, r"(?i)timeout.*100000.*10080"),
    ({"timeout_minutes": 0}, {}, r"timeout_minutes: 0; must be 1 to 10080"),
    ({"devices": ("ok", "a b")}, {}, r"devices: 'a b'; IoT Hub takes 1 to 128"),
    ({}, {"version": "2.0.0rc1"}, r"release\.version: '2\.0\.0rc1'"),
    ({}, {"version": "1.2.3.4.5"}, r"release\.version: '1\.2\.3\.4\.5'"),
    ({}, {"name": "gateway os"}, r"release\.name: 'gateway os'"),
]


@pytest.mark.parametrize(("order", "release", "message"), LIMITS)
def test_a_limit_is_named(owner, order, release, message):
    """With field and value."""
    with pytest.raises(BrokenLimits, match=message):
        stage_request(replace(order_of(owner, **release), **order), **OWNER)


FILES = [
    ([{"name": "release.json"}], r"release\.artifacts: release\.json; this name is taken"),
    ([{"name": f"part-{number}"} for number in range(10)], r"release\.artifacts: 10; Device Update takes 10 files"),
    ([{"length": 2**31 + 1}], r"2147483649.*2147483648"),
    ([{"name": f"part-{number}", "length": 2**30} for number in range(3)], r"2147483648"),
]


@pytest.mark.parametrize(("changes", "message"), FILES, ids=["reserved", "many", "long", "long together"])
def test_a_limit_on_files_is_named(owner, changes, message):
    """Names, number, length of each and of all."""
    with pytest.raises(BrokenLimits, match=message):
        stage_request(order_of(owner, *changed(owner, changes)), **OWNER)


def test_roots_take_a_files_place(owner):
    """Nine artifacts are too many with them, and not without."""
    nine = pretended(owner.package(b"image").artifact, 8)

    stage_request(order_of(owner, *nine), **OWNER)
    with pytest.raises(BrokenLimits, match=r"release\.json and roots\.json among them"):
        stage_request(order_of(owner, *nine, roots=owner.later_roots), **OWNER)


def test_every_broken_limit_is_told_at_once(owner):
    """A person corrects them in one go."""
    order = replace(order_of(owner, version="2.0.0rc1"), timeout_minutes=0, devices=("",))

    with pytest.raises(BrokenLimits) as raised:
        stage_request(order, **OWNER)
    assert [each.field for each in raised.value.violations] == ["timeout_minutes", "devices", "release.version"]


def test_bytes_that_are_no_release_are_refused():
    """As such."""
    with pytest.raises(MalformedRelease):
        stage_request(StageOrder("spring/1", b"{}", (), (), 30), **OWNER)


HALF = (Buckets(9990, 9999), Buckets(0, 89))
ADMITTED = [
    ((), 10, None, None),
    ((), 2, 1, 1),
    ((), 2, 2, None),
    ((), 2, 0, 0),
    (HALF, 200, 100, 50),
    (HALF, 200, 1, 0),
    (HALF, 200, 3, 1),
    (HALF, 200, 200, None),
    (HALF, 200, None, None),
    (HALF, 0, 0, None),
]


@pytest.mark.parametrize(("buckets", "size", "admitted", "target"), ADMITTED)
def test_admitted_devices_become_a_part_of_the_list_or_of_the_buckets(owner, buckets, size, admitted, target):
    """Rounded down, as no more may be offered it; None is all."""
    order = replace(order_of(owner), buckets=buckets, size=size, admitted=admitted)

    request = stage_request(order, **OWNER)

    assert request.target == target
    assert request.size == (size if buckets else 2)


def test_what_breaks_an_order_by_bucket_is_named(owner):
    """Before any call."""
    order = replace(order_of(owner), buckets=(Buckets(0, 10_000),), part=FleetPart("f", query="a = ("))

    with pytest.raises(BrokenLimits) as raised:
        stage_request(order, **OWNER)

    assert [each.field for each in raised.value.violations] == ["query", "buckets"]

"""A release of several steps: published, offered with a URL for the file of each, and its failures told apart."""

from __future__ import annotations

import secrets

import pytest
import urllib3

from bridge.fleet import StageOrder
from bridge.folder import RELEASE_FILE, examine
from bridge.publish import Delivery, publish
from bridge.release.errors import FailureCode
from bridge.release.report import Outcome, Report
from bridge.release.trust import Facts, follow, judge
from tests.conformance.cloud import WAIT
from tests.conformance.staged import Staged, eventually
from tests.releases import HARDWARE, MODEL, NOW, Package
from tests.stepped import APPLICATION, BOOT, ROOTFS, stepped


@pytest.fixture(scope="module")
def package(kit, cloud, tmp_path_factory) -> Package:
    """A release of a script, our image as a whole and as a delta, and a package; as `release publish` publishes it."""
    image = secrets.token_bytes(40_000)
    package = stepped(
        kit,
        image,
        sources=[image[:-1]],
        boot=secrets.token_bytes(300),
        application=secrets.token_bytes(70_000),
        version=f"5.0.{secrets.randbelow(1 << 31)}",
    )
    folder = tmp_path_factory.mktemp("stepped")
    (folder / RELEASE_FILE).write_bytes(package.document)
    for name, data in package.files.items():
        (folder / name).write_bytes(data)
    examined = examine(folder, follow(kit.pinned, kit.later_roots), NOW, None, lambda _: None)
    fleet = cloud.fleet
    assert publish(folder, examined, [fleet], lambda _fleet, _count: None) == (Delivery(fleet.name),)
    return package


@pytest.fixture
def offered(cloud, order) -> StageOrder:
    """The release on its way to three devices."""
    return Staged(cloud.fleet, order).start()


def test_a_device_is_offered_what_every_step_takes(kit, line, offered, package):
    """The signed bytes, of which it reads the steps in their order; and each artifact, byte for byte, in ranges."""
    offer = line(offered.devices[0]).next_offer(WAIT)

    verdict = judge(follow(kit.pinned, offer.roots), offer.release, NOW, Facts(MODEL, HARDWARE, "1.0.0"))
    release = verdict.accepted()
    assert release.steps == (BOOT, ROOTFS, APPLICATION)
    assert set(offer.urls) == {artifact.name for artifact in release.artifacts} == set(package.files)
    for name, data in package.files.items():
        whole = urllib3.request("GET", offer.urls[name])
        assert (whole.status, whole.data) == (200, data)
        tail = urllib3.request("GET", offer.urls[name], headers={"Range": "bytes=100-"})
        assert (tail.status, tail.data) == (206, data[100:])


ENDINGS = [
    Report(Outcome.FAILED, "a", "1.0.0", FailureCode.STEP, "step boot: script ended with 3: no such board"),
    Report(Outcome.FELL_BACK, "a", "1.0.0", FailureCode.STEP, "step application: package ended with 1"),
    Report(Outcome.FAILED, "a", "1.0.0", FailureCode.STEP_KEPT, "step boot could not be undone: script ended with 4"),
]


@pytest.mark.parametrize("ending", ENDINGS, ids=lambda ending: f"{ending.outcome}-{ending.code.name}")
def test_how_a_step_failed_reaches_the_owner(cloud, line, offered, ending):
    """By the failure's number, and in the handler's words."""
    device = offered.devices[0]
    channel = line(device)

    channel.conclude(channel.next_offer(WAIT).id, ending)

    eventually(lambda: list(cloud.fleet.reports(offered.key)))
    (told,) = cloud.fleet.reports(offered.key)
    assert (told.device, told.outcome, told.code, told.detail) == (device, ending.outcome, ending.code, ending.detail)

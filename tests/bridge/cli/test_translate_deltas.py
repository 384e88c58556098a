"""`otabridge translate`: a release with deltas or steps reaches either cloud whole, or is refused by name."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from bridge.folder import RELEASE_FILE
from tests.releases import ReleaseKit, pretended
from tests.stepped import stepped

IMAGE = random.Random(5).randbytes(20_000)
AWS = (
    *("aws", "rel", "--stage", "spring/1", "--bucket", "artifacts", "--region", "eu-west-1"),
    *("--role-arn", "arn:aws:iam::123456789012:role/presign", "--only", "document"),
)
AZURE = ("azure", "rel", "--provider", "Acme", "--manufacturer", "Acme", "--only", "document")


@pytest.fixture
def kit():
    """An owner."""
    return ReleaseKit()


def write(document):
    """The release folder."""
    Path("rel").mkdir()
    Path("rel", RELEASE_FILE).write_bytes(document)


@pytest.mark.parametrize("words", [AWS, AZURE], ids=["aws", "azure"])
def test_every_artifact_is_among_what_the_cloud_is_sent(otabridge, kit, words):
    """The device chooses among them; so each is there, deltas and full artifact alike."""
    package = kit.package(IMAGE, sources=[IMAGE[:9000], IMAGE[4096:]])
    write(package.document)
    ran = otabridge("translate", *words)

    assert (ran.exit_code, ran.err) == (0, "")
    assert len(package.release.artifacts) == 3
    for artifact in package.release.artifacts:
        assert artifact.name in ran.out


@pytest.mark.parametrize("words", [AWS, AZURE], ids=["aws", "azure"])
def test_every_file_of_a_step_is_among_what_the_cloud_is_sent(otabridge, kit, words):
    """Beside the image."""
    write(stepped(kit, IMAGE).document)
    ran = otabridge("translate", *words)

    assert (ran.exit_code, ran.err) == (0, "")
    for name in ("boot.bin", "rootfs.full", "application.bin"):
        assert name in ran.out


def test_more_than_a_cloud_takes_is_refused_by_name(otabridge, kit):
    """Azure Device Update takes ten files in an update, and the release's own metadata is among them; AWS takes ten
    downloads in a job."""
    full = kit.package(IMAGE).artifact
    write(kit.bundle(IMAGE, [(artifact, b"") for artifact in pretended(full, 10)]).document)

    for cloud, words, says in (("aws", AWS, "artifacts"), ("azure", AZURE, "release.artifacts: 11")):
        ran = otabridge("translate", *words)
        assert (ran.exit_code, ran.out) == (1, ""), cloud
        assert says in ran.err
        assert "10" in ran.err

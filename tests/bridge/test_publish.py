"""Publishing: verified first, put once, run again after a failure."""

from __future__ import annotations

import msgspec
import pytest

from bridge.folder import RELEASE_FILE, examine
from bridge.publish import Delivery, publish
from bridge.release.errors import AlteredRelease, UnsignedRelease
from bridge.release.trust import follow
from tests.bridge.fakes import FakeFleet, Refuse
from tests.releases import NOW, ReleaseKit

IMAGE = bytes(range(256)) * 300


@pytest.fixture(scope="module")
def kit():
    """An owner."""
    return ReleaseKit()


@pytest.fixture
def folder(tmp_path, kit):
    """A signed release on disk."""
    return write(tmp_path, kit.package(IMAGE))


def write(folder, package):
    """The folder of `package`."""
    (folder / RELEASE_FILE).write_bytes(package.document)
    for name, data in package.files.items():
        (folder / name).write_bytes(data)
    return folder


def examined(kit, folder):
    """What an examination of all of it finds."""
    return examine(folder, follow(kit.pinned, ()), NOW, None, lambda _count: None)


def ignore(_fleet, _count):
    """Nobody watches."""


def test_every_fleet_gets_the_artifact_once(kit, folder):
    """A second run sends nothing."""
    fleets, sent = [FakeFleet("factory", ()), FakeFleet("office", ())], []
    for _ in range(2):
        deliveries = publish(folder, examined(kit, folder), fleets, lambda fleet, count: sent.append((fleet, count)))
        assert (Delivery("factory"), Delivery("office")) == deliveries

    length = (folder / "rootfs.full").stat().st_size
    assert [("factory", length), ("office", length)] == sent


def test_deltas_travel_with_the_full_artifact(kit, tmp_path):
    """Every artifact of the release goes to every fleet, the full one among them; none of them twice."""
    package = kit.package(IMAGE, sources=[IMAGE[:40_000], IMAGE[500:]])
    folder = write(tmp_path, package)
    fleets = [FakeFleet("factory", ()), FakeFleet("office", ())]
    for _ in range(2):
        assert (Delivery("factory"), Delivery("office")) == publish(folder, examined(kit, folder), fleets, ignore)

    sent = [artifact.sha256 for artifact in package.release.artifacts]
    assert len(set(sent)) == 3
    assert [sorted(sent)] * 2 == [sorted(fleet.puts) for fleet in fleets]


def test_a_delta_between_other_images_is_refused(kit, tmp_path):
    """Its bytes are those that were signed, and yet no device could use it: found without the image at hand."""
    package, other = (kit.package(IMAGE, sources=[old]) for old in (IMAGE[500:], IMAGE[700:]))
    mixed = msgspec.structs.replace(other.delta, source=package.delta.source)
    broken = kit.bundle(IMAGE, [(package.artifact, package.files["rootfs.full"]), (mixed, other.files[mixed.name])])
    with pytest.raises(AlteredRelease, match=r"its header names other images than release\.json does"):
        examined(kit, write(tmp_path, broken)).accepted()


def test_a_release_may_be_named_by_its_file(kit, folder):
    """As people do when the shell completes it."""
    file = folder / RELEASE_FILE

    assert (Delivery("factory"),) == publish(file, examined(kit, file), [FakeFleet("factory", ())], ignore)


def test_a_failing_fleet_does_not_keep_the_next_from_its_artifact(kit, folder):
    """And is itself served by running the command again."""
    refusing = Refuse(("put_artifact",))
    fleets = [FakeFleet("factory", (), hook=refusing), FakeFleet("office", ())]
    first, second = publish(folder, examined(kit, folder), fleets, ignore)
    assert (str(first.problem), second.problem) == ("fleet factory: throttled", None)

    refusing.on = False

    assert (Delivery("factory"), Delivery("office")) == publish(folder, examined(kit, folder), fleets, ignore)


def test_nothing_is_put_before_the_release_holds(kit, tmp_path):
    """One approver is missing: no fleet hears of it."""
    folder = write(tmp_path, kit.package(IMAGE, signers=kit.release_signers[:1]))
    fleet = FakeFleet("factory", ())
    with pytest.raises(UnsignedRelease, match="1 missing from"):
        publish(folder, examined(kit, folder), [fleet], ignore)
    assert fleet.puts == []


def change_byte(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


LENGTH = r"it has \d+ bytes, signed were \d+; fetch it again"
DAMAGE = {
    "a changed byte": (change_byte, "artifact rootfs.full"),
    "a missing end": (
        lambda path: path.write_bytes(path.read_bytes()[:-1]),
        LENGTH,
    ),
    "one byte more": (
        lambda path: path.write_bytes(path.read_bytes() + b"\0"),
        LENGTH,
    ),
    "a missing file": (lambda path: path.unlink(), "cannot be read from .*: No such file or directory; fetch it again"),
}


@pytest.mark.parametrize(("damage", "says"), DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_artifact_is_not_published(kit, folder, damage, says):
    """The signatures hold, the file does not: nothing is put, and the artifact is named."""
    damage(folder / "rootfs.full")
    fleet = FakeFleet("factory", ())
    with pytest.raises(AlteredRelease, match=says):
        publish(folder, examined(kit, folder), [fleet], ignore)
    assert fleet.puts == []


def test_an_unread_artifact_is_not_published(kit, folder):
    """An examination that left the artifacts out is no ground to publish: a mistake of ours, told loudly."""
    shallow = examine(folder, follow(kit.pinned, ()), NOW, None, None)
    with pytest.raises(RuntimeError, match="after its artifacts were examined"):
        publish(folder, shallow, [FakeFleet("factory", ())], ignore)


def test_an_artifact_that_decodes_to_another_image_is_refused(kit, tmp_path):
    """Signed by all approvers, and yet no device could install it: found before it costs a fleet's downloads."""
    package, other = kit.package(IMAGE), kit.package(IMAGE[:-1] + b"\0")
    mixed = msgspec.structs.replace(other.artifact, image=package.artifact.image)
    folder = write(tmp_path, other)
    (folder / RELEASE_FILE).write_bytes(kit.sign(msgspec.structs.replace(other.release, artifacts=(mixed,))))
    with pytest.raises(AlteredRelease, match=r"its header names other images than release\.json does"):
        examined(kit, folder).accepted()

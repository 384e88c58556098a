"""What somebody can do who took the agent over, and speaks with the slot writer as he pleases: nothing that counts.

Each test is one attack; it ends with what the owner cares about: what boots, and what the slots hold.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta

import pytest

from agent.slots import Slot
from agent.writer import protocol as ask
from agent.writer.allowance import CHANGES
from agent.writer.client import ReleaseRefusedByWriter, WriterRefusal
from bridge.release.errors import FailureCode
from bridge.release.manifest import Compatibility
from tests.agent.writer.desk import Desk, Pen
from tests.agent.writer.split import NEW, OLD
from tests.releases import NOW, Package, ReleaseKit, new_signers, sha256

HALF = NEW[: len(NEW) // 2]


def package(desk: Desk, sequence: int = 2, image: bytes = NEW, **changes) -> Package:
    """A release of the owner."""
    return desk.device.kit.package(image, version=f"{sequence}.0.0", sequence=sequence, **changes)


def still_boots(desk: Desk, slot: Slot = Slot.A) -> bool:
    """Whether a power cut, now, ends in `slot`, and it holds what it did."""
    holds = {Slot.A: OLD, Slot.B: NEW}[slot]
    return desk.boots.trial() is None and desk.restart() is slot and desk.device.slot(slot).startswith(holds)


REFUSED_RELEASES: list[tuple[str, Callable[[Desk], bytes], FailureCode, str]] = [
    ("nobody's", lambda _: ReleaseKit().package(NEW).document, FailureCode.ALTERED, "which is no release key"),
    ("unsigned", lambda desk: desk.device.kit.package(NEW, signers=[]).document, FailureCode.UNSIGNED, "nobody"),
    ("garbage", lambda _: b"{}", FailureCode.MALFORMED, "release.json"),
    ("altered", lambda desk: package(desk).document.replace(b'"2.0.0"', b'"2.0.1"'), FailureCode.ALTERED, "altered"),
    (
        "expired",
        lambda desk: package(desk, expires=NOW - timedelta(days=1)).document,
        FailureCode.EXPIRED,
        "expired at",
    ),
    (
        "of another model",
        lambda desk: package(desk, compatibility=Compatibility("toaster")).document,
        FailureCode.INCOMPATIBLE,
        "for model 'toaster'",
    ),
    (
        "of other hardware",
        lambda desk: package(desk, compatibility=Compatibility("gateway-3", ("r9",))).document,
        FailureCode.INCOMPATIBLE,
        "for hardware r9",
    ),
]


@pytest.mark.parametrize(("document", "code", "words"), [each[1:] for each in REFUSED_RELEASES])
def test_a_release_that_is_not_the_owners(desk, document, code, words):
    """It is not taken, and so nothing can be written at all."""
    with pytest.raises(ReleaseRefusedByWriter, match=words) as caught:
        desk.ask(ask.Introduce(document(desk)))
    assert caught.value.code == code

    with pytest.raises(WriterRefusal, match="no release was introduced for slot b"):
        desk.write(Slot.B, NEW)
    assert still_boots(desk)


def test_other_bytes_than_those_signed(desk):
    """The writer reads back itself, from the medium, and switches to nothing else."""
    signed = package(desk)
    desk.introduce(signed)
    desk.write(Slot.B, NEW[:-1] + b"!")

    with pytest.raises(WriterRefusal, match=f"{len(NEW)} bytes with sha256 {sha256(NEW)} were written") as caught:
        desk.ask(ask.TrySlot(Slot.B))

    assert caught.value.code == FailureCode.SLOT_MISMATCH
    assert still_boots(desk)


def test_half_of_what_was_signed(desk):
    """The rest of the slot is read, too."""
    desk.introduce(package(desk))
    desk.write(Slot.B, HALF)

    with pytest.raises(WriterRefusal, match="the slot gave back"):
        desk.ask(ask.TrySlot(Slot.B))
    assert still_boots(desk)


def test_bytes_behind_the_image(desk):
    """Where no signature covers them, nothing is written."""
    desk.introduce(package(desk))
    with Pen(desk, Slot.B) as pen:
        for offset in (len(NEW) - 3, len(NEW), 1 << 40):
            with pytest.raises(WriterRefusal, match=f"signed are {len(NEW)}"):
                pen.write(offset, b"evil")

    assert desk.device.slot(Slot.B) == bytes(desk.device.slot_bytes)


@pytest.mark.parametrize(("slot", "words"), [(Slot.A, "slot a runs: it is never written")])
def test_the_slot_that_runs(desk, slot, words):
    """Nor the one that would boot next."""
    desk.introduce(package(desk))

    with pytest.raises(WriterRefusal, match=words):
        desk.write(slot, NEW)
    assert still_boots(desk)


def test_the_default_during_a_trial(desk):
    """What a trial falls back to is not written while the trial runs, although it does not run."""
    desk.introduce(package(desk))
    desk.write(Slot.B, NEW)
    desk.ask(ask.TrySlot(Slot.B))
    assert desk.restart() is Slot.B
    desk.introduce(package(desk, 3))

    with pytest.raises(WriterRefusal, match="slot a is the default"):
        desk.write(Slot.A, NEW)
    desk.ask(ask.MarkUnbootable(Slot.B))
    assert still_boots(desk)


def test_a_slot_that_stays_open(desk):
    """Whoever kept the slot open cannot write it after it was verified, nor while another writes it."""
    desk.introduce(package(desk))
    with Pen(desk, Slot.B) as pen:
        pen.write(0, NEW)
        desk.ask(ask.TrySlot(Slot.B))
        with pytest.raises(WriterRefusal, match="no slot is open on this connection"):
            pen.write(0, b"evil")

    assert desk.restart() is Slot.B
    assert desk.device.slot(Slot.B).startswith(NEW)


def test_memory_that_is_changed_behind_the_writers_back(desk):
    """What it is changed to is read back like anything else."""
    desk.introduce(package(desk))
    with Pen(desk, Slot.B) as pen:
        pen.write(0, NEW)
        with pytest.raises(OSError, match="not permitted"):
            os.ftruncate(pen.descriptor, 0)  # would make the writer read where nothing is
        pen.memory[:4] = b"evil"
        pen.line.ask(ask.Write(0, 4))

    with pytest.raises(WriterRefusal, match="the slot gave back"):
        desk.ask(ask.TrySlot(Slot.B))
    assert still_boots(desk)


def test_descriptors_for_reading(desk):
    """They are for that alone."""
    descriptor = desk.look(Slot.A)
    try:
        assert os.pread(descriptor, len(OLD), 0) == OLD
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.pwrite(descriptor, b"evil", 0)
        with pytest.raises(OSError, match="Invalid argument"):
            os.ftruncate(descriptor, 0)
    finally:
        os.close(descriptor)


def test_an_older_release(desk):
    """The floor rises with the commit, in the writer as in the agent; nothing below it is taken or tried again."""
    desk.install(package(desk, 2), Slot.B)
    desk.install(package(desk, 3, floor=2), Slot.A)

    with pytest.raises(ReleaseRefusedByWriter, match="sequence 1 is below this device's floor 2") as caught:
        desk.introduce(package(desk, 1))
    assert caught.value.code == FailureCode.ROLLED_BACK
    desk.install(package(desk, 4, floor=4), Slot.B)
    desk.ask(ask.TrySlot(Slot.A))  # sequence 3: what a person may go back to
    with pytest.raises(ReleaseRefusedByWriter, match="below this device's floor 3"):
        desk.introduce(package(desk, 2))


def test_a_clock_that_is_set_back(desk):
    """What had expired when the last release was taken stays expired."""
    desk.now = NOW + timedelta(days=10)
    desk.introduce(package(desk, 3, expires=NOW + timedelta(days=20)))
    desk.now = NOW - timedelta(days=10_000)

    with pytest.raises(ReleaseRefusedByWriter, match="expired at"):
        desk.introduce(package(desk, 2, expires=NOW + timedelta(days=5)))


def test_a_revoked_key(desk):
    """A release that was introduced under the root before has to be signed anew: the old signature is worth nothing."""
    kit, signed = desk.device.kit, package(desk)
    desk.introduce(signed)
    desk.ask(ask.Follow(kit.rotate()))

    with pytest.raises(WriterRefusal, match="no release was introduced"):
        desk.write(Slot.B, NEW)
    with pytest.raises(ReleaseRefusedByWriter, match="the key was revoked"):
        desk.introduce(signed)
    desk.restart()
    desk.install(package(desk), Slot.B)


def test_a_root_of_his_own(desk):
    """A root that the owner's keys did not sign, or that leaves one out, is not followed."""
    kit = desk.device.kit
    foreign, second, third = ReleaseKit(), kit.rotate(), kit.rotate()
    foreign.rotate()

    with pytest.raises(ReleaseRefusedByWriter, match="not signed as root version 1 demands"):
        desk.ask(ask.Follow(foreign.roots[1]))
    with pytest.raises(ReleaseRefusedByWriter, match="version 2 between them is missing"):
        desk.ask(ask.Follow(third))
    desk.ask(ask.Follow(second))
    desk.ask(ask.Follow(third))
    desk.ask(ask.Follow(second))
    desk.introduce(package(desk))


def test_a_commit_of_what_does_not_run(desk):
    """Neither before the trial, nor without one."""
    desk.introduce(package(desk))
    desk.write(Slot.B, NEW)
    desk.ask(ask.TrySlot(Slot.B))

    with pytest.raises(WriterRefusal, match="slot a runs: slot b has proved nothing"):
        desk.ask(ask.Commit(Slot.B))
    assert desk.boots.default() is Slot.A


def test_a_commit_of_what_was_never_verified(desk):
    """A trial that somebody made without the writer ends as it began."""
    desk.stop()
    desk.boots.try_slot(Slot.B)
    desk.device.restart()
    desk.start()

    with pytest.raises(WriterRefusal, match="nothing that the slot writer has verified"):
        desk.ask(ask.Commit(Slot.B))
    assert desk.boots.default() is Slot.A


def test_a_slot_that_was_written_after_it_was_verified(desk):
    """What was known of it is forgotten before its first byte changes."""
    desk.install(package(desk, 2), Slot.B)
    desk.introduce(package(desk, 3))
    desk.write(Slot.A, HALF)

    with pytest.raises(WriterRefusal, match="the slot gave back"):
        desk.ask(ask.TrySlot(Slot.A))
    assert still_boots(desk, Slot.B)


def test_a_trial_of_a_slot_without_anything(desk):
    """What nobody wrote is not tried."""
    with pytest.raises(WriterRefusal, match="no release was introduced for slot b"):
        desk.ask(ask.TrySlot(Slot.B))
    assert still_boots(desk)


def test_flash_is_not_worn_out(desk):
    """So many changes an hour, and no more; after it as before."""
    for _ in range(CHANGES):
        desk.ask(ask.MarkUnbootable(Slot.B))

    with pytest.raises(WriterRefusal, match="more than 64 changes within an hour"):
        desk.ask(ask.MarkUnbootable(Slot.B))
    with pytest.raises(WriterRefusal, match="spares the flash"):
        desk.introduce(package(desk))
    desk.ticks += 3600
    desk.introduce(package(desk))


def test_what_was_introduced_survives_a_power_cut(desk):
    """Trust, floor and releases are the writer's own memory, on its own medium."""
    desk.introduce(package(desk))
    desk.restart()
    desk.write(Slot.B, NEW)
    desk.restart()
    desk.ask(ask.TrySlot(Slot.B))

    assert desk.restart() is Slot.B


def test_going_back_by_hand(desk):
    """The other slot may be tried again, as long as it holds what was verified; what the factory put there as well."""
    desk.install(package(desk), Slot.B)
    desk.ask(ask.TrySlot(Slot.A))
    assert desk.restart() is Slot.A
    desk.ask(ask.Commit(Slot.A))
    desk.ask(ask.TrySlot(Slot.B))
    assert desk.restart() is Slot.B
    desk.ask(ask.Commit(Slot.B))

    assert desk.boots.default() is Slot.B


def test_going_back_to_what_was_spoiled(desk):
    """A medium that lost what was verified is found out."""
    desk.install(package(desk, 2), Slot.B)
    desk.install(package(desk, 3, NEW[::-1]), Slot.A)
    with (desk.device.board / "b.img").open("r+b") as file:
        file.write(b"evil")

    with pytest.raises(WriterRefusal, match="the slot gave back"):
        desk.ask(ask.TrySlot(Slot.B))


def test_one_who_does_not_keep_to_the_protocol(desk):
    """Is hung up on, and may come again."""
    with closing(desk.client()) as line:
        line._line.sendall(b"\x01no JSON")
        assert line._line.recv(1) == b""

    assert desk.ask(ask.Booted()).slot is Slot.A


def test_signers_of_the_release_are_not_enough_for_a_root(desk):
    """Who may sign releases may not say who may."""
    kit = desk.device.kit
    before = kit.root_signers
    kit.root_signers = new_signers(1)
    kit._publish_root([*kit.release_signers, *kit.root_signers])
    kit.root_signers = before

    with pytest.raises(ReleaseRefusedByWriter, match="not signed as root version 1 demands"):
        desk.ask(ask.Follow(kit.roots[-1]))

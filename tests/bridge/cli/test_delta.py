"""`otabridge delta`: a payload is applied, looked into and verified, and whatever is wrong with it is a sentence."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from tests.releases import delta, image_of, sha256, whole

OLD = random.Random(1).randbytes(40_000)
NEW = OLD[:9000] + b"2.0.0" + OLD[9005:30_000] + bytes(20_000) + random.Random(2).randbytes(3000)


@pytest.fixture
def desk(otabridge):
    """Two images, the delta between them, and the full artifact of the new one, in the working folder."""
    files = {"old.img": OLD, "new.img": NEW, "a.delta": delta(OLD, NEW), "a.full": whole(NEW)}
    for name, data in files.items():
        Path(name).write_bytes(data)
    return lambda *words: otabridge("delta", *words)


@pytest.mark.parametrize(("old", "payload"), [("old.img", "a.delta"), ("-", "a.full")])
def test_a_payload_makes_its_image(desk, old, payload):
    """A delta from the image that it starts from, a full artifact from nothing; nothing else is left in the folder."""
    before = set(Path().iterdir())
    ran = desk("apply", old, payload, "--out", "made.img")

    assert (ran.exit_code, ran.err) == (0, "")
    assert ran.out == f"image       made.img: {len(NEW)} bytes, sha256 {sha256(NEW)}\n"
    assert Path("made.img").read_bytes() == NEW
    assert set(Path().iterdir()) - before == {Path("made.img")}


def test_long_runs_of_zero_bytes_become_holes(desk):
    """An image of a slot is mostly empty; its end may be, too."""
    image = b"head" * 2000 + bytes(3 << 20)
    Path("b.full").write_bytes(whole(image))
    desk("apply", "-", "b.full", "--out", "made.img")

    assert Path("made.img").read_bytes() == image
    assert Path("made.img").stat().st_blocks * 512 < 2 << 20


@pytest.mark.parametrize("command", [("info",), ("verify", "old.img"), ("apply", "old.img", "--out", "made.img")])
def test_a_payload_that_cannot_be_read_twice_is_refused(desk, command):
    """A pipe, as a shell's process substitution makes one: it is said what to do, and nobody waits for it."""
    os.mkfifo("pipe")
    ran = desk(*command, "pipe")

    assert (ran.exit_code, ran.out) == (2, "")
    assert "payload pipe is neither a file nor a block device: save it as a file first" in ran.err


def test_verifying_writes_nothing(desk):
    """It applies all the same, and holds the result against an image that one has."""
    before = set(Path().iterdir())
    ran = desk("verify", "old.img", "a.delta", "--new", "new.img")
    as_json = desk("verify", "old.img", "a.delta", "-o", "json")

    assert (ran.exit_code, ran.out) == (0, f"verified    a.delta makes {len(NEW)} bytes, sha256 {sha256(NEW)}\n")
    assert as_json.json["old"] == {"length": len(OLD), "sha256": sha256(OLD)}
    assert set(Path().iterdir()) == before


def test_info_tells_what_a_payload_does(desk):
    """Images, limits, memory, operations and streams, for people and programs; the bytes add up to the image."""
    ran, seen = desk("info", "a.delta"), desk("info", "a.delta", "-o", "json").json

    assert ran.exit_code == 0
    assert f"from        {len(OLD)} bytes, sha256 {sha256(OLD)}" in ran.out
    assert f"to          {len(NEW)} bytes, sha256 {sha256(NEW)}" in ran.out
    assert "MiB to apply" in ran.out
    assert sum(work["length"] for work in seen["operations"].values()) == len(NEW)
    assert {"ZERO", "COPY", "ADD"} <= set(seen["operations"])
    stored = sum(stream["stored"] for stream in seen["streams"])
    assert 0 < seen["length"] - stored < 110 + 64 * seen["frames"]
    assert (seen["length"], seen["image"]["length"]) == (Path("a.delta").stat().st_size, len(NEW))


def test_info_knows_a_full_artifact(desk):
    """It starts from nothing, and declares no source."""
    assert "from        nothing: it is a full artifact" in desk("info", "a.full").out
    assert desk("info", "a.full", "-o", "json").json["source"] is None


MISUSE = {
    "no payload": (("verify", "old.img", "absent"), 2, "payload absent cannot be read: No such file or directory"),
    "a folder": (("info", "."), 2, "payload . cannot be read: Is a directory"),
    "no image": (("verify", "absent", "a.delta"), 2, "image absent cannot be read: No such file or directory"),
    "an image as payload": (("info", "new.img"), 10, "new.img: this is no payload: it begins with"),
    "an old image for a full artifact": (
        ("verify", "old.img", "a.full"),
        2,
        "payload a.full is a full artifact, which starts from no image: write - in the place of OLD",
    ),
    "no old image for a delta": (("verify", "-", "a.delta"), 2, "payload a.delta is a delta: give the image that it"),
    "another old image": (
        ("verify", "new.img", "a.delta"),
        31,
        f"not the image that a.delta starts from: it has {len(NEW)} bytes; wanted is one of {len(OLD)} bytes, sha256 ",
    ),
    "another new image": (
        ("verify", "old.img", "a.delta", "--new", "old.img"),
        31,
        "image old.img is not the image that a.delta makes",
    ),
    "a file that is there": (
        ("apply", "old.img", "a.delta", "--out", "new.img"),
        2,
        "image new.img exists; it is never overwritten: remove it, or give another --out",
    ),
    "a folder that is not": (
        ("apply", "old.img", "a.delta", "--out", "nowhere/new.img"),
        2,
        "image nowhere/new.img cannot be written: there is no folder nowhere",
    ),
    "too small a device": (
        ("verify", "old.img", "a.delta", "--memory", "4"),
        18,
        "a.delta: the payload takes ",
    ),
}


@pytest.mark.parametrize(("words", "exit_code", "says"), MISUSE.values(), ids=MISUSE)
def test_misuse_is_a_sentence(desk, words, exit_code, says):
    """It names the file and what to do, with an exit code of its own."""
    ran = desk(*words)

    assert (exit_code, "") == (ran.exit_code, ran.out)
    assert ran.err.startswith("otabridge: ")
    assert says in ran.err
    assert ran.err.count("\n") == 1


def test_an_old_image_of_the_same_length_is_told_by_its_digest(desk):
    """One byte was changed in the field."""
    Path("old.img").write_bytes(OLD[:500] + b"?" + OLD[501:])
    ran = desk("apply", "old.img", "a.delta", "--out", "made.img")

    assert ran.exit_code == 31
    assert f"it has {len(OLD)} bytes, sha256 {sha256(Path('old.img').read_bytes())}; wanted is one of" in ran.err
    assert not Path("made.img").exists()


def test_a_damaged_payload_makes_nothing(desk):
    """Whichever byte it is, however short it is cut: refused by name, and no file appears."""
    sound, seed = Path("a.delta").read_bytes(), random.Random(7)
    cut = [sound[: seed.randrange(len(sound))] for _ in range(25)]
    places = seed.sample(range(len(sound)), 60)
    changed = [sound[:at] + bytes([sound[at] ^ 1 << seed.randrange(8)]) + sound[at + 1 :] for at in places]
    for data in [*cut, *changed, sound + b"!", b""]:
        Path("bad.delta").write_bytes(data)
        looked = desk("info", "bad.delta")
        ran = desk("apply", "old.img", "bad.delta", "--out", "made.img")

        assert ran.exit_code in {10, 15, 31}, ran.err
        assert "bad.delta" in ran.err
        assert looked.exit_code in {0, 10}
        assert not list(Path().glob("made.img*"))


def test_a_full_disk_is_told_and_leaves_nothing(desk):
    """/dev/full stands in for the disk."""
    Path("made.img.partial").symlink_to("/dev/full")
    ran = desk("apply", "old.img", "a.delta", "--out", "made.img")

    assert (ran.exit_code, "image made.img cannot be written: no space left in .; free some" in ran.err) == (2, True)
    assert not list(Path().glob("made.img*"))


def test_a_payload_of_another_image_is_no_lie(desk):
    """What was signed is held against the header elsewhere; here the header is what it says."""
    Path("same.delta").write_bytes(delta(NEW, OLD))

    assert desk("verify", "new.img", "same.delta", "--new", "old.img").exit_code == 0
    assert desk("info", "same.delta", "-o", "json").json["image"]["sha256"] == image_of(OLD).sha256

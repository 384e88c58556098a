"""`otabridge release build --delta-from`: deltas from older images travel with the full artifact where they are worth
it."""

from __future__ import annotations

import random
import signal
from pathlib import Path

import pytest

from bridge.cli.phases import Phases
from bridge.folder import RELEASE_FILE
from tests.releases import sha256

SEED = random.Random(11)
FIRST = SEED.randbytes(90_000) + bytes(30_000)
SECOND = FIRST[:20_000] + b"second" + FIRST[20_006:]
THIRD = SECOND[:70_000] + b"third" + SECOND[70_005:]
STRANGE = SEED.randbytes(100_000)
FACTS = ("--name", "gateway-os", "--model", "gateway-3", "--level", "3", "--effort", "fast")
FROM_FIRST = f"gateway-os-3.0.0.from-{sha256(FIRST)[:12]}.delta"
FROM_SECOND = f"gateway-os-3.0.0.from-{sha256(SECOND)[:12]}.delta"


@pytest.fixture
def owner(otabridge):
    """Four images in the working folder, and a root under which alice alone approves."""
    for name, data in {"first": FIRST, "second": SECOND, "third": THIRD, "strange": STRANGE}.items():
        Path(f"{name}.img").write_bytes(data)
    for name in ("rita", "alice"):
        otabridge("keys", "create", name, "--no-passphrase")
    otabridge("root", "init", "--root-key", "rita.pub.json", "--release-key", "alice.pub.json", "--sign", "rita.pem")
    return otabridge


def build(otabridge, *more, image="third.img", version="3.0.0", out="rel"):
    """A release folder."""
    words = ("--image", image, "--version", version, "--sequence", version[0], "--out", out)
    return otabridge("release", "build", *words, *FACTS, *more)


def test_a_release_with_deltas_from_image_to_acceptance(owner):
    """Two deltas, each named for its source; signed, then judged with one old image at hand and one not."""
    built = build(owner, "--delta-from", "first.img", "--delta-from", "second.img")
    assert (built.exit_code, built.err) == (0, "")
    assert {path.name for path in Path("rel").iterdir()} == {
        RELEASE_FILE,
        "gateway-os-3.0.0.full",
        FROM_FIRST,
        FROM_SECOND,
    }
    assert "% of the full artifact" in built.out

    owner("release", "sign", "rel", "--key", "alice.pem")
    ran = owner("release", "verify", "rel", "--source", "first.img")

    assert (ran.exit_code, ran.err) == (0, "")
    assert f"artifact    {FROM_FIRST}: length and sha256 as signed\n" in ran.out
    assert f"{FROM_SECOND}: length and sha256 as signed; not applied: give the image that it starts" in ran.out
    assert ran.out.endswith("accepted\n")


def test_programs_learn_what_a_device_needs(owner):
    """Each artifact with its source and the memory that applying it takes; and each attempt."""
    built = build(owner, "--delta-from", "second.img", "-o", "json").json
    shown = owner("release", "show", "rel", "-o", "json").json["release"]

    assert sorted(built["release"]["artifacts"], key=str) == sorted(shown["artifacts"], key=str)
    deltas = [artifact for artifact in shown["artifacts"] if artifact["source"]]
    assert [delta["source"] for delta in deltas] == [{"length": len(SECOND), "sha256": sha256(SECOND)}]
    assert all(artifact["memory"] > 0 for artifact in shown["artifacts"])
    assert [(each["old"], each["is_kept"], each["gave_up"]) for each in built["attempts"]] == [("second.img", True, 0)]


def test_an_earlier_release_is_a_source(owner):
    """Its folder is enough: the image is made from its full artifact, and nothing of that is left."""
    build(owner, image="second.img", version="2.0.0", out="rel2")
    assert build(owner, "--delta-from", "rel2").exit_code == 0

    assert {path.name for path in Path("rel").iterdir()} == {RELEASE_FILE, "gateway-os-3.0.0.full", FROM_SECOND}


SPOILED = {
    "an altered artifact": ("gateway-os-2.0.0.full", lambda data: data[:-9] + b"?" + data[-8:], 15),
    "a cut artifact": ("gateway-os-2.0.0.full", lambda data: data[:1000], 10),
    "an artifact that is none": ("gateway-os-2.0.0.full", lambda _: b"none", 10),
    "a release that is none": (RELEASE_FILE, lambda _: b"{", 10),
}


@pytest.mark.parametrize(("file", "spoil", "exit_code"), SPOILED.values(), ids=SPOILED)
def test_an_earlier_release_that_is_spoiled_is_named(owner, file, spoil, exit_code):
    """Artifacts of both releases may have the same name; it is said whose it is, and nothing was begun."""
    build(owner, image="second.img", version="2.0.0", out="rel2")
    spoiled = Path("rel2", file)
    spoiled.write_bytes(spoil(spoiled.read_bytes()))

    ran = build(owner, "--delta-from", "first.img", "--delta-from", "rel2")

    assert (ran.exit_code, ran.out) == (exit_code, "")
    assert ran.err.startswith("otabridge: --delta-from rel2: ")
    assert not list(Path("rel").iterdir())


def test_a_release_that_would_be_too_long_is_refused_before_the_long_work(owner, monkeypatch):
    """Also where only lengths and memory, which nobody knows yet, make it so."""
    build(owner)
    length = Path("rel", RELEASE_FILE).stat().st_size
    monkeypatch.setattr("bridge.release.trust.MAX_RELEASE_BYTES", length - 1)

    ran = build(owner, out="longer")

    assert (ran.exit_code, ran.out) == (10, "")
    assert f"the limit is {length - 1}" in ran.err
    assert not Path("longer").exists()


def test_a_release_for_many_revisions_of_hardware_has_names_that_fit(owner):
    """A file's name tells them while there is room; the release always does."""
    words = [word for number in range(40) for word in ("--hardware", f"revision {number}")]
    assert build(owner, *words).exit_code == 0

    shown = owner("release", "show", "rel", "-o", "json").json["release"]
    assert [each["name"] for each in shown["artifacts"]] == ["gateway-os-3.0.0.40-revisions.full"]
    assert len(shown["compatibility"]["hardware"]) == 40


def test_a_delta_that_is_not_worth_it_is_dropped(owner):
    """It is said how large it would have been; the release has the full artifact alone."""
    ran = build(owner, "--delta-from", "strange.img")

    assert ran.exit_code == 0
    assert "dropped     the delta from strange.img: " in ran.out
    assert "more than the 90 % that are worth it" in ran.out
    assert {path.name for path in Path("rel").iterdir()} == {RELEASE_FILE, "gateway-os-3.0.0.full"}


def test_the_margin_is_the_owners(owner):
    """A delta of one block is smaller by 99 per cent; with a margin of 0 any that is smaller at all is kept."""
    words = ("--delta-from", "second.img", "--delta-margin", "99")
    kept = build(owner, *words, "-o", "json").json["attempts"][0]
    assert (kept["is_kept"], kept["artifact"]["name"]) == (True, FROM_SECOND)

    ran = build(owner, "--delta-from", "strange.img", "--delta-margin", "0", "-o", "json", out="rel0").json
    full = next(each for each in ran["release"]["artifacts"] if each["source"] is None)
    tried = ran["attempts"][0]
    assert tried["is_kept"] == (tried["artifact"]["length"] < full["length"])


def test_who_makes_many_deltas_is_told_where_they_do_not_fit(owner, monkeypatch):
    """Release, roots and eight artifacts are what one cloud takes; it is said when the release is built."""
    monkeypatch.setattr("bridge.cli.release_build.EVERY_CLOUD", 1)
    ran = build(owner, "--delta-from", "second.img")

    assert "advice      2 artifacts: Azure Device Update takes 10 files, the release's metadata among them; " in ran.out
    assert ran.out.endswith("; a job of AWS IoT, 10 downloads\n")


def test_the_full_artifact_may_be_kept_from_metered_links(owner):
    """It is signed with the release, and shown."""
    ran = build(owner, "--no-full-over-metered")

    assert "metered     the full artifact is never fetched over such a link" in ran.out
    assert owner("release", "show", "rel", "-o", "json").json["release"]["full_over_metered"] is False


MISTAKES = {
    "no such image": (("--delta-from", "absent.img"), 2, "image absent.img cannot be read: No such file"),
    "no release": (("--delta-from", "."), 2, "release release.json cannot be read: No such file"),
    "the image itself": (
        ("--delta-from", "third.img"),
        2,
        "--delta-from third.img is the image third.img itself: devices that hold it need no delta",
    ),
    "the same twice": (
        ("--delta-from", "first.img", "--delta-from", "copy.img"),
        2,
        "--delta-from first.img and copy.img are the same image: give one of them",
    ),
    "too many": (("--delta-from", "first.img") * 16, 2, "more than the 16 artifacts that a release may have"),
    "memory for nothing": (("--delta-from", "first.img", "--delta-memory", "2"), 2, "is the least"),
    "a margin": (("--delta-margin", "100"), 2, "delta margin 100 is outside 0 to 99 per cent"),
    "a name that is too long for a file": (("--name", "n" * 127, "--delta-from", "first.img"), 10, "matching regex"),
}


@pytest.mark.parametrize(("words", "exit_code", "says"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_found_before_the_long_work(owner, words, exit_code, says):
    """No artifact was begun."""
    Path("copy.img").write_bytes(FIRST)
    ran = build(owner, *words)

    assert (exit_code, "") == (ran.exit_code, ran.out)
    assert says in ran.err
    assert not Path("rel").exists() or not list(Path("rel").iterdir())


def test_after_an_interruption_the_same_command_builds_the_same_release(owner, monkeypatch):
    """There is no release.json yet, and the finished groups are used."""
    begin = Phases.begin

    def interrupting(phases: Phases, phase: str, total: int) -> None:
        if phase == "delta 2 of 2: code":
            signal.raise_signal(signal.SIGINT)
        begin(phases, phase, total)

    words = ("--delta-from", "first.img", "--delta-from", "second.img", "--expires", "2031-01-01")
    monkeypatch.setattr(Phases, "begin", interrupting)
    ran = build(owner, *words)
    assert (ran.exit_code, ran.out) == (130, "")
    assert "interrupted, there is no release yet; what is finished of the deltas is kept in rel" in ran.err
    assert not Path("rel", RELEASE_FILE).exists()

    monkeypatch.setattr(Phases, "begin", begin)
    assert build(owner, *words).exit_code == 0
    build(owner, *words, out="again")
    assert {path.name: path.read_bytes() for path in Path("rel").iterdir()} == {
        path.name: path.read_bytes() for path in Path("again").iterdir()
    }


# --- verify -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def signed(owner):
    """A signed release with a delta from the second image."""
    build(owner, "--delta-from", "second.img")
    owner("release", "sign", "rel", "--key", "alice.pem")
    return owner


@pytest.mark.parametrize("source", [(), ("--source", "second.img")], ids=["as bytes", "applied"])
def test_a_damaged_delta_is_found(signed, source):
    """Whether or not the image that it starts from is at hand."""
    file = Path("rel", FROM_SECOND)
    data = bytearray(file.read_bytes())
    data[-3] ^= 4
    file.write_bytes(data)
    ran = signed("release", "verify", "rel", *source)

    assert ran.exit_code == 15
    assert f"artifact {FROM_SECOND}: its sha256 is " in ran.err
    assert f"artifact    {FROM_SECOND}: its sha256 is " in ran.out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--source", "first.img"), "--source first.img: no delta of the release starts from it; it has sha256 "),
        (("--source", "absent.img"), "image absent.img cannot be read: No such file or directory"),
        (("--source", "second.img", "--no-artifacts"), "--no-artifacts leaves them out: give one of them"),
    ],
)
def test_a_source_that_is_of_no_use_is_refused(signed, words, says):
    """Nobody shall believe that a delta was applied which was not."""
    ran = signed("release", "verify", "rel", *words)

    assert (ran.exit_code, says in ran.err) == (2, True)

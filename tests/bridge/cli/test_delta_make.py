"""`otabridge delta make` and `estimate`: the delta between two images, made in one go or after an interruption."""

from __future__ import annotations

import random
import re
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from bridge.cli import delta_options
from bridge.cli.phases import Phases
from bridge.delta import effort
from bridge.delta.making import make_delta

SEED = random.Random(3)
WORDS = b" ".join(SEED.choices((b"release", b"slot", b"delta", b"gate", b"soak", b"\x7fELF"), k=60_000))
OLD = WORDS + SEED.randbytes(60_000) + bytes(100_000)
NEW = WORDS[:100_000] + SEED.randbytes(500) + WORDS[100_400:] + OLD[len(WORDS) : len(WORDS) + 60_000] + bytes(90_000)


@pytest.fixture
def desk(otabridge):
    """Two images in the working folder."""
    Path("old.img").write_bytes(OLD)
    Path("new.img").write_bytes(NEW)
    return lambda *words: otabridge("delta", *words)


def make(desk, *more, out="a.delta"):
    """The delta from the old image to the new one."""
    return desk("make", "old.img", "new.img", "--effort", "fast", "--out", out, *more)


def test_a_delta_from_two_images_to_the_third(desk):
    """Made, looked into, verified and applied; far smaller than the image."""
    ran = make(desk)
    assert (ran.exit_code, ran.err) == (0, "")
    assert f"payload     a.delta: {Path('a.delta').stat().st_size} bytes, " in ran.out

    assert desk("verify", "old.img", "a.delta", "--new", "new.img").exit_code == 0
    assert desk("apply", "old.img", "a.delta", "--out", "made.img").exit_code == 0
    assert Path("made.img").read_bytes() == NEW
    assert Path("a.delta").stat().st_size < len(NEW) // 50
    assert {path.name for path in Path().iterdir()} == {"old.img", "new.img", "a.delta", "made.img"}


def test_programs_get_the_same_facts(desk):
    """What `make` says of a payload is what `info` finds in it."""
    made, seen = make(desk, "-o", "json").json, desk("info", "a.delta", "-o", "json").json

    assert made["old"] == seen["source"]
    assert [made[name] for name in ("length", "memory", "frames", "spans")] == [
        seen[name] for name in ("length", "memory", "frames", "spans")
    ]


def test_the_same_images_give_the_same_delta(desk):
    """However many workers there are."""
    for workers in (1, 3):
        make(desk, "--workers", workers, out=f"{workers}.delta")

    assert Path("1.delta").read_bytes() == Path("3.delta").read_bytes()


def test_a_delta_can_be_made_for_small_devices(desk):
    """A device that grants half the usual memory takes it."""
    assert make(desk, "--memory", "32").exit_code == 0
    assert desk("verify", "old.img", "a.delta", "--memory", "32").exit_code == 0


def test_what_the_maker_advises_is_told(desk, monkeypatch):
    """At the end, where it is read; and what it could not compare."""

    def advising(*words):
        return replace(make_delta(*words), notes=("build it otherwise",), gave_up=2)

    monkeypatch.setattr("bridge.delta.making.make_delta", advising)
    ran = make(desk)

    assert ran.out.endswith(
        "gave up     2 comparisons that took more time or memory than they may; their bytes travel as new\n"
        "advice      build it otherwise\n"
    )


MISUSE = {
    "no old image": (("make", "absent", "new.img", "--out", "a"), "image absent cannot be read: No such file"),
    "no new image": (("make", "old.img", "absent", "--out", "a"), "image absent cannot be read: No such file"),
    "a folder": (("make", "old.img", ".", "--out", "a"), "image . is neither a file nor a block device"),
    "a payload that is there": (
        ("make", "old.img", "new.img", "--out", "old.img"),
        "payload old.img exists; it is never overwritten: remove it, or give another --out",
    ),
    "a folder that is not": (("make", "old.img", "new.img", "--out", "no/a"), "there is no folder no"),
    "memory for nothing": (("make", "old.img", "new.img", "--out", "a", "--memory", "2"), "is the least"),
    "no image to estimate": (("estimate", "old.img", "absent"), "image absent cannot be read: No such file"),
}


@pytest.mark.parametrize(("words", "says"), MISUSE.values(), ids=MISUSE)
def test_misuse_is_a_sentence(desk, words, says):
    """Exit code 2, before any long work; nothing is left behind."""
    before = {path: path.stat().st_size for path in Path().iterdir()}
    ran = desk(*words)

    assert (ran.exit_code, ran.out) == (2, "")
    assert says in ran.err
    assert {path: path.stat().st_size for path in Path().iterdir()} == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_after_an_interruption_the_same_command_goes_on(desk, monkeypatch, number):
    """It says where the finished work is kept; the delta is then the one that it would have been, and the work gone."""
    begin = Phases.begin

    def interrupting(phases: Phases, phase: str, total: int) -> None:
        if phase == "code":
            signal.raise_signal(number)
        begin(phases, phase, total)

    monkeypatch.setattr(Phases, "begin", interrupting)
    ran = make(desk)

    assert (ran.exit_code, ran.out) == (130, "")
    assert "interrupted; what is finished is kept in a.delta.work: the same command goes on there" in ran.err
    assert not list(Path().glob("a.delta")) + list(Path().glob("*.partial"))

    monkeypatch.setattr(Phases, "begin", begin)
    assert make(desk).exit_code == 0
    assert not Path("a.delta.work").exists()
    make(desk, out="b.delta")
    assert Path("a.delta").read_bytes() == Path("b.delta").read_bytes()


def test_an_interruption_before_anything_is_finished_says_so(desk, monkeypatch):
    """There is nothing to go on from, and nothing to remove."""
    monkeypatch.setattr(Phases, "begin", lambda *_: signal.raise_signal(signal.SIGINT))
    ran = make(desk)

    assert (ran.exit_code, "interrupted; nothing was finished yet" in ran.err) == (130, True)


def test_the_efforts_of_the_command_line_are_those_of_the_maker():
    """They are listed twice, since the maker needs numpy and the command line must not load it."""
    assert list(delta_options.Effort) == list(effort.Effort)


def test_an_estimate_encloses_the_truth(desk):
    """On images this small; it says what it looked at, and how long making it takes."""
    ran, seen = desk("estimate", "old.img", "new.img"), desk("estimate", "old.img", "new.img", "-o", "json").json
    make(desk)

    assert ran.exit_code == 0
    assert seen["low"] <= Path("a.delta").stat().st_size <= seen["high"]
    assert seen["known"] + seen["different"] == len(NEW)
    assert re.search(r"^making it   about [1-9]\d* seconds at --effort default, ", ran.out, re.MULTILINE)
    assert seen["seconds"] >= 1


def test_an_estimate_advises_where_images_have_little_in_common(desk):
    """Noise against noise: a delta is not worth it, and it is said where to read on."""
    Path("old.img").write_bytes(random.Random(5).randbytes(200_000))
    Path("new.img").write_bytes(random.Random(6).randbytes(200_000))
    ran = desk("estimate", "old.img", "new.img", "--effort", "fast")

    assert "advice      the images have little in common: build both reproducibly" in ran.out

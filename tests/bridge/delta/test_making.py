"""Deltas from two image files: proved, the same whoever works, whole or absent, and resumed where they were stopped."""

from __future__ import annotations

import errno
import os
import random
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridge.delta import comparison, work
from bridge.delta.differencer import Bounds
from bridge.delta.effort import TRIALS, Effort
from bridge.delta.making import Making, make_delta
from bridge.delta.progress import MakingCancelled, Silence
from bridge.errors import UsageError
from bridge.release.delta.memory import DEVICE_MEMORY
from bridge.release.delta.operations import Kind
from bridge.release.image import Image
from tests.bridge.delta.pairs import noise, program
from tests.bridge.release.delta.payloads import image_of

BLOCK = 4096
GROUP = 100_000
QUICK = Making(Effort.FAST)


@pytest.fixture(autouse=True)
def small_groups(monkeypatch):
    """So that small images have many."""
    for effort in Effort:
        monkeypatch.setitem(TRIALS, effort, replace(TRIALS[effort], group=GROUP, small=GROUP))


def firmware(version):
    """An image of many groups: code that changed a little everywhere, files that moved, zeros, fill and new files."""
    files = [noise(seed, 60_000 + 977 * seed) for seed in range(4)]
    random.Random(version).shuffle(files)
    code = program(1, 800_000, moved=64 * version)
    return b"".join(
        (code, bytes(200_000), *files, b"\xff" * 100_000, noise(90 + version, 20_000), code[: 9999 + version])
    )


@pytest.fixture(scope="session")
def versions():
    """Two of them."""
    return firmware(1), firmware(2)


class Watching(Silence):
    """Notes the phases; `act` is called with the count of bytes that were compared."""

    def __init__(self, act=lambda _: None):
        self.phases = []
        self._act = act
        self._compared = 0

    def begin(self, phase, total):
        self.phases.append([phase, total, 0])

    def advance(self, count):
        self.phases[-1][2] += count
        if self.phases[-1][0] == "difference":
            self._compared += count
            self._act(self._compared)


def test_delta_makes_the_new_image_and_says_what_it_is(pair_of, versions):
    """A device applies it within the memory that it declares; phases are told in order, each to its end."""
    old, new = versions
    pair, seen = pair_of(old, new), Watching()
    made = pair.make(QUICK, seen)
    data = pair.target.read_bytes()

    assert pair.applied(made) == new
    assert (made.old, made.new) == (image_of(old), image_of(new))
    assert Image(made.length, made.sha256) == image_of(data)
    assert made.memory <= DEVICE_MEMORY
    assert sum(made.counts.values()) == len(new)
    assert made.counts[Kind.ZERO] >= 190_000
    assert made.gave_up == 0
    assert made.length < len(new) // 5
    assert [(phase, done) for phase, _, done in seen.phases] == [(phase, total) for phase, total, _ in seen.phases]
    assert list(dict.fromkeys(phase for phase, _, _ in seen.phases)) == ["read", "match", "difference", "code"]
    assert {path.name for path in pair.target.parent.iterdir()} == {"old.img", "new.img", "delta"}


@pytest.mark.parametrize("effort", Effort)
def test_number_of_workers_changes_no_byte(pair_of, versions, effort):
    """One worker, four, or a pool in which they end in any order."""
    pair = pair_of(versions[0], versions[1][1:])
    results = [pair.make(Making(effort, workers)) for workers in (1, 4)]
    with Shuffled(4) as pool:
        results.append(pair.make(Making(effort, 4), executor=pool))

    assert results[0] == results[1] == results[2]


class Shuffled(ThreadPoolExecutor):
    """Starts what it is given late, and never in the order in which it was given."""

    def submit(self, task, /, *given, **named):
        wait = threading.Event()
        future = super().submit(lambda: (wait.wait(), task(*given, **named))[1])
        threading.Timer(random.Random(id(future)).random() / 20, wait.set).start()
        return future


SHAPES = {
    "identical": lambda a, _: (a, a),
    "identical and tiny": lambda *_: (b"x", b"x"),
    "tiny": lambda *_: (b"version 1\n", b"version 2\n"),
    "longer": lambda a, b: (a, a + b),
    "shorter": lambda a, _: (a, a[:31_415]),
    "cut at the front": lambda a, _: (a, a[31_415:]),
    "unrelated": lambda a, b: (a, b),
    "zeros to something": lambda a, _: (bytes(len(a)), a),
    "something to zeros": lambda a, _: (a, bytes(len(a))),
    "filled": lambda a, _: (b"\xff" * len(a), b"\xff" * (len(a) + 7)),
    "other fill": lambda a, _: (b"\xff" * len(a), b"\x5a" * (len(a) + 7)),
    "reversed halves": lambda a, _: (a, a[50_001:] + a[:50_001]),
    "one byte changed": lambda a, _: (a, a[:777] + b"!" + a[778:]),
    "one byte inserted": lambda a, _: (a, a[:777] + b"!" + a[777:]),
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("effort", [Effort.FAST, Effort.DEFAULT])
def test_images_of_any_shape(pair_of, shape, effort):
    """Of odd lengths, equal, unrelated, empty of content: made, proved and applied."""
    old, new = SHAPES[shape](program(1, 100_003), noise(2, 60_000))
    pair = pair_of(old, new)
    made = pair.make(Making(effort))

    assert pair.applied(made) == new
    assert made.length <= len(new) + 350
    if (
        set(shape.split()) & {"identical", "shorter", "cut", "zeros", "filled", "fill", "reversed", "one"}
        and new in old
    ):
        assert made.length < 350


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 2**32))
def test_random_edits(pair_of, seed):
    """Blocks moved, dropped, repeated, inserted, changed in a byte here and there."""
    chosen = random.Random(seed)
    old = program(seed, 60_000) + bytes(9000) + noise(seed, 20_000)
    parts = []
    for _ in range(chosen.randrange(1, 30)):
        at = chosen.randrange(len(old))
        part = bytearray(old[at : at + chosen.choice((5, 100, BLOCK, 30_000))])
        for place in chosen.sample(range(len(part)), min(len(part), chosen.choice((0, 0, 3)))):
            part[place] ^= chosen.randrange(256)
        parts.append(bytes(part) if chosen.random() < 0.8 else chosen.randbytes(50))
    pair = pair_of(old, b"".join(parts))

    assert pair.applied(pair.make(QUICK)) == b"".join(parts)


def test_small_devices_get_payloads_that_fit(pair_of, versions):
    """Smaller spans, frames and dictionaries; below what any payload takes, nothing is begun."""
    pair = pair_of(versions[0], versions[1])
    made = pair.make(Making(Effort.FAST, memory=24 << 20))

    assert made.memory <= 24 << 20
    assert pair.applied(made) == versions[1]
    with pytest.raises(UsageError, match="grant 1048576 bytes; 25165824 is the least"):
        pair.make(Making(memory=1 << 20))


def test_groups_whose_children_die_are_counted_and_sent_whole(pair_of):
    """No child has time for anything: what cannot be compared is sent as new bytes, and the delta still holds."""
    pair = pair_of(program(1, 200_000), program(1, 200_000, 64))
    made = pair.make(Making(bounds=Bounds(memory=1 << 20)))

    assert made.gave_up > 0
    assert made.counts == {Kind.LITERAL: 200_000}
    assert pair.applied(made) == pair.new.read_bytes()


def test_cancelled_maker_keeps_what_is_finished(pair_of, versions, monkeypatch):
    """No output, but the groups that were done; the next run compares only the others, and makes the same bytes."""
    pair, stop = pair_of(*versions), threading.Event()
    whole = pair.make(QUICK)
    pair.target.unlink()
    with pytest.raises(MakingCancelled, match="was cancelled; what is finished is kept"):
        pair.make(QUICK, Watching(lambda done: stop.set() if done > 300_000 else None), cancelled=stop.is_set)
    kept = list((pair.target.parent / "delta.work").glob("*.group"))
    compared = counted(monkeypatch)

    assert kept
    assert not pair.target.exists()
    assert pair.make(QUICK) == whole
    assert 0 < len(compared) < groups_of(versions)
    assert not (pair.target.parent / "delta.work").exists()


def counted(monkeypatch):
    """The groups that are compared from now on."""
    compared, compare = [], comparison.compare

    def counting(*given):
        compared.append(given[0])
        return compare(*given)

    monkeypatch.setattr(comparison, "compare", counting)
    return compared


def groups_of(versions):
    """At most so many."""
    return len(versions[1]) // GROUP + 1


def test_interrupt_from_the_keyboard_ends_children_too(pair_of, versions):
    """Whatever stops the maker, nothing is left behind but finished work."""

    def interrupt(_):
        raise KeyboardInterrupt

    pair = pair_of(*versions)
    with pytest.raises(KeyboardInterrupt):
        pair.make(QUICK, Watching(interrupt))

    assert {path.name for path in pair.target.parent.iterdir()} == {"old.img", "new.img", "delta.work"}


KILLED = """
import os, signal, sys
from pathlib import Path
from dataclasses import replace
from bridge.delta.effort import TRIALS, Effort
from bridge.delta.making import Making, make_delta
from bridge.delta.progress import Silence

TRIALS[Effort.FAST] = replace(TRIALS[Effort.FAST], group=100_000, small=100_000)

class Dying(Silence):
    def begin(self, phase, total):
        if phase == sys.argv[4]:
            os.kill(os.getpid(), signal.SIGKILL)
    def advance(self, count):
        if sys.argv[4] == "middle" and any(Path(sys.argv[3] + ".work").glob("*.group")):
            os.kill(os.getpid(), signal.SIGKILL)

make_delta(*map(Path, sys.argv[1:4]), Making(Effort.FAST, 2), Dying())
"""


@pytest.mark.parametrize("moment", ["middle", "code"])
def test_killed_maker_is_resumed(pair_of, versions, monkeypatch, moment):
    """SIGKILL in the middle: the next run uses the finished groups, sweeps the rest, and makes the same bytes."""
    pair = pair_of(*versions)
    command = [sys.executable, "-c", KILLED, pair.old, pair.new, pair.target, moment]
    ended = subprocess.run(command, check=False, timeout=120)
    compared = counted(monkeypatch)
    again = pair.make(QUICK)
    finished = len(compared)
    fresh = make_delta(pair.old, pair.new, pair.target.with_name("other"), QUICK)

    assert ended.returncode == -signal.SIGKILL
    assert finished < len(compared) - finished
    assert again == fresh
    assert {path.name for path in pair.target.parent.iterdir()} == {"old.img", "new.img", "delta", "other"}


def damage_tail(path):
    path.write_bytes(path.read_bytes()[:-1])


def damage_byte(path):
    data = bytearray(path.read_bytes())
    data[-9] ^= 1
    path.write_bytes(data)


def empty(path):
    path.write_bytes(b"")


def swap(path):
    """Another group's result under this name."""
    other = next(item for item in path.parent.glob("*.group") if item != path)
    path.write_bytes(other.read_bytes())


@pytest.mark.parametrize("damage", [damage_tail, damage_byte, empty, swap])
def test_damaged_work_is_made_anew(pair_of, versions, damage):
    """Torn, altered, or of another group: no wrong byte comes of it."""
    pair = pair_of(*versions)
    whole = pair.make(QUICK)
    with pytest.raises(MakingCancelled):
        pair.make(QUICK, seen := Watching(), cancelled=lambda: bool(seen.phases) and seen.phases[-1][0] == "code")
    for path in (pair.target.parent / "delta.work").glob("*.group"):
        damage(path)

    assert pair.make(QUICK) == whole


def test_work_of_others_is_left_alone(pair_of, tmp_path):
    """A folder that somebody named holds other things: they are not touched."""
    folder = tmp_path / "shared"
    folder.mkdir()
    (folder / "notes.txt").write_text("mine")
    pair = pair_of(program(1, 50_000), program(1, 50_000, 64))
    pair.make(Making(Effort.FAST, work=folder))

    assert [path.name for path in folder.iterdir()] == ["notes.txt"]


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("output", r"delta .*delta cannot be written: no space left in .*; free some, or give another --out"),
        (
            "work",
            r"work on the delta cannot be kept in .*delta\.work: no space left; free some, or give another folder",
        ),
    ],
)
def test_full_disk_is_told_and_nothing_is_left(pair_of, versions, monkeypatch, where, message):
    """No payload, no half of one, no stray file; what is finished stays for the next run."""

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    pair = pair_of(*versions)
    monkeypatch.setattr(*((os, "fsync") if where == "output" else (work.Path, "write_bytes")), full)

    with pytest.raises(UsageError, match=message):
        pair.make(QUICK)
    assert {path.name for path in pair.target.parent.iterdir()} - {"delta.work"} == {"old.img", "new.img"}
    assert not list(pair.target.parent.glob("delta.work/*.partial"))


@pytest.mark.parametrize("missing", ["old", "new"])
def test_images_that_cannot_be_read_are_named(pair_of, missing):
    """Missing, or empty, or a folder."""
    pair = pair_of(b"old", b"new")
    path = getattr(pair, missing)
    path.write_bytes(b"")
    with pytest.raises(UsageError, match=rf"image .*{missing}\.img has 0 bytes; 1 to"):
        pair.make(QUICK)
    path.unlink()
    with pytest.raises(UsageError, match=rf"image .*{missing}\.img cannot be read: No such file"):
        pair.make(QUICK)
    path.mkdir()
    with pytest.raises(UsageError, match=rf"image .*{missing}\.img is neither a file nor a block device"):
        pair.make(QUICK)


@pytest.mark.parametrize("phase", ["match", "difference", "code"])
def test_image_that_changes_meanwhile_is_told(pair_of, phase):
    """Whenever it is written to: no payload of a mixture."""
    pair = pair_of(program(1, 300_000), program(1, 300_000, 64))

    class Writing(Silence):
        def begin(self, name, _):
            if name == phase:
                with pair.new.open("r+b") as image:
                    image.write(b"written")
                os.utime(pair.new, ns=(1, 1))

    with pytest.raises(UsageError, match=r"new\.img changed while it was read; start again once"):
        pair.make(QUICK, Writing())
    assert not pair.target.exists()

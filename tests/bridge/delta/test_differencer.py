"""bsdiff can crash, hang or eat memory; the maker outlives it, and uses new bytes instead."""

from __future__ import annotations

import os
import signal
import threading
from dataclasses import replace

import pytest
from bsdiff4 import core

from bridge.delta.child import stretched
from bridge.delta.comparing import SENTINEL, compare
from bridge.delta.differencer import DEFAULT_BOUNDS, Differencer, children
from bridge.delta.effort import TRIALS
from bridge.delta.pieces import NEW, Extents, column
from tests.bridge.delta.pairs import noise, program

PLANTED = """
import os, signal, sys
data = sys.stdin.buffer.read(24)
{act}
"""
"""A child that reads a task and then does something else."""


def whole(image):
    """All of it."""
    return Extents(column([0]), column([image.length]))


def test_child_gives_what_bsdiff_gives():
    """The same triples of the stretched bytes, task after task, from one process."""
    old, new = program(1, 50_000), program(1, 50_000, 64)
    with children() as differencer:
        for a, b in ((old, new), (new, old), (b"", old), (old, b"")):
            assert differencer.triples(a, b) == core.diff(a, b)[0]
            for stretch in (1, 2, 3):
                assert differencer.triples(a, b, stretch) == core.diff(stretched(a, stretch), stretched(b, stretch))[0]
        assert len(differencer._all) == 1


def deep(count=20_000):
    """Records with numbers such that the pivot, which is taken from the middle, is always the largest: bsdiff's sorting
    recurses once for each. The digits occur nowhere else, also turned round."""
    places, numbers = list(range(count)), [0] * count
    for left in range(count, 0, -1):
        numbers[places[left // 2]] = left
        places[left // 2] = places[left - 1]
    return b"".join(b"abcdefgh" + bytes(16 + (number >> bits & 15) for bits in (12, 8, 4, 0)) for number in numbers)


HAZARDS = {
    "stack": ({"stack": 128 << 10}, deep),
    "memory": ({"memory": 150 << 20}, lambda: noise(1, 9 << 20)),
    "time": ({"seconds": 0.3}, lambda: bytes(1 << 20)),
}


@pytest.mark.parametrize("stretch", [1, 2, 3])
@pytest.mark.parametrize("hazard", HAZARDS)
def test_hazards_end_the_child_and_not_the_maker(hazard, stretch):
    """Deep recursion in the sorting, memory of eighteen times the window, and a run that takes quadratic time: the
    task has no result, and the next one has."""
    bounds, window = HAZARDS[hazard]
    with children(replace(DEFAULT_BOUNDS, **bounds)) as differencer:
        assert differencer.triples(window(), bytes(1 << 20), stretch) is None
        assert differencer.triples(b"small" * 9, b"small" * 8, stretch) is not None


QUADRATIC = 1.0
"""Seconds of CPU, several times what the runs below take behind a sentinel, and several times less than without."""


@pytest.mark.parametrize("stretch", [1, 2, 3])
@pytest.mark.parametrize("run", [b"\0", b"\0\xff"], ids=["one byte", "two, turned round"])
def test_hazards_are_recognised_before_they_cost_anything(run, stretch):
    """A run that ends with its window makes bsdiff quadratic; behind a sentinel, which is stretched with it, it takes
    no time: limits that would kill the child are not met."""
    run *= (1 << 19) // len(run)
    with children(replace(DEFAULT_BOUNDS, seconds=QUADRATIC)) as differencer:
        assert differencer.triples(run, run, stretch) is None
        assert differencer.triples(run + SENTINEL, run, stretch) is not None


def test_largest_usual_windows_stay_far_below_the_memory_granted():
    """4 MiB as far stretched as any effort does, with a group of 1 MiB: a quarter of the bounds is enough, whatever
    the bytes."""
    stretch = max(stretch for trial in TRIALS.values() for stretch in trial.stretches)
    with children(replace(DEFAULT_BOUNDS, memory=DEFAULT_BOUNDS.memory // 4)) as differencer:
        assert differencer.triples(bytes(4 << 20) + SENTINEL, bytes(1 << 20), stretch)


@pytest.mark.parametrize(
    "act",
    [
        "os.kill(os.getpid(), signal.SIGKILL)",
        "os.kill(os.getpid(), signal.SIGSEGV)",
        "raise MemoryError",
        "sys.stdout.buffer.write(bytes(7)); sys.stdout.flush()",
        "sys.stdout.buffer.write(bytes([9] + [0] * 15)); sys.stdout.flush()",
        "os.close(0)",
    ],
)
def test_group_whose_child_dies_is_new_bytes(images_of, tmp_path, act):
    """Killed, out of memory, or silent in the middle of its answer: the run goes on, and it is counted."""
    program_of_child = tmp_path / "child.py"
    program_of_child.write_text(PLANTED.format(act=act))
    images = images_of(noise(1, 5000), noise(1, 5000)[100:])
    differencer = Differencer(program=program_of_child)
    try:
        found = compare(whole(images.new), (whole(images.old), whole(images.old)), images, differencer)
    finally:
        differencer.close()

    assert found.gave_up == 2
    assert found.pieces.rows() == [(0, 4900, NEW)]


def test_of_two_windows_the_one_that_gives_less_is_taken(images_of):
    """And one that cannot be compared does not spoil the other."""
    images = images_of(noise(2, 5000) + noise(3, 5000), noise(3, 5000))
    far, near = Extents(column([0]), column([5000])), Extents(column([5000]), column([10_000]))
    with children() as differencer:
        found = compare(whole(images.new), (far, near), images, differencer)

    assert found.pieces.rows() == [(0, 5000, 5000)]


def test_child_that_dies_while_idle_is_replaced():
    """Somebody tidied up: the task that meets a dead child has no result, later ones have."""
    with children() as differencer:
        assert differencer.triples(b"abc", b"abc")
        (process,) = differencer._all
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert differencer.triples(b"abc", b"abc") is None
        assert differencer.triples(b"abc", b"abc")


def test_closing_ends_children_at_work():
    """Whoever waits for one gets no result, soon."""
    results = []
    with children() as differencer:
        thread = threading.Thread(target=lambda: results.append(differencer.triples(bytes(4 << 20), bytes(4 << 20))))
        thread.start()
        while not differencer._all:
            threading.Event().wait(0.01)
        running = list(differencer._all)
    thread.join()

    assert results == [None]
    assert all(process.returncode is not None for process in running)
    with pytest.raises(RuntimeError, match="closed"):
        differencer.triples(b"abc", b"abc")

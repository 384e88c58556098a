"""Every peer that is on this machine makes a patch of two small files and gives the new one back."""

from __future__ import annotations

import random

import pytest

from benchmarks.delta import ours
from benchmarks.delta.judging import Measured
from benchmarks.delta.measuring import Cost, Limits
from benchmarks.delta.pairs import Mark, Pair
from benchmarks.delta.peers import PEERS, XZ
from benchmarks.delta.results import Results
from benchmarks.delta.running import Runner, Work
from benchmarks.delta.tools import Absent, Outcome, Tool, use

TOOLS = (XZ, *PEERS, ours.FULL, ours.delta("default"), ours.delta("fast"))
COPY = Tool("copy", ("cp", "{new}", "{patch}"), ("cp", "{patch}", "{new}"), lambda: "1")


@pytest.fixture
def images(tmp_path):
    """An image of 64 KiB, half of it noise, and the next one: a byte in each block changed, and one block moved."""
    old = bytearray(random.Random(1).randbytes(32 << 10) + b"firmware" * (4 << 10))
    new = bytearray(old[8192:16384] + old[:8192] + old[16384:])
    new[::4096] = b"!" * len(new[::4096])
    (tmp_path / "old").write_bytes(old)
    (tmp_path / "new").write_bytes(new)
    return tmp_path / "old", tmp_path / "new"


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.name)
def test_a_tool_gives_the_image_back(tool, images):
    """With a size and with what both steps took."""
    try:
        version = tool.version()
    except Absent as reason:
        pytest.skip(str(reason))
    outcome = use(tool, *images, Limits())

    assert version
    assert outcome.reason == ""
    assert 0 < outcome.size < 80 << 10
    assert all(isinstance(cost, Cost) and cost.peak > 0 for cost in (outcome.make, outcome.apply))


def test_a_tool_that_gives_another_image_back_has_not_done_it(images):
    """The outcome is compared byte for byte, whatever the exit codes say."""
    wrong = Tool("wrong", COPY.make, ("cp", "{old}", "{new}"), COPY.version)

    assert use(wrong, *images, Limits()).reason == "apply: another image came out"


@pytest.mark.parametrize(
    ("make", "apply", "reason"),
    [
        (("sh", "-c", "echo no room >&2; exit 1"), COPY.apply, "make: no room"),
        (COPY.make, ("sh", "-c", "echo damaged >&2; exit 1"), "apply: damaged"),
    ],
)
def test_a_tool_that_fails_says_where(make, apply, reason, images):
    """The reason begins with the step."""
    assert use(Tool("bad", make, apply, COPY.version), *images, Limits()).reason == reason


class Heard:
    """Counts runs."""

    def __init__(self) -> None:
        self.runs: list[str] = []

    def __call__(self, pair: str, tool: str, outcome: Outcome | None) -> None:
        if outcome is not None:
            self.runs.append(f"{pair}: {tool}")


def measured(images, folder, tools, limits=None, **settings) -> tuple[Measured, list[str]]:
    heard = Heard()
    pair = Pair("small", Mark.GIVEN, "given", "old", "new")
    runner = Runner(Results(folder / "results"), limits or Limits(), tools, folder / "scratch", heard, **settings)
    return runner.measure(Work(pair, *images)), heard.runs


def test_an_interrupted_run_goes_on(images, tmp_path):
    """What was measured once is not measured again; the report is the same."""
    first, _ = measured(images, tmp_path, [COPY])
    again, runs = measured(images, tmp_path, [COPY, XZ])

    assert runs == [f"small: {XZ.name}"]
    assert again.outcomes["copy"] == first.outcomes["copy"]


def test_a_failure_is_tried_again_under_other_limits(images, tmp_path):
    """More room may help; the same room does not."""
    slow = Tool("slow", ("sleep", "2"), COPY.apply, COPY.version)
    _, first = measured(images, tmp_path, [slow], Limits(wall=1))
    _, same = measured(images, tmp_path, [slow], Limits(wall=1))
    _, other = measured(images, tmp_path, [slow], Limits(wall=3))

    assert (first, same, other) == (["small: slow"], [], ["small: slow"])


def test_a_new_version_or_another_command_is_measured(images, tmp_path):
    """What another program did proves nothing."""
    measured(images, tmp_path, [COPY])
    newer = Tool(COPY.name, COPY.make, COPY.apply, lambda: "2")
    slower = Tool(COPY.name, ("cp", "-f", *COPY.make[1:]), COPY.apply, COPY.version)

    assert measured(images, tmp_path, [newer])[1] == ["small: copy"]
    assert measured(images, tmp_path, [slower])[1] == ["small: copy"]


def test_a_tool_that_is_absent_is_skipped_by_name(images, tmp_path):
    """The others are measured all the same."""

    def nowhere() -> str:
        raise Absent("no program nowhere")

    result, runs = measured(images, tmp_path, [Tool("nowhere", (), (), nowhere), COPY])

    assert (result.absent, runs) == ({"nowhere": "no program nowhere"}, ["small: copy"])


def test_a_report_of_what_is_kept_runs_nothing(images, tmp_path):
    """`--kept`."""
    result, runs = measured(images, tmp_path, [COPY], kept_only=True)

    assert (dict(result.outcomes), runs) == ({}, [])

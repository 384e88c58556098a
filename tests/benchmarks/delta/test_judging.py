"""When ours is behind, and what the last line counts."""

from __future__ import annotations

import pytest

from benchmarks.delta import ours
from benchmarks.delta.judging import Measured, judge
from benchmarks.delta.measuring import Cost
from benchmarks.delta.pairs import Mark
from benchmarks.delta.peers import PEERS, XZ
from benchmarks.delta.table import behind, last_line, report
from benchmarks.delta.tools import Outcome

PEER, OTHER = PEERS[0].name, PEERS[1].name
NAMES = frozenset(tool.name for tool in PEERS)


def did(size: int, megabytes: float = 20) -> Outcome:
    """A tool that made a patch of `size` bytes and took so much to apply it."""
    return Outcome(size, Cost(1.0, 10**8), Cost(0.5, int(megabytes * 10**6)))


def pair(outcomes: dict[str, Outcome], mark: Mark = Mark.HELD_OUT, absent: dict[str, str] | None = None) -> Measured:
    return Measured("kernel", mark, "a kernel", 5000, 6000, outcomes, absent or {})


@pytest.mark.parametrize(
    ("mine", "faults"),
    [
        (did(900), ()),
        (did(1005), ()),
        (did(1006), ("+0.6%",)),
        (did(900, megabytes=64), ()),
        (did(900, megabytes=64.1), ("64 MB to apply",)),
        (did(2000, megabytes=100), ("+100.0%", "100 MB to apply")),
        (Outcome(reason="make: over 300 s"), ("make: over 300 s",)),
        (Outcome(900, Cost(1, 1), reason="apply: another image came out"), ("apply: another image came out",)),
    ],
)
def test_what_makes_ours_fall_behind(mine, faults):
    """More than 0.5 % over the smallest peer, more than 64 MB to apply, or no image at all."""
    verdict = judge(pair({ours.NAME: mine, PEER: did(1000), OTHER: did(5000)}), NAMES)

    assert (verdict.peer, verdict.size, verdict.faults) == (PEER, 1000, faults)


def test_a_peer_that_gave_another_image_is_no_measure():
    """Its small patch does not count, and neither does the full image."""
    wrong = Outcome(10, Cost(1, 1), Cost(1, 1), reason="apply: another image came out")
    verdict = judge(pair({ours.NAME: did(900), PEER: wrong, OTHER: did(1000), XZ.name: did(20)}), NAMES)

    assert (verdict.peer, verdict.behind) == (OTHER, False)


@pytest.mark.parametrize("outcomes", [{PEER: did(1000)}, {ours.NAME: did(900)}], ids=["ours was not run", "no peer"])
def test_without_both_there_is_no_verdict(outcomes):
    """Such a pair counts neither as won nor as lost, and the summary says so."""
    measured = [pair(outcomes)]

    assert last_line(measured) == "delta: pairs 0, behind: 0"
    assert "not judged" in "\n".join(report(measured, {}, {}))


def test_the_last_line_counts_pairs_and_those_behind():
    """What `make bench-delta` ends with, and what its exit code follows."""
    good = pair({ours.NAME: did(900), PEER: did(1000)})
    bad = pair({ours.NAME: did(1100), PEER: did(1000)})

    assert list(report([good, bad, good], {}, {}))[-1] == "delta: pairs 3, behind: 1"
    assert behind([good, bad, good]) == 1


def test_the_summary_says_which_pairs_were_tuned_on():
    """A reader sees at once which rows prove something."""
    rows = [pair({ours.NAME: did(900), PEER: did(1000), XZ.name: did(3000)}, mark) for mark in reversed(Mark)]
    lines = list(report(rows, {}, {}))

    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines[2:6]]
    assert [row[1] for row in cells] == ["tuned", "research", "held out", "given"]
    assert cells[0] == ["kernel", "tuned", "a kernel", "6,000", "3,000", "900", "30.0%", PEER, "1,000", "-10.0%", ""]


def test_what_did_not_finish_or_is_missing_is_named():
    """DNF with its reason, tools that are not here, pairs that cannot be built."""
    outcomes = {ours.NAME: did(900), PEER: did(1000), OTHER: Outcome(reason="make: SIGSEGV after 134 s of CPU")}
    text = "\n".join(report([pair(outcomes, absent={"rdiff": "no program rdiff"})], {"mods": "linux 6.1 left"}, {}))

    assert "DNF, make: SIGSEGV after 134 s of CPU" in text
    assert "skipped: no program rdiff" in text
    assert "Skipped mods: linux 6.1 left." in text


def test_tools_stand_in_the_order_of_their_sizes():
    """Smallest first, ours in bold among them, what did not finish last."""
    outcomes = {OTHER: Outcome(reason="make: no"), XZ.name: did(3000), PEER: did(800), ours.NAME: did(900)}
    lines = list(report([pair(outcomes)], {}, {}))
    table = lines[lines.index("### kernel (held out): a kernel, 5,000 to 6,000 bytes") + 4 :]

    assert [line.split("|")[1].strip() for line in table[:4]] == [PEER, f"**{ours.NAME}**", XZ.name, OTHER]

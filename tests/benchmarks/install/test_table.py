"""The tables and the verdict of `benchmarks.install`."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.install.caches import Temperature
from benchmarks.install.contestant import Checks
from benchmarks.install.rounds import Skipped
from benchmarks.install.table import aligned, fastest_peer, judge, ratio, render

ROUNDS = {
    "limit": [1.0, 2.0, 4.0],
    "ours": [1.2, 2.4, 4.8],
    "quick": [1.5, 3.0, 6.0],
    "slow": [3.0, 6.0, 9.0],
    "careless": [0.5, 0.5, 0.5],
}


def test_a_ratio_compares_what_was_measured_in_the_same_round(results):
    """A machine that was four times slower in the last round than in the first changes no ratio."""
    rows = {row.name: row for row in results(ROUNDS).at(Temperature.COLD)}
    assert ratio(rows["ours"], rows["limit"]) == pytest.approx(1.2)


def test_the_fastest_peer_is_one_that_verifies(results):
    """A peer that checks nothing is no measure, however fast it is; nor are the limit and ourselves."""
    assert fastest_peer(results(ROUNDS), Temperature.COLD).name == "quick"


@pytest.mark.parametrize(
    ("ours", "holds", "said"),
    [
        ([1.2, 2.4, 4.8], True, "install: full 1.20 x the limit, 0.80 x the fastest verifying peer (quick)"),
        ([1.4, 2.8, 5.6], False, "install: full 1.40 x the limit, 0.93 x the fastest verifying peer (quick)"),
    ],
)
def test_the_verdict_tells_both_ratios(results, ours, holds, said):
    """1.3 times the limit is the most that a full install may take."""
    verdict = judge(results({**ROUNDS, "ours": ours}), "ours", "limit")
    assert (verdict.holds, str(verdict)) == (holds, said)


def test_slower_than_a_verifying_peer_fails_within_the_limit(results):
    """The peer binds even where the limit is kept."""
    verdict = judge(results({**ROUNDS, "quick": [1.0, 2.0, 4.0]}), "ours", "limit")
    assert not verdict.holds
    assert str(verdict).endswith("1.20 x the fastest verifying peer (quick)")


def test_the_worse_temperature_decides(results):
    """A cold cache that hides what the hot one shows does not help."""
    verdict = judge(results(ROUNDS, {**ROUNDS, "ours": [2.0, 4.0, 8.0]}), "ours", "limit")
    assert str(verdict) == "install: full 2.00 x the limit, 1.33 x the fastest verifying peer (quick)"


def test_without_a_verifying_peer_nothing_is_proved(results):
    """A machine on which no peer runs gives no pass."""
    alone = {name: ROUNDS[name] for name in ("limit", "ours", "careless")}
    verdict = judge(results(alone), "ours", "limit")
    assert not verdict.holds
    assert str(verdict) == "install: full 1.20 x the limit, no verifying peer ran"


def test_the_tables_show_medians_spread_ratios_and_who_was_left_out(results):
    """One table a temperature, one of the tools, and a line for each that was skipped."""
    made = results(ROUNDS)
    skipped = (Skipped("absent", "no program absent here"),)
    lines = list(render(type(made)(made.facts, made.rows, skipped), "limit"))
    ours = next(line for line in lines if line.startswith("ours"))
    assert ours.split() == ["ours", "2.40", "(1.20-4.80)", "1.00", "(1.00-1.00)", "50", "1.20", "0.80"]
    assert [line.split()[0] for line in lines if line.startswith(("cold", "hot", "tool "))] == ["cold", "hot", "tool"]
    assert lines[-1] == "skipped: absent: no program absent here"


def test_a_tool_that_does_not_sync_is_charged_for_it(results):
    """The table says how long making its slot durable took; a tool that syncs is not asked."""
    made = results(ROUNDS)
    careless = replace(made.facts[-1], checks=Checks(synced=False))
    lines = list(render(replace(made, facts=(*made.facts[:-1], careless)), "limit"))
    assert lines[-1].endswith("no: 0.25 s added")
    assert lines[-2].endswith("yes")


def test_columns_are_as_wide_as_their_longest_cell():
    """And no line ends in blanks."""
    assert list(aligned([("a", "bb", "c"), ("aaa", "b", "")])) == ["a    bb  c", "aaa  b"]

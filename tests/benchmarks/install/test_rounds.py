"""Who is measured when."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from benchmarks.install.caches import Temperature
from benchmarks.install.contestant import Checks, Facts, Session, Spent
from benchmarks.install.measuring import Cost
from benchmarks.install.programs import Unavailable
from benchmarks.install.rounds import Skipped, play, turns


@dataclass
class Played:
    name: str
    artifact: Path = Path("artifact")
    sources: tuple[Path, ...] = ()
    slot: Path = Path("slot")

    @property
    def facts(self):
        return Facts(self.name, "", "", "", Checks())

    def session(self):
        return nullcontext(Session(Spent))


def plain(_contestant, _temperature):
    return Cost(Spent(2.0, 1.0), Spent(), 0.0, 1)


def test_each_round_begins_with_another_one():
    """So that nobody always follows the same predecessor's writes."""
    assert list(turns(3, 2)) == [(0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (1, 0)]


def test_everybody_has_one_figure_a_round_at_each_temperature():
    """Ratios are taken within a round, so none may be missing."""
    results = play([Played("a"), Played("b")], 3, plain, lambda _: None)
    assert [(row.name, row.temperature, len(row.costs)) for row in results.rows] == [
        ("a", Temperature.COLD, 3),
        ("a", Temperature.HOT, 3),
        ("b", Temperature.COLD, 3),
        ("b", Temperature.HOT, 3),
    ]


def test_one_that_fails_is_out_with_its_proof_and_the_others_go_on():
    """Even when it fails in the second round: half a row would be compared with whole ones."""
    seen = []

    def measure(contestant, temperature):
        seen.append(contestant.name)
        if contestant.name == "a" and seen.count("a") == 3:
            raise Unavailable("a ended with 1: no device")
        return plain(contestant, temperature)

    results = play([Played("a"), Played("b")], 3, measure, lambda _: None)
    assert {row.name for row in results.rows} == {"b"}
    assert [each.name for each in results.facts] == ["b"]
    assert results.skipped == (Skipped("a", "a ended with 1: no device"),)
    assert seen.count("a") == 3


def test_what_reads_the_slot_back_has_a_second_row_without_that_part():
    """Others do not read back: both figures are shown."""

    def measure(_contestant, _temperature):
        return Cost(Spent(2.0, 1.0), Spent(0.5, 0.25), 0.0, 7)

    results = play([Played("a")], 1, measure, lambda _: None)
    shorter = results.at(Temperature.HOT)[1]
    assert shorter.name == "a, without the last reading"
    assert shorter.costs[0].spent == Spent(1.5, 0.75)
    assert shorter.costs[0].peak == 7

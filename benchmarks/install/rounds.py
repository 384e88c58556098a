"""All contestants take turns, so that whatever else the machine does meets each of them alike."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from benchmarks.install.caches import Temperature
from benchmarks.install.contestant import Contestant, Facts, Spent
from benchmarks.install.measuring import Cost
from benchmarks.install.programs import Unavailable

WITHOUT_READ_BACK = ", without the last reading"
Measure = Callable[[Contestant, Temperature], Cost]


@dataclass(frozen=True, slots=True)
class Row:
    """One contestant at one temperature; `costs[i]` was measured in round i, as those of all others."""

    name: str
    temperature: Temperature
    costs: tuple[Cost, ...]


@dataclass(frozen=True, slots=True)
class Skipped:
    """A contestant that could not do its part, and the proof."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Results:
    """Everything that the tables say."""

    facts: tuple[Facts, ...]
    rows: tuple[Row, ...]
    skipped: tuple[Skipped, ...]

    def at(self, temperature: Temperature) -> tuple[Row, ...]:
        """The rows measured at `temperature`."""
        return tuple(row for row in self.rows if row.temperature is temperature)


def turns(count: int, rounds: int) -> Iterator[tuple[int, int]]:
    """Pairs of round and contestant; each round begins with another one."""
    for number in range(rounds):
        for place in range(count):
            yield number, (number + place) % count


def play(contestants: Sequence[Contestant], rounds: int, measure: Measure, say: Callable[[str], None]) -> Results:
    """Measure all in turns, at both temperatures; one that fails once is out, with its reason."""
    costs: dict[tuple[str, Temperature], list[Cost]] = {}
    out: dict[str, str] = {}
    for number, place in turns(len(contestants), rounds):
        contestant = contestants[place]
        name = contestant.facts.name
        if name not in out:
            say(f"round {number + 1} of {rounds}: {name}")
            try:
                for temperature in Temperature:
                    costs.setdefault((name, temperature), []).append(measure(contestant, temperature))
            except Unavailable as reason:
                out[name] = str(reason)
    rows = tuple(Row(name, each, tuple(seen)) for (name, each), seen in costs.items() if name not in out)
    facts = tuple(contestant.facts for contestant in contestants if contestant.facts.name not in out)
    ordered = sorted(rows, key=lambda row: [each.name for each in facts].index(row.name))
    skipped = tuple(Skipped(name, reason) for name, reason in out.items())
    return Results(facts, tuple(_with_shorter(ordered)), skipped)


def _with_shorter(rows: Sequence[Row]) -> Iterator[Row]:
    """Each row, and for what reads the slot back another without that part."""
    for row in rows:
        yield row
        if any(cost.read_back.wall for cost in row.costs):
            yield Row(row.name + WITHOUT_READ_BACK, row.temperature, tuple(map(_not_reading_back, row.costs)))


def _not_reading_back(cost: Cost) -> Cost:
    spent = Spent(cost.spent.wall - cost.read_back.wall, cost.spent.cpu - cost.read_back.cpu)
    return Cost(spent, Spent(), cost.left_unsynced, cost.peak)

"""The tables as text, and the verdict."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from benchmarks.install.caches import Temperature
from benchmarks.install.contestant import Facts
from benchmarks.install.rounds import Results, Row

MIB = 1 << 20
MOST_OF_LIMIT = 1.3
"""What a full install may take, as a multiple of the limit."""
MOST_OF_PEER = 1.0
"""And as a multiple of the fastest peer that verifies."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """How the full install stands at its worse temperature. `peer` is "" when none that verifies could run."""

    of_limit: float
    of_peer: float
    peer: str

    @property
    def holds(self) -> bool:
        """Whether both bars are met; without a peer to compare with, they are not."""
        return bool(self.peer) and self.of_limit <= MOST_OF_LIMIT and self.of_peer <= MOST_OF_PEER

    def __str__(self) -> str:
        peer = (
            f"{self.of_peer:.2f} x the fastest verifying peer ({self.peer})" if self.peer else "no verifying peer ran"
        )
        return f"install: full {self.of_limit:.2f} x the limit, {peer}"


def ratio(row: Row, base: Row) -> float:
    """The median over the rounds of how many times as long `row` took."""
    pairs = zip(row.costs, base.costs, strict=True)
    return statistics.median(one.spent.wall / other.spent.wall for one, other in pairs)


def fastest_peer(results: Results, temperature: Temperature) -> Row | None:
    """The peer that verifies with the least median time."""
    names = {facts.name for facts in results.facts if facts.is_peer and facts.checks.verifies}
    return min((row for row in results.at(temperature) if row.name in names), key=_wall, default=None)


def judge(results: Results, full: str, limit: str) -> Verdict:
    """`full` and `limit` are names of rows. Raises: KeyError when one of them could not be measured."""
    verdicts = [_judge_at(results, temperature, full, limit) for temperature in Temperature]
    worst = max(verdicts, key=lambda verdict: verdict.of_peer)
    return Verdict(max(verdict.of_limit for verdict in verdicts), worst.of_peer, worst.peer)


def _judge_at(results: Results, temperature: Temperature, full: str, limit: str) -> Verdict:
    rows = {row.name: row for row in results.at(temperature)}
    peer = fastest_peer(results, temperature)
    of_peer = 0.0 if peer is None else ratio(rows[full], peer)
    return Verdict(ratio(rows[full], rows[limit]), of_peer, "" if peer is None else peer.name)


def render(results: Results, limit: str) -> Iterator[str]:
    """All tables, line by line."""
    for temperature in Temperature:
        yield from _costs(results, temperature, limit)
        yield ""
    yield from aligned([TOOLS, *(_tool(facts, results) for facts in results.facts)])
    for skipped in results.skipped:
        yield f"skipped: {skipped.name}: {skipped.reason}"


COSTS = ("{}", "wall s", "(spread)", "CPU s", "(spread)", "peak MiB", "x limit", "x peer")
TOOLS = ("tool", "version", "image from", "packing", "checks before", "while writing", "after writing", "syncs")


def _costs(results: Results, temperature: Temperature, limit: str) -> Iterator[str]:
    rows = results.at(temperature)
    bases = [next((row for row in rows if row.name == limit), None), fastest_peer(results, temperature)]
    head = (COSTS[0].format(temperature), *COSTS[1:])
    yield from aligned([head, *((*_figures(row), *(_times(row, base) for base in bases)) for row in rows)])


def _figures(row: Row) -> tuple[str, ...]:
    wall, cpu = [cost.spent.wall for cost in row.costs], [cost.spent.cpu for cost in row.costs]
    peak = statistics.median(cost.peak for cost in row.costs) / MIB
    return row.name, *_spread(wall), *_spread(cpu), f"{peak:.0f}"


def _spread(values: Sequence[float]) -> tuple[str, str]:
    return f"{statistics.median(values):.2f}", f"({min(values):.2f}-{max(values):.2f})"


def _times(row: Row, base: Row | None) -> str:
    return "-" if base is None else f"{ratio(row, base):.2f}"


def _tool(facts: Facts, results: Results) -> tuple[str, ...]:
    checks = facts.checks
    said = (words or "-" for words in (checks.before, checks.meanwhile, checks.after))
    left = statistics.median(cost.left_unsynced for row in results.rows if row.name == facts.name for cost in row.costs)
    syncs = "yes" if checks.synced else f"no: {left:.2f} s added"
    return facts.name, facts.version, facts.delivery, facts.packing, *said, syncs


def _wall(row: Row) -> float:
    return statistics.median(cost.spent.wall for cost in row.costs)


def aligned(lines: Iterable[Sequence[str]]) -> Iterator[str]:
    """Columns as wide as their longest cell."""
    rows = list(lines)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()

"""Results as `benchmarks.install` measures them, made up."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from benchmarks.install.caches import Temperature
from benchmarks.install.contestant import Checks, Facts, Spent
from benchmarks.install.measuring import Cost
from benchmarks.install.rounds import Results, Row

SIGNED = Checks(before="signature", meanwhile="sha256")
Times = dict[str, Sequence[float]]


def cost(wall: float, cpu: float = 1.0, peak: int = 50 << 20) -> Cost:
    return Cost(Spent(wall, cpu), Spent(), 0.25, peak)


def facts(name: str, checks: Checks = SIGNED, *, is_peer: bool = True) -> Facts:
    return Facts(name, "1.0", "a file", "zstd -19", checks, is_peer=is_peer)


@pytest.fixture
def results() -> Callable[..., Results]:
    """Results with the seconds of each round: `ours`, the `limit`, two peers that verify and one that does not."""

    def make(cold: Times, hot: Times | None = None) -> Results:
        times = {Temperature.COLD: cold, Temperature.HOT: hot or cold}
        rows = [
            Row(name, temperature, tuple(map(cost, seconds)))
            for temperature, table in times.items()
            for name, seconds in table.items()
        ]
        everybody = (
            facts("limit", Checks(), is_peer=False),
            facts("ours", is_peer=False),
            facts("quick"),
            facts("slow"),
            facts("careless", Checks()),
        )
        return Results(tuple(each for each in everybody if each.name in cold), tuple(rows), ())

    return make

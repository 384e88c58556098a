"""How the devices do that have the release, asked of the hub: with counts alone, however many devices there are.

Who has installed is known by what the device reports of its last stage, which outlives the stage.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from adapters.azure.fleet import conditions, queries
from adapters.azure.fleet.refusals import Refused, blaming
from adapters.azure.fleet.services import Services
from adapters.azure.fleet.standings import bytes_saved, number
from adapters.azure.wire import parse_standing
from bridge.fleet import HealthCount, Savings
from bridge.release.manifest import Release
from bridge.release.savings import most_saved, whole_bytes

MOST_STAGES = 80
"""Stages named in one query: their names have 63 characters."""


class Health:
    """Asks for one fleet. Raises: Refused, and what Azure's libraries raise."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def count(self, stages: Sequence[str], condition: str) -> HealthCount:
        """Four queries for up to `MOST_STAGES` stages. Raises: Refused, the condition is none."""
        why = conditions.fault(condition)
        if why is not None:
            raise Refused(f"the health condition {condition[: conditions.MOST_CHARACTERS]!r} {why}")
        updated, others = self._installed(stages), self._others(stages)
        with blaming(condition):
            bad, others_bad = self._installed(stages, f"({condition})"), self._others(stages, f"({condition})")
        return HealthCount(min(bad, updated), updated, min(others_bad, others), others)

    def watchdog_resets(self, stages: Sequence[str]) -> int:
        """Updated devices that report a reset; one query for up to `MOST_STAGES` stages."""
        return sum(self._services.twins.count(queries.was_reset(some)) for some in _runs(stages))

    def saved(self, stages: Sequence[str], release: Release) -> Savings:
        """What updated devices that run `release` still have saved; one query for up to `MOST_STAGES` stages."""
        most = most_saved(release)
        if not most:
            return Savings()
        asked = (queries.saved(some, release.sequence, most) for some in _runs(stages))
        rows = [row for query in asked for row in self._services.twins.rows(query)]
        saved = (whole_bytes(bytes_saved(row), number(row), most) for row in rows)
        return Savings(sum(map(number, rows)), sum(saved))

    def _installed(self, stages: Sequence[str], condition: str = "") -> int:
        asked = (queries.every(queries.installed(some), condition) for some in _runs(stages))
        return sum(self._services.twins.count(queries.counted(each)) for each in asked)

    def _others(self, stages: Sequence[str], condition: str = "") -> int:
        """Devices in none of the stages. Of very many stages the last are looked at for devices that did not begin:
        Device Update has 50 active deployments at most, so the earlier ones are closed, and hold none.
        """
        ours = frozenset(stages)
        rows = self._services.twins.rows(queries.elsewhere(stages[-MOST_STAGES:], condition))
        return sum(number(row) for row in rows if not _is_of(row.get("standing"), ours))


def _is_of(standing: object, stages: frozenset[str]) -> bool:
    found = parse_standing(standing)
    return found is not None and found.stage in stages


def _runs(stages: Sequence[str]) -> Iterator[Sequence[str]]:
    return (stages[start : start + MOST_STAGES] for start in range(0, len(stages), MOST_STAGES))

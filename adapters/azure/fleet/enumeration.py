"""The devices of a fleet: listed, or counted by hardware model without listing them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from adapters.azure.fleet import queries
from adapters.azure.fleet.memberships import belongs
from adapters.azure.fleet.refusals import blaming
from adapters.azure.fleet.selection import Selection
from adapters.azure.fleet.services import Services
from adapters.azure.fleet.standings import Row, number
from adapters.violations import BrokenLimits
from bridge.fleet import Census, Device
from bridge.release.bucket import BUCKETS, Buckets
from bridge.release.bucket import bucket as bucket_of
from bridge.release.details import one_line
from bridge.rollout.model import FleetPart

MOST_MODEL = 64
"""Characters of a model (Device Update limits, compatibility values)."""
ALL_BUCKETS = (Buckets(0, BUCKETS - 1),)


class Enumeration:
    """Lists and counts. Raises: BrokenLimits, Refused, and what Azure's libraries raise."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def devices(self, part: FleetPart, buckets: tuple[Buckets, ...]) -> Iterator[Device]:
        """The devices of `part`, each once, page after page; by the bucket that they report, or that their ids say."""
        reported = self._services.settings.by_bucket
        selection = _checked(Selection(part, buckets if reported else ()))
        seen: set[str] = set()
        for row in self._rows(selection):
            device = Device(str(row["deviceId"]), _model(row))
            placed = reported or not buckets or any(each.first <= bucket_of(device.id) <= each.last for each in buckets)
            if placed and device.id not in seen:
                seen.add(device.id)
                yield device

    def census(self, part: FleetPart, buckets: tuple[Buckets, ...], models: tuple[str, ...]) -> Census:
        """Counts by model; in four queries at most for a fleet whose devices report their buckets.

        Queries count a device that somebody moved out of the part's group while a stage had it for as long as the stage
        is open; a list does not.
        """
        if not self._services.settings.by_bucket:
            found = Counter(device.model for device in self.devices(part, buckets))
            return Census({model: count for model, count in found.items() if not models or model in models})
        whole = _checked(Selection(part, ALL_BUCKETS, models))
        counted = self._models(_checked(Selection(part, buckets or ALL_BUCKETS, models)))
        return Census(counted, self._unplaced(whole, sum(counted.values()) if not buckets else None))

    def _rows(self, selection: Selection) -> Iterator[Row]:
        group = selection.part.group
        with blaming(selection.part.query):
            for condition in selection.conditions():
                rows = self._services.twins.rows(queries.described(condition))
                yield from (row for row in rows if group is None or belongs(group, row))

    def _models(self, selection: Selection) -> dict[str, int]:
        counted: Counter[str] = Counter()
        with blaming(selection.part.query):
            for condition in selection.conditions():
                rows = tuple(self._services.twins.rows(queries.models(condition)))
                _add(counted, (row for row in rows if row.get("model") is not None))
                if any(row.get("model") is None for row in rows):
                    others = self._services.twins.rows(queries.agent_models(condition))
                    _add(counted, others)
        return dict(counted)

    def _unplaced(self, whole: Selection, placed: int | None) -> int:
        """Devices that report no bucket, or nonsense; a list places its devices by their ids."""
        if whole.part.devices is not None:
            return 0
        with blaming(whole.part.query):
            everybody = self._count(Selection(whole.part, (), whole.models))
            return max(0, everybody - (self._count(whole) if placed is None else placed))

    def _count(self, selection: Selection) -> int:
        return sum(self._services.twins.count(queries.counted(each)) for each in selection.conditions())


def _checked(selection: Selection) -> Selection:
    broken = tuple(selection.violations())
    if broken:
        raise BrokenLimits(broken)
    return selection


def _add(counted: Counter[str], rows: Iterable[Row]) -> None:
    for row in rows:
        counted[_text(row.get("model"))] += number(row)


def _model(row: Row) -> str:
    own = row.get("model")
    return _text(row.get("agentmodel") if own is None else own)


def _text(value: object) -> str:
    """A model as one short line: devices report what they like."""
    return "" if value is None else one_line(str(value), MOST_MODEL)

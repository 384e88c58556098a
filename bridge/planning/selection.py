"""How the stages of a plan take their devices out of one fleet: by name, or by ranges of buckets.

Both keep what earlier stages took. Named devices and counts are always lists; shares are lists where the fleet was
listed, and windows of positions where its cloud finds devices by bucket.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Protocol

from bridge.errors import UsageError
from bridge.fleet import Device, Fleet
from bridge.planning.cohort import ranges, ranked, share
from bridge.planning.planned import Cohort
from bridge.release.bucket import BUCKETS
from bridge.rollout.model import FleetPart

MAX_DEVICES = 1_000_000
"""Devices that one fleet may list; a cloud that lists more is misconfigured or hostile."""
SHOWN = 5
"""Devices that a message names."""
MARGIN = 8
"""Buckets looked at beyond what a count of devices needs on average."""


class UnknownDevices(UsageError):
    """Devices were named that the part of the fleet does not have."""


class Selection(Protocol):
    """The devices of one fleet's part, given out to one stage after the other."""

    @property
    def models(self) -> Mapping[str, int]:
        """How many devices of each hardware model the part has."""

    @property
    def unplaced(self) -> int:
        """Devices that report no bucket, and cannot be given out."""

    def named(self, devices: tuple[str, ...]) -> Cohort:
        """Test devices by name. Raises: UnknownDevices, naming those that the part does not have."""

    def share(self, percent: float, models: tuple[str, ...]) -> Cohort:
        """All up to `percent` (cumulative) of the devices of `models`, but for those given out."""

    def left(self, models: tuple[str, ...]) -> int:
        """How many devices of `models` were not given out."""

    def take(self, count: int, models: tuple[str, ...]) -> Cohort:
        """The next `count` devices of `models`."""


def _is_of(model: str, models: tuple[str, ...]) -> bool:
    return not models or model in models


def bounded(fleet: Fleet, devices: Iterable[Device]) -> dict[str, str]:
    """Ids with their models. Raises: UsageError for more than `MAX_DEVICES`."""
    found = {device.id: device.model for device in islice(devices, MAX_DEVICES + 1)}
    if len(found) > MAX_DEVICES:
        raise UsageError(
            f"fleet {fleet.name} lists more than {MAX_DEVICES} devices; name a group in the rollout file, or let the "
            "fleet select by bucket"
        )
    return found


class Listed:
    """A fleet whose devices were all listed. Calls of the cloud: the pages of the list."""

    def __init__(self, rollout: str, fleet: Fleet, part: FleetPart) -> None:
        self._name = fleet.name
        self._model = bounded(fleet, fleet.devices(part))
        self._order = ranked(rollout, self._model)
        self._taken: set[str] = set()
        self.models = Counter(self._model.values())
        self.unplaced = 0

    def named(self, devices: tuple[str, ...]) -> Cohort:
        """As `Selection`."""
        _require_known(self._name, devices, self._model)
        return self._give(device for device in devices if device not in self._taken)

    def share(self, percent: float, models: tuple[str, ...]) -> Cohort:
        """As `Selection`."""
        eligible = self._of(models)
        first = eligible[: share(percent, len(eligible))]
        return self._give(device for device in first if device not in self._taken)

    def left(self, models: tuple[str, ...]) -> int:
        """As `Selection`."""
        return sum(device not in self._taken for device in self._of(models))

    def take(self, count: int, models: tuple[str, ...]) -> Cohort:
        """As `Selection`."""
        return self._give(islice((device for device in self._of(models) if device not in self._taken), count))

    def _of(self, models: tuple[str, ...]) -> list[str]:
        return [device for device in self._order if _is_of(self._model[device], models)]

    def _give(self, devices: Iterable[str]) -> Cohort:
        chosen = tuple(devices)
        self._taken.update(chosen)
        return Cohort(self._name, chosen, models=Counter(self._model[device] for device in chosen))


class Bucketed:
    """A fleet whose cloud finds devices by bucket. Calls of the cloud: a few for each stage.

    A window may hold devices that an earlier stage named, or took for one model; they have the release and say so.
    """

    def __init__(self, rollout: str, fleet: Fleet, part: FleetPart) -> None:
        self._rollout = rollout
        self._fleet = fleet
        self._part = part
        census = fleet.census(part)
        self.models = census.models
        self.unplaced = census.unplaced
        self._ends: dict[tuple[str, ...], int] = {}
        self._taken: dict[str, str] = {}

    def named(self, devices: tuple[str, ...]) -> Cohort:
        """As `Selection`."""
        part = FleetPart(self._part.name, devices=devices)
        model = {device.id: device.model for device in self._fleet.devices(part)}
        _require_known(self._fleet.name, devices, model)
        chosen = tuple(device for device in devices if device not in self._taken)
        return self._give(chosen, model)

    def share(self, percent: float, models: tuple[str, ...]) -> Cohort:
        """As `Selection`."""
        first, end = self._ends.get(models, 0), share(percent, BUCKETS)
        self._ends[models] = max(first, end)
        buckets = ranges(self._rollout, first, end)
        if not buckets:
            return Cohort(self._fleet.name)
        census = self._fleet.census(self._part, buckets, models)
        return Cohort(self._fleet.name, (), buckets, sum(census.models.values()), census.models)

    def left(self, models: tuple[str, ...]) -> int:
        """As `Selection`; windows given out are taken for what they hold on average."""
        size = sum(count for model, count in self.models.items() if _is_of(model, models))
        named = sum(_is_of(model, models) for model in self._taken.values())
        return max(0, size * (BUCKETS - self._ends.get(models, 0)) // BUCKETS - named)

    def take(self, count: int, models: tuple[str, ...]) -> Cohort:
        """As `Selection`: the window that surely holds them is listed, and widened until it does."""
        first = self._ends.get(models, 0)
        width = max(1, count * BUCKETS // max(1, self.left(models))) + MARGIN
        while True:
            found = self._listed(first, min(BUCKETS, first + width), models)
            if len(found) >= count or first + width >= BUCKETS:
                break
            width *= 2
        chosen = tuple(ranked(self._rollout, found)[:count])
        return self._give(chosen, found)

    def _give(self, chosen: tuple[str, ...], model: Mapping[str, str]) -> Cohort:
        self._taken |= {device: model[device] for device in chosen}
        return Cohort(self._fleet.name, chosen, models=Counter(self._taken[device] for device in chosen))

    def _listed(self, first: int, end: int, models: tuple[str, ...]) -> dict[str, str]:
        listed = bounded(self._fleet, self._fleet.devices(self._part, ranges(self._rollout, first, end)))
        return {
            device: model for device, model in listed.items() if _is_of(model, models) and device not in self._taken
        }


def _require_known(fleet: str, devices: tuple[str, ...], known: Mapping[str, str]) -> None:
    missing = [device for device in devices if device not in known]
    if missing:
        more = f" and {len(missing) - SHOWN} more" if len(missing) > SHOWN else ""
        shown = ", ".join(missing[:SHOWN]) + more
        raise UnknownDevices(f"fleet {fleet} has no device {shown} in the part that the rollout is for")

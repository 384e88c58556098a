"""Which devices a part of a fleet has, and how many: from the fleet index, or from the registry."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import msgspec
from botocore.exceptions import ClientError

from adapters.aws import groups
from adapters.aws.groups import StageGroups
from adapters.aws.index import BY_BUCKET, FleetIndex
from adapters.aws.query import SHADOW, check_part, check_query, every, in_buckets, of_models, of_part, unplaced
from adapters.aws.refusals import is_missing
from bridge.fleet import Census, Device, FleetError
from bridge.release.bucket import BUCKETS, Buckets, bucket
from bridge.rollout.model import FleetPart

if TYPE_CHECKING:  # stubs, which only type checkers have
    from mypy_boto3_iot import IoTClient

DESCRIBED = 250
"""So many devices are looked up one by one; for more, all things are listed, of which one call gives as many."""
ATTRIBUTE = "model"
"""The thing attribute that names the hardware model where no shadow does."""

Thing = Mapping[str, object]


class _Model(msgspec.Struct, frozen=True):
    model: str = ""


class _Reported(msgspec.Struct, frozen=True):
    reported: _Model = _Model()


class _Shadows(msgspec.Struct, frozen=True):
    name: dict[str, msgspec.Raw] = {}


class Members:
    """The devices of one account and region. Raises what boto3 raises, BrokenLimits and FleetError."""

    def __init__(self, iot: IoTClient, index: FleetIndex, *, by_bucket: bool, workers: int) -> None:
        self._iot = iot
        self._index = index
        self._by_bucket = by_bucket
        self._workers = workers
        self._groups = StageGroups(iot, workers)

    def devices(self, part: FleetPart, buckets: Sequence[Buckets]) -> Iterator[Device]:
        """The devices of `part` and, unless empty, of `buckets`, each once."""
        listed = None if part.devices is None else frozenset(part.devices)
        seen: set[str] = set()
        for device in self._selected(part, buckets):
            if device.id not in seen and (listed is None or device.id in listed):
                seen.add(device.id)
                yield device

    def census(self, part: FleetPart, buckets: Sequence[Buckets], models: Sequence[str]) -> Census:
        """Two calls where the index counts; else counts of what is listed."""
        if self._by_bucket and part.devices is None:
            return self._counted(part, buckets, models)
        counts = Counter(device.model for device in self.devices(part, buckets))
        return Census({model: count for model, count in counts.items() if not models or model in models})

    def _counted(self, part: FleetPart, buckets: Sequence[Buckets], models: Sequence[str]) -> Census:
        self._index.require(shadow=True, fields=BY_BUCKET)
        check_part(part, models)
        placed = in_buckets(buckets or (Buckets(0, BUCKETS - 1),))
        query = every(of_part(part), placed, of_models(models))
        check_query(query)
        return Census(self._index.models(query), self._index.count(unplaced(part)))

    def _selected(self, part: FleetPart, buckets: Sequence[Buckets]) -> Iterator[Device]:
        if part.query is not None or (self._by_bucket and part.devices is None):
            return self._searched(part, buckets)
        return _within(self._registered(part), buckets)

    def _searched(self, part: FleetPart, buckets: Sequence[Buckets]) -> Iterator[Device]:
        self._index.require(shadow=self._by_bucket, fields=BY_BUCKET if self._by_bucket else ())
        check_part(part)
        query = every(of_part(part), in_buckets(buckets) if self._by_bucket else "")
        check_query(query)
        found = (Device(thing["thingName"], _model(thing)) for thing in self._index.things(query))
        return found if self._by_bucket else _within(found, buckets)

    def _registered(self, part: FleetPart) -> Iterator[Device]:
        if part.group is not None:
            yield from self._named(tuple(dict.fromkeys(self._groups.things(part.group))))
        elif part.devices is not None:
            yield from self._named(tuple(dict.fromkeys(part.devices)))
        else:
            yield from self._all()

    def _all(self) -> Iterator[Device]:
        pages = self._iot.get_paginator("list_things").paginate(PaginationConfig={"PageSize": groups.PAGE})
        for page in pages:
            yield from (Device(thing["thingName"], _model(thing)) for thing in page["things"])

    def _named(self, names: Collection[str]) -> Iterator[Device]:
        """The devices of these names, all of which must be registered."""
        if len(names) <= DESCRIBED:
            with ThreadPoolExecutor(self._workers, thread_name_prefix="thing") as pool:
                yield from pool.map(self._describe, names)
            return
        missing = set(names)
        for device in self._all():
            if device.id in missing:
                missing.discard(device.id)
                yield device
        if missing:
            raise _unregistered(min(missing), len(missing))

    def _describe(self, name: str) -> Device:
        try:
            return Device(name, _model(self._iot.describe_thing(thingName=name)))
        except ClientError as error:
            if is_missing(error):
                raise _unregistered(name, 1) from error
            raise


def _unregistered(name: str, count: int) -> FleetError:
    others = f" and {count - 1} more are" if count > 1 else " is"
    return FleetError(f"device {name}{others} not registered in AWS IoT: correct `devices`, or register it")


def _within(devices: Iterator[Device], buckets: Sequence[Buckets]) -> Iterator[Device]:
    """Those in one of `buckets`, by the bucket that every device can be given; all where there are none."""
    return (device for device in devices if not buckets or _holds(buckets, bucket(device.id)))


def _holds(buckets: Sequence[Buckets], number: int) -> bool:
    return any(first <= number <= last for first, last in buckets)


def _model(thing: Thing) -> str:
    """As the device reports it, else as the registry says: its attribute `model`, else its type."""
    attributes = thing.get("attributes")
    registered = attributes.get(ATTRIBUTE) if isinstance(attributes, Mapping) else None
    return _reported(thing.get("shadow")) or str(registered or thing.get("thingTypeName") or "")


def _reported(shadow: object) -> str:
    """The model in a thing's shadows, JSON as SearchIndex gives it; "" where there is none."""
    if not isinstance(shadow, str):
        return ""
    try:
        named = msgspec.json.decode(shadow, type=_Shadows).name.get(SHADOW)
        return msgspec.json.decode(named, type=_Reported).reported.model if named else ""
    except msgspec.DecodeError:
        return ""

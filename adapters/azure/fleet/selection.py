"""Which devices of the hub are meant: a part of the fleet, ranges of buckets, hardware models, as conditions. Pure.

Each device reports its own bucket and model; a model that only Device Update's agent reports counts as well. Devices
that a person lists are placed by their ids, which is the same bucket, as a list must be spelled out anyway.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from adapters.azure.fleet import conditions
from adapters.azure.fleet.queries import (
    AGENT_MODEL,
    BUCKET,
    GROUP,
    MODEL,
    ROOM,
    WAS,
    among,
    chunks,
    every,
    is_device_id,
    quoted,
)
from adapters.violations import Violation
from bridge.fleet import EVERYTHING
from bridge.release.bucket import BUCKETS, Buckets, bucket
from bridge.rollout.model import FleetPart

MOST_LISTED = 10_000
"""Devices that a part of a fleet may list (docs/reference/rollout-file.md)."""
_LONGEST_ID = len(among(["'" * 128]))


@dataclass(frozen=True, slots=True)
class Selection:
    """The devices of `part`, and of `buckets` and `models` unless these are empty."""

    part: FleetPart = EVERYTHING
    buckets: tuple[Buckets, ...] = ()
    models: tuple[str, ...] = ()

    def conditions(self) -> tuple[str, ...]:
        """Conditions of which each device meets one: one, or as many as a list of devices takes. "" is all devices."""
        if self.part.devices is None:
            return (every(self._rest(), _placed(self.buckets)),)
        listed = [device for device in dict.fromkeys(self.part.devices) if self._holds(device)]
        rest = self._rest()
        return tuple(every(among(chunk), rest) for chunk in chunks(listed, ROOM - len(rest) - len(among(()))))

    def first(self, count: int) -> Selection:
        """The devices of the first `count` of these buckets, in the order of the ranges."""
        return replace(self, buckets=tuple(_first(self.buckets, count)))

    @property
    def width(self) -> int:
        """How many buckets."""
        return sum(last - first + 1 for first, last in self.buckets)

    def violations(self) -> Iterator[Violation]:
        """What IoT Hub could not be asked."""
        yield from _part_limits(self.part)
        for each in self.buckets:
            if not 0 <= each.first <= each.last < BUCKETS:
                yield Violation("buckets", f"{each.first} to {each.last}", f"must be within 0 to {BUCKETS - 1}")
        if len(every(self._rest(), _placed(self.buckets))) + _LONGEST_ID > ROOM:
            yield Violation("models", f"{len(self.models)} models", "too long for one query of IoT Hub")

    def _holds(self, device: str) -> bool:
        return not self.buckets or any(first <= bucket(device) <= last for first, last in self.buckets)

    def _rest(self) -> str:
        group, query = self.part.group, self.part.query
        return every(
            f"({GROUP} = {quoted(group)} OR {WAS} = {quoted(group)})" if group is not None else "",
            f"({query})" if query is not None else "",
            _modelled(self.models),
        )


def _first(buckets: Sequence[Buckets], count: int) -> Iterator[Buckets]:
    for first, last in buckets:
        taken = min(count, last - first + 1)
        if taken > 0:
            yield Buckets(first, first + taken - 1)
        count -= taken


def _placed(buckets: Sequence[Buckets]) -> str:
    """Condition: the bucket is in one of these."""
    ranges = " OR ".join(f"({BUCKET} >= {first} AND {BUCKET} <= {last})" for first, last in buckets)
    return f"({ranges})" if ranges else ""


def _modelled(models: Sequence[str]) -> str:
    """Condition: of one of these models; "" among them means devices whose model nobody knows."""
    if not models:
        return ""
    named = ",".join(quoted(model) for model in models if model)
    ways = [f"{MODEL} IN [{named}] OR (NOT is_defined({MODEL}) AND {AGENT_MODEL} IN [{named}])"] if named else []
    if "" in models:
        ways.append(f"(NOT is_defined({MODEL}) AND NOT is_defined({AGENT_MODEL}))")
    return f"({' OR '.join(ways)})"


def _part_limits(part: FleetPart) -> Iterator[Violation]:
    why = None if part.query is None else conditions.fault(part.query)
    if why is not None:
        yield Violation("query", repr(part.query)[: conditions.MOST_CHARACTERS], f"the condition {why}")
    listed = part.devices or ()
    if len(listed) > MOST_LISTED:
        yield Violation("devices", f"{len(listed)} devices", f"at most {MOST_LISTED} can be listed")
    odd = next((device for device in listed if not is_device_id(device)), None)
    if odd is not None:
        yield Violation("devices", repr(odd)[:160], "no id that IoT Hub could know")

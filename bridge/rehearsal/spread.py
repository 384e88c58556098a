"""What many rehearsals say together: how many devices a bad release would reach, how long a good one takes. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import msgspec

from bridge.planning.estimate import GIGABYTE
from bridge.rehearsal.run import Ending


class Spread(msgspec.Struct, frozen=True):
    """One figure over all runs: its least, its median, the value that nine of ten runs stay below, its most."""

    least: float
    median: float
    ninth: float
    most: float


class Rehearsal(msgspec.Struct, frozen=True):
    """`rollout rehearse`. `endings` counts runs by how they ended. `cost` is None where no price is told."""

    rollout: str
    devices: int
    runs: int
    endings: dict[str, int]
    exposed: Spread
    exposed_before_stop: Spread | None
    days: Spread
    calls: Spread
    gigabytes: Spread
    cost: Spread | None
    reasons: tuple[str, ...]
    schema: int = 1


def spread(values: Sequence[float]) -> Spread:
    """The spread of at least one value."""
    ranked = sorted(values)
    return Spread(ranked[0], ranked[len(ranked) // 2], ranked[min(len(ranked) - 1, len(ranked) * 9 // 10)], ranked[-1])


def summary(rollout: str, devices: int, endings: Sequence[Ending], length: int) -> Rehearsal:
    """All `endings` of `rollout`; `length` is the bytes of one download."""
    stopped = [ending.exposed for ending in endings if ending_of(ending) != "completed"]
    costs = [ending.cost for ending in endings if ending.cost is not None]
    gigabytes = [ending.downloads * length / GIGABYTE for ending in endings]
    return Rehearsal(
        rollout=rollout,
        devices=devices,
        runs=len(endings),
        endings=dict(Counter(map(ending_of, endings)).most_common()),
        exposed=spread([ending.exposed for ending in endings]),
        exposed_before_stop=spread(stopped) if stopped else None,
        days=spread([ending.seconds / 86400 for ending in endings]),
        calls=spread([ending.calls for ending in endings]),
        gigabytes=spread(gigabytes),
        cost=spread(costs) if costs else None,
        reasons=tuple(sorted({ending.reason for ending in endings if ending_of(ending) != "completed"}))[:5],
    )


def ending_of(ending: Ending) -> str:
    """How a run ended, in a word or two."""
    if ending.state.is_final or not ending.waiting:
        return ending.state.value
    return f"{ending.state.value}, {ending.waiting}" if ending.waiting != ending.state.value else ending.waiting

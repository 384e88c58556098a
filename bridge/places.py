"""Which places of a rollout are looked at, and which are told that it has ended. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from bridge.record import Record
from bridge.rollout import Place
from bridge.tally import Tally


def watched(record: Record) -> Iterator[Place]:
    """The places of the current stage, and those that earlier stages left with devices that may still end."""
    return (place for place in _begun(record) if place.stage == record.stage or _may_change(record, place))


def begun_places(record: Record) -> tuple[Place, ...]:
    """The places of every stage begun, in order: each fleet is told once their rollout has ended.

    Also where every device has ended, or the order was cancelled by somebody else: some clouds hand an order to whoever
    joins later, and keep what it borrowed, until it is stopped. Stopping what is over is nothing.
    """
    return tuple(_begun(record))


def vanished(tally: Tally) -> Tally:
    """An order that a fleet once knew and no longer does: what ended still counts, the rest is not to be expected."""
    left = tally.waiting + tally.running
    return replace(tally, open=False, running=0, waiting=left, cancelled=left > 0)


def _begun(record: Record) -> Iterator[Place]:
    for stage in range(record.stage + 1):
        yield from record.plan.places(stage)


def _may_change(record: Record, place: Place) -> bool:
    tally = record.tallies.get(place)
    if tally is None:
        return True
    return tally.ended < len(record.plan.devices(place)) and (tally.open or tally.running > 0)

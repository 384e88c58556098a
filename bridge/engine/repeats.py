"""Devices that fail again after a pause: each is one failure, however many nights it takes. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from bridge.engine.evidence import FORWARD, NOTHING, is_whole
from bridge.engine.orders import each
from bridge.engine.progress import Order, Progress
from bridge.engine.sight import FailedDevice, Sight
from bridge.planning.planned import Place


def repeated(progress: Progress, sight: Sight) -> Progress:
    """`progress` in which each order made again says how many of its failed devices had failed before it."""

    def told(place: Place, number: int, order: Order) -> Order:
        if place not in sight.failed or not is_whole(order) or order.kind not in FORWARD:
            return order
        again = tuple(_again(progress.at(place), number, sight.failed[place]))
        silent = sum(failure.code is None for failure in again)
        bad = (order.tally or NOTHING).bad  # reports may be newer than the tally
        return msgspec.structs.replace(order, again=min(len(again), bad), silent=min(silent, bad))

    return each(progress, told)


def _again(orders: Sequence[Order], number: int, failed: Sequence[FailedDevice]) -> Iterator[FailedDevice]:
    """The earlier failures of the devices that failed under the order `number` or its retries."""
    end = next((later for later in range(number + 1, len(orders)) if is_whole(orders[later])), len(orders))
    now = {failure.device for failure in failed if number <= failure.number < end}
    before = {failure.device: failure for failure in failed if failure.number < number}
    return (failure for device, failure in before.items() if device in now)

"""Which failed devices are offered the release again. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

import msgspec

from bridge.engine.evidence import FORWARD, Spared, bad_of, harm, is_remade, is_whole, silent_of
from bridge.engine.orders import add, some
from bridge.engine.progress import Order, OrderKind, Orders, Progress
from bridge.engine.sight import FailedDevice, Sight, attempts
from bridge.planning.planned import Place, Plan
from bridge.release.errors import FailureCode
from bridge.rollout.duration import span
from bridge.rollout.rules import Retries

_BOARD, _TRIAL, _AGENT = 300, 400, 500


def times(retries: Retries, code: FailureCode | None) -> int:
    """How often a device that ended with `code` (None: silent) may be tried again; a refusal never."""
    if code is None:
        return retries.silent
    if code.is_refusal or code is FailureCode.WITHDRAWN:
        return 0
    if code < _BOARD or code >= _AGENT:
        return retries.download
    return retries.board if code < _TRIAL else retries.trial


def retryable(plan: Plan, progress: Progress, sight: Sight) -> Mapping[Place, tuple[FailedDevice, ...]]:
    """The devices of each place whose newest attempt failed, and that have attempts left."""
    found = {place: tuple(_may_again(plan, progress, place, failed)) for place, failed in sight.failed.items()}
    return {place: devices for place, devices in found.items() if devices}


def spared(
    plan: Plan, progress: Progress, sight: Sight, again: Mapping[Place, tuple[FailedDevice, ...]]
) -> Mapping[Place, Spared]:
    """Bad devices that spend nothing yet: those to be tried `again`, and all of a place that could not be asked which
    those are, or which are the same as before a pause.
    """
    known = {place: _counted(plan, progress, place, failed) for place, failed in again.items()}
    unread = {
        at.place: Spared(harm(plan, at, bad_of), harm(plan, at, silent_of))
        for at in progress.orders
        if at.place in sight.unseen and at.place not in sight.failed
        if plan.rollout.retries.is_any or is_remade(at)
    }
    return known | unread


def _counted(plan: Plan, progress: Progress, place: Place, failed: Sequence[FailedDevice]) -> Spared:
    """No more than the tallies count: reports are read at another time, and must hide nobody else's failure."""
    at = Orders(*place, progress.at(place))
    return Spared(min(len(failed), harm(plan, at, bad_of)), min(_silent(failed), harm(plan, at, silent_of)))


def _silent(failed: Iterable[FailedDevice]) -> int:
    return sum(each.code is None for each in failed)


def _may_again(plan: Plan, progress: Progress, place: Place, failed: Iterable[FailedDevice]) -> Iterator[FailedDevice]:
    """Only the newest attempt counts: a device tried again, or offered the release by a later order, failed there."""
    orders = progress.at(place)
    newest, tried = _newest(orders), attempts(orders)
    whole = max(
        (number for number, order in enumerate(orders) if is_whole(order) and order.kind in FORWARD), default=-1
    )
    for each in failed:
        if max(whole, newest.get(each.device, -1)) > each.number:
            continue
        if tried[each.device] < times(plan.rollout.retries, each.code):
            yield each


def _newest(orders: Sequence[Order]) -> Mapping[str, int]:
    """The number of the newest order towards the release that names a device."""
    forward = ((number, order) for number, order in enumerate(orders) if order.kind in FORWARD)
    return {device: number for number, order in forward for device in order.devices}


def retry(plan: Plan, progress: Progress, again: Mapping[Place, tuple[FailedDevice, ...]], now: datetime) -> Progress:
    """`progress` with one more order for the devices of each place, once they have waited for the delay."""
    ready = {place: failed for place, failed in again.items() if not _is_busy(progress.at(place))}
    if not ready:
        return msgspec.structs.replace(progress, retry_since=None)
    since = progress.retry_since or now
    if now - since < span(plan.rollout.retries.delay):
        return msgspec.structs.replace(progress, retry_since=since)
    for place, failed in ready.items():
        devices = tuple(each.device for each in failed)
        order = some(plan, place, OrderKind.RETRY, devices, now)
        progress = add(progress, place, msgspec.structs.replace(order, again=order.size, silent=_silent(failed)))
    return msgspec.structs.replace(progress, retry_since=None)


def _is_busy(orders: tuple[Order, ...]) -> bool:
    """One round at a time: while a retry is under way, its devices have no outcome to judge by."""
    newest = orders[-1]
    if newest.kind is not OrderKind.RETRY:
        return False
    return newest.tally is None or newest.tally.ended < newest.size

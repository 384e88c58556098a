"""What deltas have saved the devices of a rollout: one question to each fleet, where the release has deltas at all."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import chain

import msgspec

from bridge.engine.believable import plausible
from bridge.engine.observing import OpenFleet, forward_keys
from bridge.engine.progress import FleetSavings, Progress, Saved
from bridge.engine.record import Record
from bridge.fleet import FleetError
from bridge.ledger import Fact
from bridge.release.errors import ReleaseError
from bridge.release.manifest import Release, parse
from bridge.release.savings import most_saved
from bridge.release.trust import read_release


def ask_saved(record: Record, fleets: OpenFleet) -> Saved | None:
    """What every fleet with orders says now; None where the release has no delta, or no order was started.

    A fleet that cannot tell says why, and does not keep the others from being asked.
    """
    release = _release_with_deltas(record)
    keys = forward_keys(record.plan, record.progress) if release else []
    asked = tuple(_ask(name, some, release, fleets) for name, some in keys if release)
    return Saved(asked) if asked else None


def with_savings(record: Record, progress: Progress, fleets: OpenFleet) -> Progress:
    """`progress` of a rollout that completes, with what deltas saved: devices forget it with their next release."""
    return msgspec.structs.replace(progress, saved=ask_saved(replace(record, progress=progress), fleets))


def saved_facts(saved: Saved | None) -> tuple[Fact, ...]:
    """The same for the ledger, with the fleets that could not tell."""
    if saved is None:
        return ()
    unknown = ", ".join(each.fleet for each in saved.fleets if each.problem)
    known = (Fact("saved_devices", saved.devices), Fact("saved_bytes", saved.bytes))
    return (*known, Fact("saved_unknown", unknown)) if unknown else known


def fullest(before: Saved | None, now: Saved | None) -> Saved | None:
    """Of each fleet what it said when most was saved: clouds count late, and devices forget with their next release."""
    if before is None or now is None:
        return before or now
    found: dict[str, FleetSavings] = {}
    for each in chain(before.fleets, now.fleets):
        held = found.get(each.fleet)
        found[each.fleet] = each if held is None else _fuller(held, each)
    return Saved(tuple(found.values()))


def _fuller(before: FleetSavings, now: FleetSavings) -> FleetSavings:
    return now if not now.problem and (before.problem or now.saved >= before.saved) else before


def _ask(name: str, keys: Iterable[str], release: Release, fleets: OpenFleet) -> FleetSavings:
    try:
        found = plausible(name, fleets(name).saved(tuple(keys), release))
    except FleetError as error:
        return FleetSavings(name, problem=str(error))
    return FleetSavings(name, found.devices, found.saved)


def _release_with_deltas(record: Record) -> Release | None:
    """None also where the rollout was adopted: its release is not known."""
    document = record.material.new.release
    try:
        release = parse(read_release(document).signed) if document else None
    except ReleaseError:
        return None
    return release if release and most_saved(release) else None

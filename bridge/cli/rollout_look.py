"""`otabridge rollout status|list|history|explain`: how rollouts stand, how they came there, what they wait for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Annotated

import msgspec
import typer

from bridge.cli.console import Output, OutputOption, show
from bridge.cli.layout import fitted
from bridge.cli.options import ConfigOption, RolloutName
from bridge.cli.rollout_view import (
    History,
    RolloutList,
    describe_explanation,
    describe_history,
    describe_list,
    show_status,
)
from bridge.config import DEFAULT_FILE, read_config
from bridge.engine.consent import plan_consent, stage_consent
from bridge.engine.explain import Explanation, explain_rollout
from bridge.engine.explain_device import explain_device, newest_order, place_of
from bridge.engine.observing import Observer, OpenFleet, reachable
from bridge.engine.record import Record
from bridge.engine.stage_orders import key_of
from bridge.errors import BrokenLedger, UsageError
from bridge.fleet import DeviceReport
from bridge.ledger import verify
from bridge.store.store import Store
from bridge.wiring import fleet_opener, open_store


def status(name: RolloutName, *, config: ConfigOption = DEFAULT_FILE, output: OutputOption = Output.TEXT) -> None:
    """Show where a rollout stands, what each fleet says now, and the first devices that failed."""
    settings = read_config(config)
    show_status(settings, open_store(settings).load(name), output)


def list_(*, config: ConfigOption = DEFAULT_FILE, output: OutputOption = Output.TEXT) -> None:
    """List all rollouts, the newest change first; no cloud is asked."""
    rollouts = open_store(read_config(config)).summaries()
    show(RolloutList(rollouts), fitted(describe_list(rollouts)), output)


def history(name: RolloutName, *, config: ConfigOption = DEFAULT_FILE, output: OutputOption = Output.TEXT) -> None:
    """Show every act and decision of a rollout with its evidence, and verify the whole ledger."""
    store = open_store(read_config(config))
    store.state(name)
    ledger = store.ledger()
    entries = tuple(link for link in ledger if link.entry.rollout == name)
    try:
        head, broken = verify(ledger), None
    except BrokenLedger as error:
        head, broken = "", error
    show(History(name, head, entries), fitted(describe_history(entries, head)), output)
    if broken is not None:
        raise broken


def explain(
    name: RolloutName,
    *,
    device: Annotated[str | None, typer.Option(metavar="FLEET/ID", help="Explain this device instead.")] = None,
    config: ConfigOption = DEFAULT_FILE,
    output: OutputOption = Output.TEXT,
) -> None:
    """Say in words why a rollout, or one of its devices, is not moving, and what would move it."""
    settings = read_config(config)
    store, fleets = open_store(settings), reachable(fleet_opener(settings))
    found, observer = store.load(name), Observer(fleets)
    record = replace(found, progress=observer.count(found, store.now()))
    explained = _rollout(record, store) if device is None else _device(record, fleets, device)
    explained = _with_unseen(explained, observer.unseen.values())
    show(explained, fitted(describe_explanation(explained)), output)


def _with_unseen(explained: Explanation, problems: Iterable[str]) -> Explanation:
    """What is explained by figures from before, says so."""
    notes = tuple(f"not from now: {problem}" for problem in dict.fromkeys(problems))
    return msgspec.structs.replace(explained, because=(*explained.because, *notes))


def _rollout(record: Record, store: Store) -> Explanation:
    now, approvals = store.now(), store.approvals(record.name)
    of_plan = plan_consent(record.plan, approvals, now)
    progress = record.progress
    of_stage = stage_consent(record.plan, progress.stage, approvals, now, progress.begun)
    return explain_rollout(record, of_plan, of_stage, now)


def _device(record: Record, fleets: OpenFleet, wanted: str) -> Explanation:
    fleet, slash, device = wanted.partition("/")
    known = [part.name for part in record.plan.rollout.parts]
    if not slash or not device or fleet not in known:
        raise UsageError(f"--device {wanted}: write FLEET/ID; fleets of rollout {record.name}: {', '.join(known)}")
    return explain_device(record, fleet, device, _report(record, fleets, fleet, device))


def _report(record: Record, fleets: OpenFleet, fleet: str, device: str) -> tuple[DeviceReport, ...]:
    """How the device ended, where it ended badly; reports are read up to it and no further. Raises: FleetError."""
    place = place_of(record, fleet, device)
    newest = place and newest_order(record, place, device)
    if not place or not newest or newest[1].tally is None or not newest[1].tally.bad:
        return ()
    reports = fleets(fleet).reports(key_of(record.plan, place, *newest))
    found = next((report for report in reports if report.device == device), None)
    return (found,) if found else ()

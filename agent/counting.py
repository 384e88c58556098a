"""How often what runs was booted, and how often a watchdog ended that. Pure: record in, record out."""

from __future__ import annotations

import msgspec

from agent.machine import BEFORE_SWITCH, State
from agent.record import Boots, Record
from agent.slots import Slot


def counted(record: Record, running: Slot, boot_id: str, *, by_watchdog: bool) -> Record:
    """The record in which the boot `boot_id` of slot `running` is counted, once however often it is handed over.

    `by_watchdog`: a watchdog caused it. That is held against the slot that had been running, or dead on trial, which
    need not be the one that runs now: the boot loader may just have left it.
    """
    if record.boot_id == boot_id:
        return record
    if by_watchdog:
        record = _added(record, _meant(record) or running, Boots(watchdog_resets=1))
    return msgspec.structs.replace(_added(record, running, Boots(count=1)), boot_id=boot_id)


def _meant(record: Record) -> Slot | None:
    """The slot that was to run when the machine last started; None before the agent ever ran."""
    if record.update is None or record.update.plan is None:
        return record.expected
    on_trial = record.state not in BEFORE_SWITCH and record.state is not State.REPORTING
    return record.update.plan.target if on_trial else record.expected


def _added(record: Record, slot: Slot, more: Boots) -> Record:
    boots = record.boots(slot)
    return record.with_boots(slot, Boots(boots.count + more.count, boots.watchdog_resets + more.watchdog_resets))

"""How often what runs was booted, and how often a watchdog or a panic of the kernel ended that. Pure."""

from __future__ import annotations

import msgspec

from agent.slots import Slot
from agent.update.machine import IN_TRIAL, State
from agent.update.record import Boots, Record, Reset


def counted(record: Record, running: Slot, boot_id: str, *, by_watchdog: bool, crashes: tuple[str, ...] = ()) -> Record:
    """The record in which the boot `boot_id` of slot `running` is counted, once however often it is handed over.

    `by_watchdog`: a watchdog caused it. `crashes` are marks of the kernel's records of panics: one that was not there
    at the boot before tells that a panic caused this one. Both are held against the slot that had been running, or dead
    on trial, which need not be the one that runs now: the boot loader may just have left it.
    """
    if record.boot_id == boot_id:
        return record
    panicked = _has_panicked(record, crashes)
    ended = Boots(watchdog_resets=int(by_watchdog), panics=int(panicked))
    record = _added(record, _meant(record) or running, ended)
    reset = Reset.PANIC if panicked else Reset.WATCHDOG if by_watchdog else Reset.RESTART
    record = _added(record, running, Boots(count=1))
    return msgspec.structs.replace(record, boot_id=boot_id, reset=reset, crashes=crashes)


def _has_panicked(record: Record, crashes: tuple[str, ...]) -> bool:
    """Whether there is a record of a crash that was not there before. What lay there when the agent first ran, or
    lost its journal, may be years old."""
    return record.boot_id != "" and not set(crashes) <= set(record.crashes)


def _meant(record: Record) -> Slot | None:
    """The slot that was to run when the machine last started; None before the agent ever ran."""
    if record.update is None or record.update.plan is None:
        return record.expected
    on_trial = record.state in (State.SWITCHING, State.REVERTING, *IN_TRIAL)
    return record.update.plan.target if on_trial else record.expected


def _added(record: Record, slot: Slot, more: Boots) -> Record:
    boots = record.boots(slot)
    return record.with_boots(
        slot,
        Boots(boots.count + more.count, boots.watchdog_resets + more.watchdog_resets, boots.panics + more.panics),
    )

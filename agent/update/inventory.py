"""What the journal knows of this device, as it is told to a cloud. Pure."""

from __future__ import annotations

from agent.ports import Identity
from agent.slots import Slot
from agent.update.judgement import running_saved, running_sequence, running_version
from agent.update.machine import State
from agent.update.record import Record
from bridge.release.state import DeviceState


def device_state(identity: Identity, record: Record, running: Slot, agent: str) -> DeviceState:
    """The state of a device that runs slot `running`, by the agent of version `agent`."""
    boots = record.boots(running)
    return DeviceState(
        model=identity.model,
        release=running_version(identity, record, running) or "",
        sequence=running_sequence(record, running),
        slot=str(running),
        expected_slot="" if record.expected is None else str(record.expected),
        boots=boots.count,
        fallbacks=record.fallbacks,
        watchdog_resets=boots.watchdog_resets,
        agent=agent,
        outcome=_outcome(record),
        saved=running_saved(record, running),
    )


def _outcome(record: Record) -> str:
    """How the last update ended, whether or not its cloud has heard of it."""
    if record.state is State.REPORTING and record.update is not None and record.update.ending is not None:
        return str(record.update.ending.outcome)
    return str(record.concluded[-1].report.outcome) if record.concluded else ""

"""How a device stands in a deployment, read from what it reports. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import StrEnum

from adapters.azure.simulator.device_classes import member
from adapters.azure.simulator.manifest import UpdateId

IDLE, IN_PROGRESS, FAILED = 0, 6, 255
_CANCELLED = -1


class DeviceState(StrEnum):
    """As REST names it."""

    IN_PROGRESS = "InProgress"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    CANCELED = "Canceled"


def agent(reported: Mapping[str, object]) -> Mapping[str, object]:
    """What the agent reports; empty before it does."""
    return member(reported, "deviceUpdate", "agent")


def reported_workflow(reported: Mapping[str, object]) -> tuple[str, str | None]:
    """The workflow that the report is about: its id, "" for none, and the time of its retry."""
    workflow = member(agent(reported), "workflow")
    name, retry = workflow.get("id"), workflow.get("retryTimestamp")
    return (name if isinstance(name, str) else "", retry if isinstance(retry, str) else None)


def reported_state(reported: Mapping[str, object], update_id: UpdateId) -> DeviceState:
    """Idle is success only with the update installed: idle without it is how a restored device looks."""
    said = agent(reported)
    state = said.get("state")
    if state == IDLE and _is(installed(reported), update_id):
        return DeviceState.SUCCEEDED
    if state == IDLE and member(said, "lastInstallResult").get("resultCode") == _CANCELLED:
        return DeviceState.CANCELED
    return DeviceState.FAILED if state in (IDLE, FAILED) else DeviceState.IN_PROGRESS


def _is(has: Mapping[str, object] | None, update_id: UpdateId) -> bool:
    """Compared as text, whose members have one order."""
    return has is not None and list(has.items()) == list(update_id.members().items())


def installed(reported: Mapping[str, object]) -> Mapping[str, object] | None:
    """The update that the device says it has; None for none, or no sense."""
    text = agent(reported).get("installedUpdateId")
    try:
        value = json.loads(text) if isinstance(text, str) else None
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, Mapping) else None

"""What the simulator shows of itself to tests and people."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from adapters.aws.simulator.model import Execution, ExecutionStatus


@dataclass(frozen=True)
class DeviceIdentity:
    """What a device needs to connect: its thing name, which is its client id, and PEM files."""

    thing: str
    cert_file: Path
    key_file: Path
    ca_file: Path
    mqtt_host: str
    mqtt_port: int


@dataclass(frozen=True)
class ExecutionView:
    """A job execution at one moment. Times in seconds since the epoch."""

    thing: str
    number: int
    status: ExecutionStatus
    version: int
    attempt: int
    details: dict[str, str]
    queued_at: float
    started_at: float | None
    updated_at: float


def view(execution: Execution) -> ExecutionView:
    """The execution as it is now."""
    return ExecutionView(
        execution.thing,
        execution.number,
        execution.status,
        execution.version,
        execution.attempt,
        dict(execution.details),
        execution.queued_at,
        execution.started_at,
        execution.updated_at,
    )

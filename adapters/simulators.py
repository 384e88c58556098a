"""The simulators that there are, by the name of the cloud. What one stands on is imported only when it is chosen."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Event
from types import ModuleType

from bridge.errors import UsageError
from bridge.simulated import SimulatedCloud

Announce = Callable[[str], None]


def start_simulator(cloud: str, directory: Path) -> SimulatedCloud:
    """Start the simulator of `cloud`; its certificates lie in `directory`. Raises: UsageError for another name."""
    started: SimulatedCloud = _choose(cloud).start(directory)
    return started


def serve(cloud: str, directory: Path, devices: int, announce: Announce, stop: Event) -> None:
    """Run the simulator of `cloud` with `devices` registered devices until `stop`; `announce` gets lines for people.

    Raises:
        UsageError: there is no such simulator, it is not installed, or cannot be started here.
    """
    try:
        _choose(cloud).serve(directory, devices, announce, stop)
    except OSError as error:
        raise UsageError(f"sim {cloud}: {error}") from error


def _choose(cloud: str) -> ModuleType:
    opener = SIMULATORS.get(cloud)
    if opener is None:
        raise UsageError(f"there is no simulator of a cloud named {cloud!r}; there is {', '.join(SIMULATORS)}")
    try:
        return opener()
    except ModuleNotFoundError as error:
        raise UsageError(f"simulators are not installed ({error.name}): pip install 'otabridge[sim]'") from error


def _aws() -> ModuleType:
    from adapters.aws import simulated

    return simulated


SIMULATORS: Mapping[str, Callable[[], ModuleType]] = {"aws": _aws}

"""The simulators that there are, by the name of the cloud. What one stands on is imported only when it is chosen."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType

from bridge.errors import UsageError
from bridge.simulated import SimulatedCloud


def start_simulator(cloud: str, directory: Path) -> SimulatedCloud:
    """Start the simulator of `cloud`; its certificates lie in `directory`.

    Raises:
        UsageError: there is no such simulator, it is not installed, or cannot be started here.
    """
    chosen = _choose(cloud)
    try:
        started: SimulatedCloud = chosen.start(directory)
    except OSError as error:
        what = f"{error.filename}: {error.strerror}" if error.filename else str(error)
        raise UsageError(f"the simulator of {cloud} cannot start here: {what}") from error
    return started


def require_simulator(cloud: str) -> None:
    """Raises: UsageError, there is no such simulator, or it is not installed."""
    _choose(cloud)


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


def _azure() -> ModuleType:
    from adapters.azure import simulated

    return simulated


SIMULATORS: Mapping[str, Callable[[], ModuleType]] = {"aws": _aws, "azure": _azure}

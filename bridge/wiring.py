"""Where ports meet what implements them: the only file of the control plane that names adapters."""

from __future__ import annotations

import getpass
import math
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from bridge.config import Config
from bridge.engine.controller import Controller, Pause
from bridge.engine.observing import OpenFleet
from bridge.engine.record import Record
from bridge.engine.rounds import Rounds, stoppable
from bridge.fleet import Fleet
from bridge.folder import Advance, Examination, examine
from bridge.planning.planned import Facts
from bridge.probing import Probe
from bridge.publish import Sending, publish
from bridge.release.trust import Trust
from bridge.roots import read_trust
from bridge.simulated import SimulatedCloud
from bridge.store.store import Store
from bridge.translation import Translation


def open_fleet(config: Config, name: str) -> Fleet:
    """The fleet `name`, ready for calls. Raises: UsageError for its settings, FleetError."""
    from adapters import clouds

    chosen = config.fleet(name)
    return clouds.open_fleet(chosen.cloud, name, chosen.settings)


def stated_facts(config: Config, name: str) -> Facts:
    """What the fleet `name` gives, by its settings alone; no cloud is asked. Raises: UsageError."""
    from adapters import clouds

    chosen = config.fleet(name)
    return clouds.stated_facts(chosen.cloud, name, chosen.settings)


def fleet_probes(config: Config, name: str, resources: Mapping[str, object]) -> Sequence[Probe]:
    """What proves permissions of the fleet `name`, and the `resources` of its `tool_config`, if any, in order.

    Raises: UsageError for its settings or its resources.
    """
    from adapters import clouds

    chosen = config.fleet(name)
    return clouds.probes(chosen.cloud, name, chosen.settings, resources)


def fleet_opener(config: Config) -> OpenFleet:
    """Opens each fleet of `config` once, at its first use."""
    return cache(lambda name: open_fleet(config, name))


def open_store(config: Config) -> Store:
    """The store, made when absent. Raises: StoreError."""
    return Store(config.store)


def find_rollout(config: Config, name: str) -> Record | None:
    """The rollout `name` where it was applied before; makes no store. Raises: StoreError."""
    if isinstance(config.store, Path) and not config.store.exists():
        return None
    return open_store(config).find(name)


def open_trust(config: Config) -> Trust:
    """The owner's chain of roots. Raises: UsageError, UntrustedRoot."""
    return read_trust(config.trust)


def _count_nothing(_: int) -> None:
    """Nobody watches."""


def _send_nothing(_fleet: str, _count: int) -> None:
    """Nobody watches."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Whom to tell about bytes read while a release is verified, and sent while it is published."""

    read: Advance = _count_nothing
    sent: Sending = _send_nothing


class TrustedPublisher:
    """Publishes a release folder after it was held against the owner's trust, artifacts included, once a process."""

    def __init__(self, trust: Callable[[], Trust], progress: Progress) -> None:
        self._trust = trust
        self._progress = progress
        self._examined: dict[Path, Examination] = {}

    def require(self, folder: Path) -> None:
        """As `bridge.engine.controller.Publisher`."""
        self._examine(folder).accepted()

    def publish(self, folder: Path, fleets: Sequence[Fleet]) -> None:
        """As `engine.controller.Publisher`; an error that waiting cannot cure is raised before one that it may."""
        deliveries = publish(folder, self._examine(folder), fleets, self._progress.sent)
        problems = [each.problem for each in deliveries if each.problem]
        if problems:
            raise min(problems, key=lambda problem: problem.retryable)

    def _examine(self, folder: Path) -> Examination:
        if folder not in self._examined:
            self._examined[folder] = examine(folder, self._trust(), utc_now(), None, self._progress.read)
        return self._examined[folder]


def open_controller(config: Config, progress: Progress | None = None) -> Controller:
    """The controller, acting in the name of whoever runs this process. Raises: StoreError.

    The trust folder is read when something is published: an abort must not need it.
    """
    return _controller(config, open_store(config), fleet_opener(config), progress or Progress())


def open_rounds(config: Config, stopping: Callable[[], bool]) -> Rounds:
    """Rounds over all rollouts of the store, which end before the next act once `stopping`. Raises: StoreError."""
    store = open_store(config)
    controller = _controller(config, store, stoppable(fleet_opener(config), stopping), Progress())
    return Rounds(controller, store, stopping)


def _controller(config: Config, store: Store, fleets: OpenFleet, progress: Progress) -> Controller:
    return Controller(store, fleets, TrustedPublisher(lambda: open_trust(config), progress), actor())


def translations() -> Mapping[str, Translation]:
    """What each cloud can be told in its own words, by the cloud's name; needs no SDK."""
    from adapters import clouds

    return {cloud: load() for cloud, load in clouds.TRANSLATIONS.items()}


def simulated_clouds() -> tuple[str, ...]:
    """The clouds of which there is a simulator."""
    from adapters import simulators

    return tuple(simulators.SIMULATORS)


def require_simulator(cloud: str) -> None:
    """Whether a simulator of `cloud` could be started. Raises: UsageError."""
    from adapters import simulators

    simulators.require_simulator(cloud)


def start_simulator(cloud: str, directory: Path) -> SimulatedCloud:
    """A running simulator of `cloud`, its certificates in `directory`. Raises: UsageError."""
    from adapters import simulators

    return simulators.start_simulator(cloud, directory)


def patience(interval: float, timeout: float | None) -> Pause:
    """Waits `interval` seconds between passes until `timeout` seconds are over; None waits for ever."""
    end = math.inf if timeout is None else time.monotonic() + timeout

    def wait() -> bool:
        left = end - time.monotonic()
        if left <= 0:
            return False
        time.sleep(min(interval, left))
        return True

    return wait


def utc_now() -> datetime:
    """Now, in UTC."""
    return datetime.now(UTC)


def actor() -> str:
    """Who runs this process, for the ledger: `user@host`, as the system tells it."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container whose user id has no name
        user = "unnamed"
    return f"{user}@{socket.gethostname()}"

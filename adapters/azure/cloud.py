"""A fleet in Azure: one IoT hub and its Device Update instance. Implements bridge.fleet.

A stage's group and deployment have one name, made from the order's key. Azure does most things in its own time, so
`start` and `stop` are repeated until they return: each goes on where the last call, or a process that died, left off.
What an order has come to is in its record, a blob; how its devices stand is counted by the hub.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path

from adapters.azure.fleet.adopting import Adopting, is_native, parse_native
from adapters.azure.fleet.closing import Closing
from adapters.azure.fleet.counting import Counting
from adapters.azure.fleet.enumeration import Enumeration
from adapters.azure.fleet.facts import facts
from adapters.azure.fleet.health import Health
from adapters.azure.fleet.orders import Held, State
from adapters.azure.fleet.pacing import Clock, SystemClock
from adapters.azure.fleet.refusals import Refused, WaitingFor, explained
from adapters.azure.fleet.request import StageRequest, stage_request
from adapters.azure.fleet.services import Services
from adapters.azure.fleet.settings import AzureFleetSettings, parse_settings
from adapters.azure.fleet.starting import Starting
from bridge.fleet import Adopted, Census, Device, DeviceReport, HealthCount, LimitError, Savings, Sent, StageOrder
from bridge.names import stage_name
from bridge.planning.planned import Facts
from bridge.release.bucket import Buckets
from bridge.release.details import one_line
from bridge.release.manifest import Artifact, Release
from bridge.rollout.model import FleetPart
from bridge.tally import Tally


def open_fleet(name: str, settings: Mapping[str, object]) -> AzureFleet:
    """The fleet that `settings`, fields of AzureFleetSettings, describe. Raises: UsageError naming the field."""
    return AzureFleet(name, parse_settings(name, settings))


class AzureFleet:
    """`bridge.fleet.Fleet` over IoT Hub and Device Update. Nothing is called before the first method; from one thread
    at a time.
    """

    def __init__(self, name: str, settings: AzureFleetSettings, clock: Clock | None = None) -> None:
        self._name = name
        self._settings = settings
        self._services = Services(settings, clock or SystemClock())
        self._counting = Counting(self._services)
        self._starting = Starting(self._services)
        self._closing = Closing(self._services, self._counting)
        self._enumeration = Enumeration(self._services)
        self._health = Health(self._services)
        self._adopting = Adopting(self._services)

    @property
    def name(self) -> str:
        """The fleet's name in the configuration."""
        return self._name

    def facts(self) -> Facts:
        """What Azure and the settings give. No call."""
        return facts(self._settings)

    def census(self, part: FleetPart, buckets: tuple[Buckets, ...] = (), models: tuple[str, ...] = ()) -> Census:
        """Counts by hardware model: four queries at most by bucket, else a list. Raises: LimitError; FleetError."""
        with explained(self._name):
            return self._enumeration.census(part, buckets, models)

    def devices(self, part: FleetPart, buckets: tuple[Buckets, ...] = ()) -> Iterator[Device]:
        """The devices of `part`; of its group also those that a stage has borrowed. Raises: LimitError; FleetError."""
        with explained(self._name):
            yield from self._enumeration.devices(part, buckets)

    def put_artifact(self, artifact: Artifact, source: Path, sent: Sent) -> None:
        """Store the artifact in the container. Raises: FleetError."""
        with explained(self._name):
            self._services.storage.put(artifact, source, sent)

    def check(self, order: StageOrder) -> None:
        """Whether Azure would take the order, as far as its limits are known. Raises: LimitError; ReleaseError."""
        with explained(self._name):
            self._request_of(order)

    def start(self, order: StageOrder) -> None:
        """Tags, update, group, deployment; again with more devices admitted, their tags. Raises: LimitError before any
        call; ReleaseError; FleetError.

        A retryable FleetError says what Azure still has to do; then call it again.
        """
        with explained(self._name):
            request = self._request_of(order)
            held = self._services.orders.read(request.stage)
            if held is None:
                self._closing.sweep(but=request.stage)
            try:
                self._start(request, self._starting.begin(request, held))
            except WaitingFor as waiting:
                self._closing.close_if_ended(waiting.stage)
                raise

    def tally(self, key: str) -> Tally | None:
        """Counts of the stage order; None when it was never started. Changes nothing. Raises: FleetError."""
        with explained(self._name):
            return self._adopting.tally(parse_native(key)) if is_native(key) else self._counting.tally(stage_name(key))

    def reports(self, key: str) -> Iterator[DeviceReport]:
        """How the devices that did not install ended, `most_reports` at most. Raises: FleetError."""
        with explained(self._name):
            if is_native(key):
                yield from self._adopting.reports(parse_native(key))
                return
            held = self._services.orders.read(stage_name(key))
            if held is None or held.record.state is State.STARTING:
                return
            if held.record.tally is not None:
                yield from held.record.reports
                return
            yield from islice(self._counting.reports(held), self._settings.most_reports)

    def health(self, keys: Sequence[str], condition: str) -> HealthCount:
        """How many devices meet `condition`, in IoT Hub's query language. Raises: LimitError; FleetError."""
        with explained(self._name):
            return self._health.count(self._stages(keys), condition)

    def watchdog_resets(self, keys: Sequence[str]) -> int:
        """How many updated devices report a reset by a watchdog since; one query. Raises: LimitError; FleetError."""
        with explained(self._name):
            return self._health.watchdog_resets(self._stages(keys))

    def saved(self, keys: Sequence[str], release: Release) -> Savings:
        """What deltas saved devices that installed `release` and run it; one query. Raises: LimitError; FleetError."""
        with explained(self._name):
            return self._health.saved(self._stages(keys), release)

    def adopt(self, native: str) -> Adopted:
        """The deployment `GROUP/DEPLOYMENT` that somebody made without otabridge. Raises: FleetError, there is none."""
        with explained(self._name):
            return self._adopting.adopt(parse_native(native))

    def stop(self, key: str, reason: str) -> None:
        """Withdraw the offer; devices in the middle finish. A deployment that was adopted is cancelled, for those too.
        Ended or unknown: nothing. Raises: FleetError.

        A retryable FleetError says what Azure still has to do; then call it again.
        """
        with explained(self._name):
            if is_native(key):
                self._adopting.stop(parse_native(key))
                return
            stage = stage_name(key)
            held = self._services.orders.read(stage) or self._closing.adopt(stage, key)
            if held is not None and held.record.state is not State.CLOSED:
                self._closing.stop(held, one_line(reason, len(reason)))
                self._closing.sweep(but=stage)

    def retry(self, key: str) -> None:
        """Offer the release once more to the devices of the stage that failed; not to those that were too slow, which
        Device Update takes for busy. Raises: FleetError, the stage is not open.
        """
        with explained(self._name):
            stage = stage_name(key)
            held = self._services.orders.read(stage)
            if held is None or held.record.state is not State.OPEN:
                state = held.record.state if held else "unknown"
                raise Refused(f"stage {stage} is {state}: only an open stage can be tried again")
            self._services.deployments.retry(stage)

    def _start(self, request: StageRequest, held: Held) -> None:
        """Nothing for an order that is stopped or closed, or whose deployment others took away."""
        if held.record.state is State.STARTING:
            self._starting.go_on(request, held)
        elif held.record.state is State.OPEN and not held.record.admits(request) and not self._counting.is_taken(held):
            self._starting.admit(request, held)

    def _stages(self, keys: Sequence[str]) -> tuple[str, ...]:
        adopted = next(filter(is_native, keys), None)
        if adopted is not None:
            raise LimitError(f"fleet {self._name}: {adopted} was made without otabridge: who has it cannot be asked")
        return tuple(map(stage_name, keys))

    def _request_of(self, order: StageOrder) -> StageRequest:
        """The order as Device Update's own words. Raises: BrokenLimits, ReleaseError."""
        return stage_request(order, provider=self._settings.provider, manufacturer=self._settings.manufacturer)

"""Proves a trial boot: the checks that the device's owner configured must pass, and pass again when things settled."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated

import msgspec

from agent.pace import Timing
from agent.proof.checks import Check, Seconds
from agent.proof.probes import Probes


class HealthSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What "healthy" means on this device. A release that fell back `quarantine_after` times is refused."""

    settle_seconds: Seconds = 60.0
    deadline_seconds: Annotated[float, msgspec.Meta(gt=0, le=86400)] = 900.0
    quarantine_after: Annotated[int, msgspec.Meta(ge=1, le=100)] = 3
    checks: Annotated[tuple[Check, ...], msgspec.Meta(max_length=64)] = ()

    def __post_init__(self) -> None:
        if self.settle_seconds >= self.deadline_seconds:
            raise ValueError(
                f"settle_seconds {self.settle_seconds:g} must be less than deadline_seconds {self.deadline_seconds:g}"
            )
        names = [check.name for check in self.checks]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two checks have the name {name!r}")


class CheckedHealth:
    """The engine's Health, by the owner's checks. `context` gives the OTABRIDGE_* environment of commands when a proof
    begins."""

    def __init__(
        self,
        settings: HealthSettings,
        timing: Timing,
        probes: Probes,
        context: Callable[[], Mapping[str, str]] = dict,
    ) -> None:
        self._settings = settings
        self._timing = timing
        self._probes = probes
        self._context = context

    def prove(self, names: Sequence[str]) -> str | None:
        """Run the checks `names` (empty: all) until they pass, wait `settle_seconds`, run each once more.

        None when all passed both times within `deadline_seconds`; else what failed, for people. The second time there
        are no retries: a service that dies and is restarted for ever would pass between two deaths.
        """
        known = {check.name: check for check in self._settings.checks}
        unknown = [name for name in names if name not in known]
        if unknown:
            return (
                f"the release asks for health check {unknown[0]!r}, which this device does not have; "
                f"it has: {', '.join(known) or 'none'}"
            )
        chosen = [known[name] for name in names] or list(known.values())
        return _Proof(self._settings, self._timing, self._probes, self._context()).of(chosen)


class _Proof:
    """One proof, with its deadline running."""

    def __init__(
        self, settings: HealthSettings, timing: Timing, probes: Probes, environment: Mapping[str, str]
    ) -> None:
        self._settings = settings
        self._timing = timing
        self._probes = probes
        self._environment = environment
        self._deadline = timing.clock() + settings.deadline_seconds

    def of(self, checks: Sequence[Check]) -> str | None:
        return self._all(checks, self._come_up) or self._settle() or self._all(checks, self._once)

    def _all(self, checks: Sequence[Check], way: Callable[[Check], str | None]) -> str | None:
        return next((fault for fault in map(way, checks) if fault is not None), None)

    def _come_up(self, check: Check) -> str | None:
        fault = self._once(check)
        for _ in range(check.retries):
            if fault is None or self._left() <= check.interval_seconds:
                break
            self._timing.sleep(check.interval_seconds)
            fault = self._once(check)
        return fault

    def _once(self, check: Check) -> str | None:
        patience = min(check.timeout_seconds, self._left())
        if patience <= 0:
            return (
                f"the time for the health checks ({self._settings.deadline_seconds:g} s) was over before {check.name}"
            )
        return self._probes.fault(check, patience, self._environment)

    def _settle(self) -> str | None:
        if self._left() < self._settings.settle_seconds:
            return (
                f"the checks passed too late: {self._settings.settle_seconds:g} s to settle do not fit into the "
                f"{self._settings.deadline_seconds:g} s for all"
            )
        self._timing.sleep(self._settings.settle_seconds)
        return None

    def _left(self) -> float:
        return self._deadline - self._timing.clock()

"""Deployments that were made without otabridge: counted by Device Update itself, and stopped by cancelling them.

Their devices, tags and group are somebody else's, so nothing is written down about them and nothing is given back.
Cancelling ends such a deployment for devices in the middle, too: only a device's tag could tell them apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import NamedTuple

from adapters.azure.fleet.deployments import Deployment, SubgroupCounts
from adapters.azure.fleet.queries import MAX_GROUP
from adapters.azure.fleet.refusals import Refused
from adapters.azure.fleet.services import Services
from bridge.fleet import Adopted, DeviceReport
from bridge.names import PREFIX
from bridge.release.report import Outcome
from bridge.tally import Tally

SCHEME = "native:"
MOST_ID = 73
"""Characters of a deployment's id (Device Update REST, 2026-06-01)."""


class Native(NamedTuple):
    """A deployment of Device Update; its id is unique within its group."""

    group: str
    deployment: str

    def __str__(self) -> str:
        return f"deployment {self.deployment} of group {self.group}"


def is_native(key: str) -> bool:
    """Whether a key names a deployment that was adopted."""
    return key.startswith(SCHEME)


def parse_native(text: str) -> Native:
    """`GROUP/DEPLOYMENT`, or a key of an adopted deployment. Raises: Refused."""
    group, slash, deployment = text.removeprefix(SCHEME).partition("/")
    fits = 0 < len(group) <= MAX_GROUP and 0 < len(deployment) <= MOST_ID and "/" not in deployment
    if not slash or not fits or not text.isprintable():
        raise Refused(
            f"{text[:400]!r} names no deployment: give it as GROUP/DEPLOYMENT, as ids are unique within a group only"
        )
    return Native(group, deployment)


class Adopting:
    """Watches and stops deployments of others. Raises: Refused, and what Azure's libraries raise."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def adopt(self, native: Native) -> Adopted:
        """What is known of it. Raises: Refused, there is none, or it is an order of otabridge's."""
        if native.group.startswith(PREFIX) and native.group == native.deployment:
            raise Refused(f"{native} was made by otabridge: its rollout watches and stops it")
        found = self._find(native)
        size = sum(each.total for each in self._counts(native))
        text = f"{native.group}/{native.deployment}"
        return Adopted(f"{SCHEME}{text}", text, size, found.update_id.version, _moment(found.start))

    def tally(self, native: Native) -> Tally:
        """As Device Update counts, some minutes late. Raises: Refused, it was deleted."""
        self._find(native)
        return tally(self._counts(native))

    def reports(self, native: Native) -> Iterator[DeviceReport]:
        """The devices that failed, `most_reports` at most, as far as Device Update tells."""
        failed = islice(self._failed(native), self._services.settings.most_reports)
        for device, retries in failed:
            tries = f" after {retries} retries" if retries else ""
            yield DeviceReport(device, Outcome.FAILED, None, f"Device Update counts the device as failed{tries}")

    def stop(self, native: Native) -> None:
        """Cancel it for all devices, at the pace that Device Update allows. None there: nothing."""
        self._services.deployments.cancel(native.group, native.deployment)

    def _find(self, native: Native) -> Deployment:
        found = self._services.deployments.find(native.group, native.deployment)
        if found is None:
            raise Refused(f"{native} is not in Device Update (any more)")
        return found

    def _failed(self, native: Native) -> Iterator[tuple[str, int]]:
        for device_class in self._find(native).classes:
            yield from self._services.deployments.failed(native.group, native.deployment, device_class)

    def _counts(self, native: Native) -> Sequence[SubgroupCounts]:
        return self._services.deployments.counts(native.group, native.deployment)


def tally(subgroups: Sequence[SubgroupCounts]) -> Tally:
    """All subgroups together. Pure."""
    return _sum([_of_subgroup(each) for each in subgroups])


def _of_subgroup(seen: SubgroupCounts) -> Tally:
    """In a subgroup that is no longer active, who has not ended never will."""
    untold = max(0, seen.total - seen.running - seen.succeeded - seen.failed - seen.cancelled)
    over = not seen.is_active
    return Tally(
        waiting=0 if over else untold,
        running=0 if over else seen.running,
        installed=seen.succeeded,
        failed=seen.failed,
        withdrawn=seen.cancelled + (untold + seen.running if over else 0),
        open=not over,
    )


def _sum(tallies: Sequence[Tally]) -> Tally:
    withdrawn = sum(each.withdrawn for each in tallies)
    is_open = any(each.open for each in tallies)
    return Tally(
        waiting=sum(each.waiting for each in tallies),
        running=sum(each.running for each in tallies),
        installed=sum(each.installed for each in tallies),
        failed=sum(each.failed for each in tallies),
        withdrawn=withdrawn,
        open=is_open,
        cancelled=bool(withdrawn) and not is_open,
    )


def _moment(text: str) -> datetime:
    """When the deployment began; the service tells no other time of it. The epoch where it tells nonsense."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return datetime.fromtimestamp(0, UTC)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)

"""PORT: probes of a fleet, each of which proves one permission or one resource against the cloud. Declared by its
consumer, `otabridge fleet check`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class Duty(StrEnum):
    """What somebody does with a fleet, and so what they need."""

    CONTROLLER = "controller"
    PUBLISHER = "publisher"
    VIEWER = "viewer"
    APPROVER = "approver"
    ROOT_APPROVER = "root-approver"


ROLLOUTS = (Duty.CONTROLLER, Duty.PUBLISHER, Duty.VIEWER)
"""Duties of rollouts, all of which one may have."""
SIGNING = (Duty.APPROVER, Duty.ROOT_APPROVER)
"""Duties of those who sign releases and roots, which nobody may have who rolls out or publishes."""


class Found(StrEnum):
    """What a probe came to. What was not looked at is no failure: nothing is claimed of it, and nothing was asked."""

    OK = "ok"
    MISSING = "missing"
    UNKNOWN = "could not tell"
    SKIPPED = "not looked at"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one probe came to. `said` is what the cloud answered, in a few words.

    Of what is missing, `needs` is its name in the cloud's own words: an action and a resource, or a role and its scope;
    `variable` is the Terraform module's variable that mends it, "" where none does. Of what could not be told they are
    what would let it be told, where that is known.
    """

    found: Found
    said: str
    needs: str = ""
    variable: str = ""


class Probe(Protocol):
    """One thing to prove. It changes nothing in the cloud that anybody would notice."""

    @property
    def name(self) -> str:
        """The permission or the resource, as the cloud names it."""

    @property
    def tried(self) -> str:
        """What is tried, for people."""

    @property
    def duties(self) -> frozenset[Duty]:
        """Which duties need it."""

    def run(self, duty: Duty) -> Finding:
        """Try it for `duty`. Raises: FleetError, nothing can be proven: nobody answers, or knows who asks."""


@dataclass(frozen=True, slots=True)
class Stated:
    """A probe whose finding is known before anybody is asked."""

    name: str
    tried: str
    finding: Finding
    duties: frozenset[Duty] = frozenset(Duty)

    def run(self, _duty: Duty) -> Finding:
        """See Probe."""
        return self.finding


@dataclass(frozen=True, slots=True)
class Proven:
    """A probe that was run."""

    probe: Probe
    finding: Finding


def prove(probes: Sequence[Probe], duties: Collection[Duty]) -> Iterator[Proven]:
    """Run the probes that any of `duties` needs, in order. Raises: FleetError, as a probe's `run`."""
    for probe in probes:
        duty = next((each for each in Duty if each in duties and each in probe.duties), None)
        if duty is not None:
            yield Proven(probe, probe.run(duty))

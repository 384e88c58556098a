"""A probe of Azure: one call, of which Azure says whether it is allowed before it looks at what is asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from adapters.azure.fleet.services import Services
from adapters.azure.probes.answers import Meaning, Role, judged
from bridge.names import PREFIX
from bridge.probing import Duty, Finding

NOWHERE = f"{PREFIX}check-no-such"
"""A device, a job, a group and a blob that are not there."""


class Call(NamedTuple):
    """What is asked. `roles`: the least built-in role of each duty that needs it."""

    name: str
    tried: str
    ask: Callable[[Services], object]
    roles: Mapping[Duty, str]
    meaning: Meaning = Meaning()


@dataclass(frozen=True, slots=True)
class AzureCall:
    """One call as a probe; `scope` is what the roles are assigned on."""

    fleet: str
    services: Services
    call: Call
    scope: str

    @property
    def name(self) -> str:
        """See Probe."""
        return self.call.name

    @property
    def tried(self) -> str:
        """See Probe."""
        return self.call.tried

    @property
    def duties(self) -> frozenset[Duty]:
        """See Probe."""
        return frozenset(self.call.roles)

    def run(self, duty: Duty) -> Finding:
        """See Probe."""
        role = Role(self.call.roles[duty], self.scope, duty)
        return judged(self.fleet, lambda: self.call.ask(self.services), role, self.call.meaning)

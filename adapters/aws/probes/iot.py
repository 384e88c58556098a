"""A probe of AWS IoT: one call, of which AWS says whether it is allowed before it looks at what is asked."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import NamedTuple

from adapters.aws.probes.account import Account
from adapters.aws.probes.answers import Permission, judged
from bridge.probing import Duty, Finding

ABSENT = ("ResourceNotFoundException",)
"""With which a call is refused that was allowed, and names what is not there."""


class Call(NamedTuple):
    """What is asked of AWS IoT. `resource`: what a policy must name, without region and account; "*" is everything.
    `proves`: codes of refusals that follow upon permission.
    """

    action: str
    tried: str
    ask: Callable[[Account], object]
    resource: str = "*"
    proves: Collection[str] = ABSENT


@dataclass(frozen=True, slots=True)
class IotCall:
    """One call as a probe."""

    account: Account
    call: Call
    duties: frozenset[Duty]

    @property
    def name(self) -> str:
        """See Probe."""
        return f"iot:{self.call.action}"

    @property
    def tried(self) -> str:
        """See Probe."""
        return self.call.tried

    def run(self, duty: Duty) -> Finding:
        """See Probe."""
        at, resource = self.account, self.call.resource
        permission = Permission(self.name, resource if resource == "*" else at.iot_arn(resource), duty)
        return judged(at.fleet, lambda: self.call.ask(at), permission, self.call.proves)

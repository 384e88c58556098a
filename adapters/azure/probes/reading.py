"""A probe of a resource that Terraform made: Resource Manager is asked what it is like, which is compared with what the
module makes.

Reading there is no part of a rollout. So where it is denied nothing is known to be missing, and the probe could not
tell: the role Reader on the resource would let it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import msgspec
from azure.core.credentials import TokenCredential
from azure.core.exceptions import AzureError, ClientAuthenticationError

from adapters.azure.fleet.refusals import FORBIDDEN, NOT_FOUND, UNAUTHORIZED, explained
from adapters.azure.fleet.settings import AzureFleetSettings
from adapters.azure.probes.answers import MOST_WORDS, VARIABLES
from adapters.azure.probes.arm import Arm, Refused
from adapters.made import Fault, Faults, told
from bridge.probing import Duty, Finding, Found
from bridge.release.details import one_line

LOOKS = frozenset({Duty.CONTROLLER, Duty.VIEWER})
READER = "Reader"


class Subscription:
    """Where the fleet `fleet` was made; nothing is called, and no credential made, before the first use."""

    def __init__(
        self, fleet: str, settings: AzureFleetSettings, url: str, credential: Callable[[], TokenCredential]
    ) -> None:
        self.fleet = fleet
        self.settings = settings
        self._url = url
        self._credential = credential

    @cached_property
    def arm(self) -> Arm:
        """Resource Manager."""
        return Arm(self._url, self._credential())


@dataclass(frozen=True, slots=True)
class Reading:
    """One resource. `what` it is, for people; `id` in Resource Manager; `read` tells its faults, and may raise what Arm
    does; `variable` makes it where it is not there, "" where every fleet has one.
    """

    at: Subscription
    name: str
    what: str
    id: str
    read: Callable[[], Faults]
    variable: str = ""
    duties: frozenset[Duty] = LOOKS

    @property
    def tried(self) -> str:
        """See Probe."""
        return f"read {self.what}"

    def run(self, duty: Duty) -> Finding:
        """See Probe."""
        return asked(self.at.fleet, lambda: told(tuple(self.read())), self._refused(duty))

    def _refused(self, duty: Duty) -> Callable[[Refused], Finding]:
        def found(refused: Refused) -> Finding:
            if refused.status == NOT_FOUND:
                return told((Fault(f"{self.what}, which is not there", self.variable),))
            return unread(refused, self.id, duty)

        return found


def asked(fleet: str, ask: Callable[[], Finding], refusal: Callable[[Refused], Finding]) -> Finding:
    """What `ask` finds, or what it means that it was refused. Raises: FleetError, there are no credentials."""
    with explained(fleet):
        try:
            return ask()
        except Refused as refused:
            return refusal(refused)
        except ClientAuthenticationError:
            raise
        except AzureError as error:
            return Finding(Found.UNKNOWN, one_line(str(error), MOST_WORDS))
        except msgspec.MsgspecError as error:
            return Finding(Found.UNKNOWN, one_line(f"Azure answered what it does not document: {error}", MOST_WORDS))


def unread(refused: Refused, id_: str, duty: Duty) -> Finding:
    """Nothing is told: neither that it is there, nor that it is not."""
    said = one_line(str(refused), MOST_WORDS)
    if refused.status in (UNAUTHORIZED, FORBIDDEN):
        return Finding(Found.UNKNOWN, said, f"role {READER} on {id_}", VARIABLES[duty])
    return Finding(Found.UNKNOWN, said)

"""Who asks: the first probe, without which no other proves anything."""

from __future__ import annotations

from dataclasses import dataclass

from azure.identity import DefaultAzureCredential

from adapters.azure.fleet.refusals import explained
from bridge.probing import Duty, Finding, Found

AUDIENCE = "https://storage.azure.com/.default"


@dataclass(frozen=True, slots=True)
class Identity:
    """Azure gives this machine, or the person at it, a token."""

    fleet: str
    name: str = "credentials"
    tried: str = "ask for a token"
    duties: frozenset[Duty] = frozenset(Duty)

    def run(self, _duty: Duty) -> Finding:
        """See Probe. A token says who asks, and nothing of what they may."""
        with explained(self.fleet), DefaultAzureCredential() as credential:
            credential.get_token(AUDIENCE)
        return Finding(Found.OK, "Azure knows who asks")

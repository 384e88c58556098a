"""Who asks: the first probe, without which no other proves anything."""

from __future__ import annotations

from dataclasses import dataclass

from adapters.aws.probes.account import Account
from bridge.probing import Duty, Finding, Found


@dataclass(frozen=True, slots=True)
class Identity:
    """AWS knows who asks, in the account of the fleet's role."""

    account: Account
    name: str = "sts:GetCallerIdentity"
    tried: str = "ask AWS who asks"
    duties: frozenset[Duty] = frozenset(Duty)

    def run(self, _duty: Duty) -> Finding:
        """See Probe. No permission is needed for it, so what is refused here are the credentials."""
        at, role = self.account, self.account.settings.role_arn
        theirs = role.split(":")[4]
        if at.account != theirs:
            said = f"these are the credentials of {at.caller}, and role_arn is of account {theirs}"
            return Finding(Found.MISSING, said, f"credentials of account {theirs}")
        return Finding(Found.OK, at.caller)

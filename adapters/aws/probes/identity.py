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


@dataclass(frozen=True, slots=True)
class SameAccount:
    """Terraform made the fleet in the account of who asks."""

    account: Account
    id: str
    name: str = "account_id"
    tried: str = "compare the account with Terraform's"
    duties: frozenset[Duty] = frozenset(Duty)

    def run(self, _duty: Duty) -> Finding:
        """See Probe."""
        if self.account.account == self.id:
            return Finding(Found.OK, self.id)
        said = f"these are the credentials of account {self.account.account}"
        return Finding(Found.MISSING, said, f"credentials of account {self.id}, in which Terraform made the fleet")

"""Probes of roles, by IAM's own simulation of policies: nothing else proves what another service does in our name.

Whoever asks needs iam:SimulatePrincipalPolicy for it, which no rollout needs: without, these cannot tell.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from adapters.aws.probes.account import Account
from adapters.aws.probes.answers import Permission, judged
from bridge.probing import Duty, Finding, Found

SIMULATES = "iam:SimulatePrincipalPolicy"
PASSED_TO = {
    "ContextKeyName": "iam:PassedToService",
    "ContextKeyType": "string",
    "ContextKeyValues": ["iot.amazonaws.com"],
}
ABSENT = "NoSuchEntity"
ALLOWED = "allowed"
DENIALS = frozenset({"explicitDeny", "implicitDeny"})
ACTS = frozenset({Duty.CONTROLLER})


@dataclass(frozen=True, slots=True)
class PassingRole:
    """Who asks may hand the role that signs downloads to AWS IoT, with each job."""

    account: Account
    name: str = "iam:PassRole"
    tried: str = "have IAM simulate it for who asks"
    duties: frozenset[Duty] = ACTS

    def run(self, duty: Duty) -> Finding:
        """See Probe."""
        at = self.account
        permission = Permission(self.name, at.settings.role_arn, duty)
        return _simulated(at, at.principal, permission, {"ContextEntries": [PASSED_TO]})


@dataclass(frozen=True, slots=True)
class SigningRole:
    """The role that signs downloads is there, and may read the artifacts."""

    account: Account
    name: str = "role_arn"
    tried: str = "have IAM simulate s3:GetObject for the role that signs downloads"
    duties: frozenset[Duty] = ACTS

    def run(self, duty: Duty) -> Finding:
        """See Probe."""
        at = self.account
        role = at.settings.role_arn
        permission = Permission("s3:GetObject", f"{at.objects_arn}, for the role {role}", duty)
        found = _simulated(at, role, permission, {}, resource=at.objects_arn)
        if found.found is Found.UNKNOWN and found.said.startswith(ABSENT):
            return Finding(Found.MISSING, found.said, f"the role {role}")
        return replace(found, variable="")


def _simulated(
    at: Account, principal: str, permission: Permission, more: Mapping[str, object], resource: str = ""
) -> Finding:
    """What IAM says of `principal`. Raises: FleetError."""
    decisions: list[str] = []

    def ask() -> None:
        found = at.iam.simulate_principal_policy(
            PolicySourceArn=principal,
            ActionNames=[permission.action],
            ResourceArns=[resource or permission.resource],
            **more,
        )
        decisions.extend(str(each.get("EvalDecision")) for each in found.get("EvaluationResults", []))

    finding = judged(at.fleet, ask, permission)
    if finding.found is Found.MISSING:
        return Finding(Found.UNKNOWN, f"{SIMULATES} is not allowed, which no rollout needs")
    return finding if finding.found is Found.UNKNOWN else _decided(decisions, permission)


def _decided(decisions: Sequence[str], permission: Permission) -> Finding:
    decision = next(iter(decisions), "nothing")
    if decision == ALLOWED:
        return Finding(Found.OK, "allowed, as IAM simulates it")
    if decision in DENIALS:
        return Finding(Found.MISSING, f"IAM simulates {decision}", str(permission), permission.variable)
    return Finding(Found.UNKNOWN, f"{SIMULATES} told {decision[:32]}")

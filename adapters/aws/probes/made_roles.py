"""Probes of roles and policies: the role that signs downloads, and those of controller, publisher and viewer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Annotated

import msgspec

from adapters.aws.probes.account import Account
from adapters.aws.probes.made import Made
from adapters.aws.probes.reading import Reading
from adapters.made import Fault, Faults, unless

IOT = "iot.amazonaws.com"
SOURCES = ("aws:SourceAccount", "aws:SourceArn")
"""Conditions without which jobs of another account could borrow the role (the confused deputy of IAM's user guide)."""
PARTS = ("controller", "publisher", "viewer")
GET_ROLE, GET_POLICY, ATTACHED = "iam:GetRole", "iam:GetPolicy", "iam:ListAttachedRolePolicies"

Members = dict[str, str | list[str]]


class Statement(msgspec.Struct, frozen=True, rename="pascal"):
    """One of a trust policy, as far as it is looked at."""

    effect: str
    principal: str | Members = ""
    condition: Annotated[dict[str, Members], msgspec.Meta(max_length=64)] = {}

    @property
    def services(self) -> Sequence[str]:
        """The services that it names."""
        named = self.principal.get("Service", []) if isinstance(self.principal, dict) else []
        return [named] if isinstance(named, str) else named

    @property
    def keys(self) -> frozenset[str]:
        """What its conditions are about."""
        return frozenset(key for members in self.condition.values() for key in members)


class Trust(msgspec.Struct, frozen=True, rename="pascal"):
    """Who may take a role."""

    statement: Annotated[list[Statement], msgspec.Meta(max_length=64)] | Statement

    @property
    def of_iot(self) -> Sequence[Statement]:
        """The statements by which AWS IoT may."""
        every = [self.statement] if isinstance(self.statement, Statement) else self.statement
        return [each for each in every if each.effect == "Allow" and IOT in each.services]


def roles(at: Account, made: Made) -> Iterator[Reading]:
    """Those of the roles that are named."""
    if made.presign_role_arn:
        arn = made.presign_role_arn
        yield Reading(at, "presign_role_arn", f"the role {_name(arn)}", GET_ROLE, arn, partial(_presign, at, arn))
    for part in PARTS:
        role, policy = getattr(made, f"{part}_role_arn"), getattr(made, f"{part}_policy_arn")
        if role:
            read = partial(_part, at, role, policy)
            yield Reading(at, f"{part}_role_arn", f"the role {_name(role)}", f"{GET_ROLE}, {ATTACHED}", role, read)


def policies(at: Account, made: Made) -> Iterator[Reading]:
    """Those of the policies that are named."""
    for part in (*PARTS, "ledger_writer"):
        arn = getattr(made, f"{part}_policy_arn")
        if arn:
            variable = "ledger_bucket_name" if part == "ledger_writer" else ""
            read = partial(_policy, at, arn)
            yield Reading(at, f"{part}_policy_arn", f"the policy {_name(arn)}", GET_POLICY, arn, read, variable)


def _presign(at: Account, arn: str) -> Faults:
    wanted = at.settings.role_arn
    yield from unless(holds=arn == wanted, needs=f"role_arn of the fleet to be {arn}; it is {wanted}")
    statements = _trust(at, arn).of_iot
    if not statements:
        yield Fault(f"{IOT} to be trusted by {arn}")
    for statement in statements:
        lacks = [source for source in SOURCES if source not in statement.keys]
        yield from unless(holds=not lacks, needs=f"a condition on {' and '.join(lacks)} in the trust of {arn}")


def _part(at: Account, role: str, policy: str | None) -> Faults:
    at.iam.get_role(RoleName=_name(role))
    if policy:
        found = at.iam.list_attached_role_policies(RoleName=_name(role))["AttachedPolicies"]
        attached = policy in {each.get("PolicyArn") for each in found}
        yield from unless(holds=attached, needs=f"{policy} to be attached to {role}")


def _policy(at: Account, arn: str) -> Faults:
    at.iam.get_policy(PolicyArn=arn)
    return ()


def _trust(at: Account, arn: str) -> Trust:
    """Raises: ClientError."""
    document: Mapping[str, object] = at.iam.get_role(RoleName=_name(arn))["Role"]["AssumeRolePolicyDocument"]
    return msgspec.convert(document, Trust)


def _name(arn: str) -> str:
    return arn.rpartition("/")[2]

"""Probes of the signing keys: what they are, and who may sign with them.

Whether somebody may sign is asked with `DryRun`, so that nothing is signed: DryRunOperationException is the answer to
who may (API reference of AWS KMS, Sign and "Testing your permissions").
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from adapters.aws.probes.account import Account
from adapters.aws.probes.answers import VARIABLES, Permission, judged
from adapters.aws.probes.made import Made
from adapters.aws.probes.reading import Reading
from adapters.made import Faults, unless
from bridge.probing import Duty, Finding, Found, Probe

DESCRIBES, SIGNS = "kms:DescribeKey", "kms:Sign"
WANTED = {"KeyState": "Enabled", "KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY"}
"""What otabridge signs with; the module makes no other."""
SIGNERS = {"releases": Duty.APPROVER, "root": Duty.ROOT_APPROVER}
ROLLS_OUT = frozenset({Duty.CONTROLLER, Duty.PUBLISHER})
DRY_RUN = ("DryRunOperationException",)
NO_DIGEST = bytes(32)
SCHEME = "awskms:"


def keys(at: Account, made: Made) -> Iterator[Probe]:
    """For each key that is named: what it is, that its signer may sign, and that who rolls out may not."""
    for key, signer in SIGNERS.items():
        arn = getattr(made, f"{key}_key_arn")
        if arn:
            what = f"the key {arn.rpartition('/')[2]}, which signs {key}"
            yield Reading(at, f"{key}_key_arn", what, DESCRIBES, arn, partial(_key, at, arn, made, key))
            yield Signing(at, f"{SIGNS} {key}", arn, frozenset({signer}))
            yield NotSigning(at, f"no {SIGNS} {key}", arn, signer)


def _key(at: Account, arn: str, made: Made, key: str) -> Faults:
    found = at.kms.describe_key(KeyId=arn)["KeyMetadata"]
    for member, wanted in WANTED.items():
        yield from unless(holds=found.get(member) == wanted, needs=f"{member} {wanted} of {arn}; {found.get(member)}")
    uri, alias = getattr(made, f"{key}_key_uri"), getattr(made, f"{key}_key_alias")
    if uri:
        theirs = (f"{SCHEME}{arn}", f"{SCHEME}{arn.rpartition('/')[2]}")
        yield from unless(holds=uri in theirs, needs=f"{key}_key_uri to name {arn}; it is {uri}")
    if alias:
        names = at.kms.describe_key(KeyId=alias)["KeyMetadata"].get("Arn")
        yield from unless(holds=names == arn, needs=f"{alias} to name {arn}; it names {names}")


def _sign(at: Account, arn: str) -> None:
    """What a signature asks for, condition on the algorithm and all. Raises: ClientError, always."""
    at.kms.sign(KeyId=arn, Message=NO_DIGEST, MessageType="DIGEST", SigningAlgorithm="ECDSA_SHA_256", DryRun=True)


@dataclass(frozen=True, slots=True)
class Signing:
    """Who signs may."""

    account: Account
    name: str
    arn: str
    duties: frozenset[Duty]
    tried: str = "sign nothing, as a dry run"

    def run(self, duty: Duty) -> Finding:
        """See Probe."""
        at = self.account
        finding = judged(at.fleet, lambda: _sign(at, self.arn), Permission(SIGNS, self.arn, duty), DRY_RUN)
        if finding.found is Found.MISSING:
            return Finding(Found.MISSING, finding.said, finding.needs, VARIABLES[duty])
        return finding


@dataclass(frozen=True, slots=True)
class NotSigning:
    """Who rolls out or publishes may not sign: else whoever takes over the controller signs what it rolls out."""

    account: Account
    name: str
    arn: str
    signer: Duty
    tried: str = "sign nothing, as a dry run, which must be refused"
    duties: frozenset[Duty] = ROLLS_OUT

    def run(self, duty: Duty) -> Finding:
        """See Probe."""
        at = self.account
        finding = judged(at.fleet, lambda: _sign(at, self.arn), Permission(SIGNS, self.arn, duty), DRY_RUN)
        if finding.found is Found.MISSING:
            return Finding(Found.OK, f"refused, as it must be: {finding.said}")
        if finding.found is Found.OK:
            needs = f"{SIGNS} on {self.arn} to be refused to {at.caller}, which is asked as {duty}"
            return Finding(Found.MISSING, "a dry run was allowed", needs, VARIABLES[self.signer])
        return finding

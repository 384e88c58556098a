"""A probe of a resource that Terraform made: it is read, and what it is like is compared with what the module makes.

Reading is no part of a rollout. So where it is denied nothing is known to be missing, and the probe could not tell.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import msgspec
from botocore.exceptions import ClientError

from adapters.aws.probes.account import Account
from adapters.aws.probes.answers import MOST_WORDS, VARIABLES, Permission, judged
from adapters.aws.refusals import NOT_FOUND, code_of
from adapters.made import Fault, Faults, told
from bridge.probing import Duty, Finding, Found
from bridge.release.details import one_line

LOOKS = frozenset({Duty.CONTROLLER, Duty.VIEWER})
ABSENT = frozenset(
    {*NOT_FOUND, "NoSuchEntity", "NoSuchBucket", "NotFoundException", "ResourceNotFound"}
    | {"AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist"}
)
"""With which services say that what is named is not there."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One resource. `what` it is, for people; `action` on `arn` lets one read it; `read` tells its faults, and may
    raise ClientError; `variable` makes it where it is not there, "" where every fleet has one.
    """

    account: Account
    name: str
    what: str
    action: str
    arn: str
    read: Callable[[], Faults]
    variable: str = ""
    duties: frozenset[Duty] = LOOKS

    @property
    def tried(self) -> str:
        """See Probe."""
        return f"read {self.what}"

    def run(self, duty: Duty) -> Finding:
        """See Probe."""
        faults: list[Fault] = []
        permission = Permission(self.action, self.arn, duty)
        try:
            finding = judged(self.account.fleet, lambda: faults.extend(self._faults()), permission)
        except msgspec.MsgspecError as error:
            return Finding(Found.UNKNOWN, one_line(f"AWS answered what it does not document: {error}", MOST_WORDS))
        if finding.found is Found.MISSING:
            return replace(finding, found=Found.UNKNOWN, variable=VARIABLES[duty])
        return finding if finding.found is Found.UNKNOWN else told(faults)

    def _faults(self) -> Faults:
        """Raises: ClientError."""
        try:
            return tuple(self.read())
        except ClientError as error:
            if code_of(error) in ABSENT:
                return (Fault(f"{self.what}, which is not there", self.variable),)
            raise

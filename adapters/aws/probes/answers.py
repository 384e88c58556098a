"""What an answer of AWS proves about a permission. Where nobody answers, or knows who asks, a FleetError says so."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
)

from adapters.aws.refusals import DENIED, STALE, code_of, explained
from bridge.probing import Duty, Finding, Found
from bridge.release.details import one_line

MOST_WORDS = 200
HOPELESS = (
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
)
"""After which no other probe would come to more: nobody is there, or nobody knows who asks."""
VARIABLES = {
    Duty.CONTROLLER: "controller_principals",
    Duty.PUBLISHER: "publisher_principals",
    Duty.VIEWER: "viewer_principals",
    Duty.APPROVER: "approver_principals",
    Duty.ROOT_APPROVER: "root_approver_principals",
}
"""Who may do what, as the Terraform module is told."""
KEY_VARIABLE = "artifact_kms_key_arn"
"""What names the key of the bucket, and so lets publishers use it."""
_ACTION = re.compile(r"not authorized to perform: ([a-z0-9-]{1,32}:[A-Za-z0-9]{1,64})(?: on resource: (\S{1,512}))?")


@dataclass(frozen=True, slots=True)
class Permission:
    """An action on a resource, and for which duty it is asked."""

    action: str
    resource: str
    duty: Duty

    @property
    def variable(self) -> str:
        """The Terraform variable that grants it."""
        return VARIABLES[self.duty]

    def __str__(self) -> str:
        return f"{self.action} on {self.resource}"


def judged(fleet: str, call: Callable[[], object], permission: Permission, proves: Collection[str] = ()) -> Finding:
    """What `call` proves. Refusals of the codes in `proves` come after AWS has looked at the permission.

    Raises: FleetError, AWS cannot be reached, or does not know who asks.
    """
    with explained(fleet):
        try:
            call()
        except ClientError as error:
            if code_of(error) in STALE:
                raise
            return _of_refusal(error, permission, proves)
        except HOPELESS:
            raise
        except BotoCoreError as error:
            return Finding(Found.UNKNOWN, one_line(str(error), MOST_WORDS))
    return Finding(Found.OK, "allowed")


def _of_refusal(error: ClientError, permission: Permission, proves: Collection[str]) -> Finding:
    code, words = code_of(error), words_of(error)
    if code in proves:
        return Finding(Found.OK, f"allowed; refused as meant: {code}")
    if code not in DENIED:
        return Finding(Found.UNKNOWN, one_line(f"{code}: {words}", MOST_WORDS))
    needs = needed(words, permission)
    variable = KEY_VARIABLE if needs.startswith("kms:") else permission.variable
    return Finding(Found.MISSING, one_line(f"{code}: {words}", MOST_WORDS), needs, variable)


def needed(words: str, permission: Permission) -> str:
    """What AWS says is not allowed; where it does not say it, what the call needs."""
    match = _ACTION.search(words)
    if match is None or (match[1] == permission.action and not match[2]):
        return str(permission)
    return f"{match[1]} on {match[2] or permission.resource}"


def words_of(error: ClientError) -> str:
    """AWS's own words, bounded: who answers may be anybody."""
    return one_line(str(error.response.get("Error", {}).get("Message", "")), 1024)

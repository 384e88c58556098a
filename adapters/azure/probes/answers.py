"""What an answer of Azure proves about a role; errors of credentials leave as FleetError."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from azure.core.exceptions import AzureError, ClientAuthenticationError
from msrest.exceptions import ClientException

from adapters.azure.fleet.refusals import FORBIDDEN, UNAUTHORIZED, Refusal, Waiting, explained, refusal_of
from bridge.probing import Duty, Finding, Found
from bridge.release.details import one_line

MOST_WORDS = 200
VARIABLES: Mapping[Duty, str] = {
    Duty.CONTROLLER: "controller_principals",
    Duty.PUBLISHER: "publisher_principals",
    Duty.VIEWER: "viewer_principals",
    Duty.APPROVER: "approver_principals",
    Duty.ROOT_APPROVER: "root_approver_principals",
}
"""Who may do what, as the Terraform module is told."""


@dataclass(frozen=True, slots=True)
class Role:
    """A built-in role on a scope, and for which duty it is asked."""

    name: str
    scope: str
    duty: Duty

    def __str__(self) -> str:
        return f"role {self.name} on {self.scope}"


@dataclass(frozen=True, slots=True)
class Meaning:
    """What refusals mean that are none of a permission: `proves` are statuses that follow upon permission, `lacks` the
    codes with which Azure tells that a resource is not there, and that resource; with its Terraform variable.
    """

    proves: Collection[int] = ()
    lacks: Collection[str] = ()
    resource: str = ""
    variable: str = ""


def judged(fleet: str, call: Callable[[], object], role: Role, meaning: Meaning) -> Finding:
    """What `call` proves. Raises: FleetError, there are no credentials for Azure."""
    with explained(fleet):
        try:
            call()
        except (AzureError, ClientException) as error:
            refusal = refusal_of(error)
            if refusal is None and isinstance(error, ClientAuthenticationError):
                raise
            if refusal is None:
                return Finding(Found.UNKNOWN, one_line(str(error), MOST_WORDS))
            return _of_refusal(refusal, role, meaning)
        except Waiting as waiting:
            return Finding(Found.UNKNOWN, one_line(str(waiting), MOST_WORDS))
    return Finding(Found.OK, "allowed")


def _of_refusal(refusal: Refusal, role: Role, meaning: Meaning) -> Finding:
    said = one_line(f"{refusal.status} {refusal.code}: {refusal.message}", MOST_WORDS)
    if refusal.status in (UNAUTHORIZED, FORBIDDEN):
        return Finding(Found.MISSING, said, str(role), VARIABLES[role.duty])
    if refusal.code in meaning.lacks:
        return Finding(Found.MISSING, said, meaning.resource, meaning.variable)
    if refusal.status in meaning.proves:
        return Finding(Found.OK, one_line(f"allowed; refused as meant: {refusal.status} {refusal.code}", MOST_WORDS))
    return Finding(Found.UNKNOWN, said)

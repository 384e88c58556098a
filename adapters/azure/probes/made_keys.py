"""Probes of the signing keys: the vault, what the keys are, and who may sign with them.

Key Vault signs or refuses, and knows no dry run. So Resource Manager is asked what rights the caller has on the key
(Permissions, "gets all permissions the caller has for a resource"), and nothing is signed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import partial

import msgspec

from adapters.azure.probes.answers import VARIABLES
from adapters.azure.probes.arm import Version
from adapters.azure.probes.made import Made
from adapters.azure.probes.reading import Reading, Subscription, asked, unread
from adapters.made import Faults, unless
from bridge.probing import Duty, Finding, Found, Probe

SIGNS = "Microsoft.KeyVault/vaults/keys/sign/action"
SIGNER = "Key Vault Crypto User"
SIGNERS = {"release_key": Duty.APPROVER, "root_key": Duty.ROOT_APPROVER}
ROLLS_OUT = frozenset({Duty.CONTROLLER, Duty.PUBLISHER})
CURVE = "P-256"
TYPES = ("EC", "EC-HSM")


class VaultProperties(msgspec.Struct, frozen=True, rename="camel"):
    """A vault, as far as it is looked at."""

    enable_rbac_authorization: bool | None = None
    enable_purge_protection: bool | None = None


class Vault(msgspec.Struct, frozen=True):
    """Microsoft.KeyVault/vaults."""

    properties: VaultProperties = VaultProperties()


class Attributes(msgspec.Struct, frozen=True):
    """Whether a key may be used."""

    enabled: bool = True
    exp: int | None = None


class KeyProperties(msgspec.Struct, frozen=True, rename="camel"):
    """A key, as far as it is looked at."""

    kty: str = ""
    curve_name: str = ""
    key_ops: tuple[str, ...] = ()
    attributes: Attributes = Attributes()


class Key(msgspec.Struct, frozen=True):
    """Microsoft.KeyVault/vaults/keys."""

    properties: KeyProperties = KeyProperties()


class Rights(msgspec.Struct, frozen=True, rename="camel"):
    """One set of the caller's rights; those on data are absent where Azure does not tell them."""

    data_actions: tuple[str, ...] | None = None
    not_data_actions: tuple[str, ...] | None = None

    def allow(self, action: str) -> bool:
        """Whether this set has `action`, patterns and all."""
        return _matches(self.data_actions, action) and not _matches(self.not_data_actions, action)


def keys(at: Subscription, made: Made) -> Iterator[Probe]:
    """The vault; for each key that is named: what it is, that its signer may sign, and that who rolls out may not."""
    if not made.key_vault_id:
        return
    vault = made.key_vault_id
    what = f"the key vault {_name(vault)}"
    yield Reading(at, "key_vault_id", what, vault, partial(_vault, at, vault), "key_vault_name")
    for field, signer in SIGNERS.items():
        uri: str | None = getattr(made, field)
        if uri:
            id_ = f"{vault}/keys/{_name(uri)}"
            yield Reading(at, field, f"the key {_name(uri)}", id_, partial(_key, at, id_, vault, uri))
            yield Signing(at, f"sign {_name(uri)}", id_, frozenset({signer}))
            yield NotSigning(at, f"not sign {_name(uri)}", id_, signer)


def _vault(at: Subscription, id_: str) -> Faults:
    found = at.arm.read(id_, Version.KEY_VAULT, Vault).properties
    yield from unless(holds=bool(found.enable_rbac_authorization), needs=f"rights by role alone in {_name(id_)}")
    yield from unless(holds=bool(found.enable_purge_protection), needs=f"purge protection of {_name(id_)}")


def _key(at: Subscription, id_: str, vault: str, uri: str) -> Faults:
    named = uri.removeprefix("azurekms:").partition("/")[0]
    yield from unless(holds=named == _name(vault), needs=f"{uri} to be in {_name(vault)}")
    found, name = at.arm.read(id_, Version.KEY_VAULT, Key).properties, _name(id_)
    fits = found.kty in TYPES and found.curve_name == CURVE
    yield from unless(holds=fits, needs=f"the key {name} to be EC of {CURVE}; it is {found.kty} {found.curve_name}")
    yield from unless(holds={"sign", "verify"} <= set(found.key_ops), needs=f"sign and verify with the key {name}")
    lasts = found.attributes.enabled and found.attributes.exp is None
    yield from unless(holds=lasts, needs=f"the key {name} enabled, without an end")


def _may_sign(at: Subscription, id_: str) -> bool | None:
    """Whether the caller may; None where Azure does not tell. Raises: what Arm does."""
    path = f"{id_}/providers/Microsoft.Authorization/permissions"
    rights = tuple(at.arm.read_all(path, Version.AUTHORIZATION, Rights))
    if any(each.allow(SIGNS) for each in rights):
        return True
    return None if rights and all(each.data_actions is None for each in rights) else False


UNTOLD = Finding(Found.UNKNOWN, "Azure told no rights on data")


@dataclass(frozen=True, slots=True)
class Signing:
    """Who signs may."""

    at: Subscription
    name: str
    id: str
    duties: frozenset[Duty]
    tried: str = "ask what rights one has on the key, without signing"

    def run(self, duty: Duty) -> Finding:
        """See Probe."""
        return asked(self.at.fleet, lambda: self._found(duty), lambda refused: unread(refused, self.id, duty))

    def _found(self, duty: Duty) -> Finding:
        may = _may_sign(self.at, self.id)
        if may is None:
            return UNTOLD
        needs = f"role {SIGNER} on {self.id}"
        return Finding(Found.OK, "allowed") if may else Finding(Found.MISSING, f"no {SIGNS}", needs, VARIABLES[duty])


@dataclass(frozen=True, slots=True)
class NotSigning:
    """Who rolls out or publishes may not sign: else whoever takes over the controller signs what it rolls out."""

    at: Subscription
    name: str
    id: str
    signer: Duty
    tried: str = "ask what rights one has on the key, which must not be that of signing"
    duties: frozenset[Duty] = ROLLS_OUT

    def run(self, duty: Duty) -> Finding:
        """See Probe."""
        return asked(self.at.fleet, lambda: self._found(duty), lambda refused: unread(refused, self.id, duty))

    def _found(self, duty: Duty) -> Finding:
        may = _may_sign(self.at, self.id)
        if may is None:
            return UNTOLD
        if not may:
            return Finding(Found.OK, f"no {SIGNS}, as it must be")
        needs = f"no {SIGNS} on {self.id} for who is asked as {duty}"
        return Finding(Found.MISSING, f"{SIGNS} is allowed", needs, VARIABLES[self.signer])


def _matches(patterns: Sequence[str] | None, action: str) -> bool:
    """Patterns of Azure have no case, and `*` alone is special."""
    return any(fnmatchcase(action.casefold(), each.casefold().replace("[", "[[]")) for each in patterns or ())


def _name(id_: str) -> str:
    return id_.rpartition("/")[2]

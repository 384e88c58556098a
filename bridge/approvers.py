"""The approvers that a rollout file names: their public key files, read once, for the plan."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from bridge.errors import UsageError
from bridge.keys import OwnedKey, read_public
from bridge.planning.planned import Approver


def read_approvers(paths: Sequence[str], file: Path) -> tuple[Approver, ...]:
    """The approvers whose public key files are at `paths`, relative to the rollout file `file`, in that order.

    Raises:
        UsageError: a file is missing or no public key file, or two of them hold one key or one name.
    """
    approvers: dict[str, Approver] = {}
    places: dict[str, str] = {}
    for path in paths:
        owned = read_public(file.parent / path)
        _require_new(owned, path, places, file)
        places |= {owned.key.keyid: path, owned.name: path}
        approvers[owned.key.keyid] = approver_of(owned)
    return tuple(approvers.values())


def approver_of(owned: OwnedKey) -> Approver:
    """Who holds a key, as a plan names them: the owner's name and the key without its place."""
    return Approver(owned.name, owned.key.keyid, msgspec.json.encode(owned.key.to_dict(), order="sorted"))


def _require_new(owned: OwnedKey, path: str, places: dict[str, str], file: Path) -> None:
    """One person must not sign twice, and a name must say who signed."""
    if owned.key.keyid in places:
        raise UsageError(
            f"{file}: approvals.approvers: {path} holds the same key as {places[owned.key.keyid]}; "
            "each approver needs a key of their own"
        )
    if owned.name in places:
        raise UsageError(
            f"{file}: approvals.approvers: {path} and {places[owned.name]} are two keys of one name, {owned.name}; "
            "give the key of one of them another name"
        )

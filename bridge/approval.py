"""Adds one approver's signature to a release, and refuses to make a file that devices would not take."""

from __future__ import annotations

from dataclasses import dataclass

from tuf.api.metadata import Metadata, Root, Targets

from bridge.errors import UsageError
from bridge.keys import OwnedKey
from bridge.release.errors import AlteredRelease
from bridge.release.trust import RELEASES, Standing, key_name, standing_of
from bridge.signing import Secrets, SigningKey, has_signed, sign


@dataclass(frozen=True, slots=True)
class Approval:
    """What signing did. `dropped` are short ids of signatures removed; `standing` is None without a root to ask."""

    added: bool
    dropped: tuple[str, ...]
    standing: Standing | None


def approve(metadata: Metadata[Targets], key: SigningKey, root: Root | None, secrets: Secrets) -> Approval:
    """Add the signature of `key` to `metadata`, unless it is there. `root` says who may sign and who is missing.

    With a root, signatures of keys that it does not know are removed: devices refuse a release that carries one.

    Raises:
        UsageError: the key may not sign releases, or cannot be used.
        AlteredRelease: another approver's signature does not match; the file was changed after they signed.
        SigningFailed: the KMS or HSM failed.
    """
    dropped = _check(metadata, key.public, root) if root else ()
    added = not has_signed(metadata, key.public.key)
    if added:
        sign(metadata, key, secrets)
    return Approval(added, dropped, standing_of(root, metadata) if root else None)


def _check(metadata: Metadata[Targets], signer: OwnedKey, root: Root) -> tuple[str, ...]:
    _require_approver(root, signer)
    dropped = _drop_foreign(metadata, root)
    _require_genuine(metadata, root, signer)
    return dropped


def _require_approver(root: Root, owned: OwnedKey) -> None:
    if owned.key.keyid not in root.roles[RELEASES].keyids:
        raise UsageError(
            f"{owned.name} holds no release key of root version {root.version}; with this signature devices would "
            "refuse the release. Add the key first: otabridge root rotate --add-release-key"
        )


def _drop_foreign(metadata: Metadata[Targets], root: Root) -> tuple[str, ...]:
    foreign = [keyid for keyid in metadata.signatures if keyid not in root.roles[RELEASES].keyids]
    for keyid in foreign:
        del metadata.signatures[keyid]
    return tuple(keyid[:12] for keyid in foreign)


def _require_genuine(metadata: Metadata[Targets], root: Root, signer: OwnedKey) -> None:
    """Nobody should approve a file that is not what the others approved."""
    standing = root.get_verification_result(RELEASES, metadata.signed_bytes, metadata.signatures)
    for keyid, key in standing.unsigned.items():
        if keyid in metadata.signatures and keyid != signer.key.keyid:
            raise AlteredRelease(
                f"the signature of {key_name(key)} does not match the release: it was changed after they signed; "
                "do not sign it before they have looked"
            )

"""The owner's chain of roots: made, rotated and signed by several people, one step each.

A trust folder holds `1.root.json`, `2.root.json` ... and, while signatures are missing, `draft.root.json`. A draft
becomes the next version by itself with the last signature; until then nobody trusts it.

TUF wants the roles timestamp and snapshot in every root. otabridge does not use them: they stand there with no key,
so that nothing can ever be signed for them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from securesystemslib.signer import Key
from tuf.api.metadata import TOP_LEVEL_ROLE_NAMES, Metadata, Role, Root

from bridge.errors import UsageError
from bridge.files import read_bounded, replace_file
from bridge.keys import NAME_FIELD, OwnedKey
from bridge.release.errors import UntrustedRoot
from bridge.release.metadata import read, require_sound
from bridge.release.trust import MAX_ROOT_BYTES, RELEASES, Standing, Trust, canonical, key_name
from bridge.signing import Secrets, SigningKey, has_signed, sign

DRAFT = "draft.root.json"
MIN_ID = 8
"""Characters of a key id that name it."""
_VERSIONED = re.compile(r"([1-9][0-9]{0,8})\.root\.json")


@dataclass(frozen=True, slots=True)
class RoleChange:
    """What changes in one role: keys that join, keys that leave (as people name them), a new threshold."""

    add: tuple[OwnedKey, ...] = ()
    remove: tuple[str, ...] = ()
    threshold: int | None = None

    @property
    def is_empty(self) -> bool:
        """Whether nothing changes."""
        return self == RoleChange()


@dataclass(frozen=True, slots=True)
class RootChange:
    """What changes from one root to the next; `expires` (UTC) is always given anew."""

    expires: datetime
    root: RoleChange = field(default_factory=RoleChange)
    releases: RoleChange = field(default_factory=RoleChange)


@dataclass(frozen=True, slots=True)
class Signoff:
    """Who has signed a root and who is missing, for each root version that has a say in it."""

    version: int
    by: tuple[tuple[str, Standing], ...]

    @property
    def complete(self) -> bool:
        """Whether every threshold is met."""
        return not any(standing.missing for _, standing in self.by)


def new_root(change: RootChange) -> Metadata[Root]:
    """The first root, unsigned. Raises: UsageError for thresholds that its keys cannot meet."""
    return _apply(Root(version=1, roles={name: Role([], 1) for name in TOP_LEVEL_ROLE_NAMES}), change)


def next_root(trust: Trust, change: RootChange) -> Metadata[Root]:
    """The root after the newest one of `trust`, unsigned. Raises: UsageError."""
    following = _read(trust.chain[-1], "newest root").signed
    following.version += 1
    return _apply(following, change)


def _apply(root: Root, change: RootChange) -> Metadata[Root]:
    root.consistent_snapshot = False
    root.expires = change.expires.replace(microsecond=0)
    _change_role(root, Root.type, change.root)
    _change_role(root, RELEASES, change.releases)
    try:
        require_sound(root)
    except UntrustedRoot as error:
        raise UsageError(f"this root would be of no use: {error}") from error
    return Metadata(root)


def _change_role(root: Root, name: str, change: RoleChange) -> None:
    for text in change.remove:
        root.revoke_key(_key_id(root, name, text), name)
    for owned in change.add:
        root.add_key(owned.for_root, name)
    if change.threshold is not None:
        root.roles[name].threshold = change.threshold


def _key_id(root: Root, role: str, text: str) -> str:
    """The one key of `role` that a person calls `text`: its owner's name, or the start of its id."""
    held = {keyid: root.keys[keyid] for keyid in root.roles[role].keyids}
    found = [keyid for keyid, key in held.items() if _is_called(key, text)]
    if len(found) != 1:
        known = ", ".join(key_name(key) for key in held.values())
        raise UsageError(f"{len(found)} keys of role {role!r} are called {text!r}; it has: {known}")
    return found[0]


def _is_called(key: Key, text: str) -> bool:
    return key.unrecognized_fields.get(NAME_FIELD) == text or (len(text) >= MIN_ID and key.keyid.startswith(text))


def signoff(root: Metadata[Root], previous: Root | None) -> Signoff:
    """Who has signed `root`, as its predecessor demands (none before the first) and as it demands itself."""
    says = [("new", root.signed)] if previous is None else [("old", previous), ("new", root.signed)]
    return Signoff(root.signed.version, tuple((name, _standing(authority, root)) for name, authority in says))


def _standing(authority: Root, root: Metadata[Root]) -> Standing:
    result = authority.get_verification_result(Root.type, root.signed_bytes, root.signatures)
    return Standing(
        result.threshold,
        tuple(sorted(key_name(key) for key in result.signed.values())),
        tuple(sorted(key_name(key) for key in result.unsigned.values())),
    )


def cosign(root: Metadata[Root], previous: Root | None, keys: Sequence[SigningKey], secrets: Secrets) -> None:
    """Add the signatures of `keys` to `root`; one that is there already is left alone.

    Raises:
        UsageError, SigningFailed: a key that has no say in this root, or see `bridge.signing.sign`.
    """
    for key in keys:
        _require_say(root, previous, key.public)
    for key in keys:
        if not has_signed(root, key.public.key):
            sign(root, key, secrets)


def _require_say(root: Metadata[Root], previous: Root | None, owned: OwnedKey) -> None:
    authorities = [root.signed] if previous is None else [previous, root.signed]
    if not any(owned.key.keyid in authority.roles[Root.type].keyids for authority in authorities):
        raise UsageError(f"{owned.name} holds no key of this root or the one before: the signature would not count")


def read_trust(folder: Path) -> Trust:
    """The trust at the end of the chain in `folder`, whose first root is taken on its owner's word.

    Raises:
        UsageError: no `1.root.json` there, or a file that cannot be read.
        UntrustedRoot: the chain does not hold.
    """
    documents = [read_bounded(path, MAX_ROOT_BYTES, "root") for path in _versions(folder)]
    if not documents:
        raise UsageError(f"{folder}/1.root.json is missing: make it with `otabridge root init`, or give --trust")
    trust = Trust.pin(documents[0])
    for document in documents[1:]:
        trust.advance(document)
    return trust


def has_roots(folder: Path) -> bool:
    """Whether `folder` holds a root version."""
    return bool(_versions(folder))


def _versions(folder: Path) -> list[Path]:
    try:
        found = [(_VERSIONED.fullmatch(path.name), path) for path in folder.iterdir()] if folder.is_dir() else []
    except OSError as error:
        raise UsageError(f"trust folder {folder} cannot be read: {error.strerror}") from error
    return [path for _, path in sorted((int(match[1]), path) for match, path in found if match)]


def read_draft(folder: Path) -> Metadata[Root] | None:
    """The root that waits for signatures in `folder`, if any. Raises: UsageError, UntrustedRoot."""
    path = folder / DRAFT
    if not path.exists():
        return None
    draft = _read(read_bounded(path, MAX_ROOT_BYTES, "draft root"), str(path))
    return None if _published(folder, draft).exists() else draft


def _published(folder: Path, root: Metadata[Root]) -> Path:
    """Where `root` lies once it is complete. A crash may leave the draft beside it."""
    return folder / f"{root.signed.version}.root.json"


def _read(document: bytes, what: str) -> Metadata[Root]:
    metadata = read(document, Root, UntrustedRoot, what)
    require_sound(metadata.signed)
    return metadata


def save(folder: Path, root: Metadata[Root], previous: Root | None) -> Path:
    """Write `root`: as the next version when every threshold is met, else as the draft. Returns the file.

    Raises:
        UsageError: larger than a device reads, or not writable.
    """
    document = canonical(root)
    if len(document) > MAX_ROOT_BYTES:
        raise UsageError(f"the root has {len(document)} bytes, devices read up to {MAX_ROOT_BYTES}: list fewer keys")
    if not signoff(root, previous).complete:
        return replace_file(folder / DRAFT, document)
    published = replace_file(_published(folder, root), document)
    (folder / DRAFT).unlink(missing_ok=True)
    return published

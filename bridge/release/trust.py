"""Who may say what: the chain of roots and the judgement of a release. Bytes and a time in, a verdict out.

The rules, after the TUF specification (sections 5.3 and 5.6), with two roles: root and targets ("releases").

1. The first root is pinned by hand; each later one has the next version and is signed by the threshold of the one
   before it and by its own. Only the newest root must be unexpired.
2. A release is signed by the threshold of release keys in the newest root, and is unexpired.
3. Stricter than TUF: the bytes are canonical, hold nothing unsigned, and every signature present verifies, so that a
   file altered anywhere is refused, even where enough other signatures would hold; and a root's threshold counts
   different keys, not different names of one key (`bridge.release.metadata`).
4. A device also holds a release against its own facts: model, hardware, version, floor.

The CLI (`release verify`) and the agent call the same `judge`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from securesystemslib.exceptions import UnverifiedSignatureError, VerificationError
from securesystemslib.signer import Key, Signature
from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, Root, Targets
from tuf.api.serialization.json import JSONSerializer

from bridge.release.errors import (
    AlteredRelease,
    ExpiredRelease,
    IncompatibleRelease,
    MalformedRelease,
    ReleaseError,
    RolledBackRelease,
    UnsignedRelease,
    UntrustedRoot,
)
from bridge.release.manifest import MAX_RELEASE_BYTES, MAX_SIGNATURES, Release, parse
from bridge.release.metadata import Signed, read, require_sound

MAX_ROOT_BYTES = 16 * 1024
MAX_ROOTS = 64
"""Rotations that one offer may carry; a device that is further behind is updated in steps."""
RELEASES = Targets.type
"""TUF's name of the role whose threshold is the approval rule."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What a device knows of itself. `version` is the release version that runs now, None when unknown."""

    model: str
    hardware: str
    version: str | None = None
    floor: int = 1


@dataclass(frozen=True, slots=True)
class Standing:
    """Which keys of a role have signed, out of the `threshold` that must. Names, see `key_name`."""

    threshold: int
    signed: tuple[str, ...]
    unsigned: tuple[str, ...]

    @property
    def missing(self) -> int:
        """How many more signatures the role needs."""
        return max(0, self.threshold - len(self.signed))


@dataclass(frozen=True, slots=True)
class Verdict:
    """All that was found out about a release; `refusal` is the first reason against it, None when it holds."""

    refusal: ReleaseError | None
    release: Release | None = None
    standing: Standing | None = None
    root_version: int = 0
    root_expires: datetime | None = None

    def accepted(self) -> Release:
        """The release. Raises: the refusal, a ReleaseError."""
        if self.refusal is not None:
            raise self.refusal
        if self.release is None:
            raise RuntimeError("a verdict without refusal has a release")
        return self.release


@dataclass(slots=True)
class Trust:
    """The newest root that the chain from the pinned one leads to."""

    root: Root
    chain: list[bytes] = field(default_factory=list)

    @classmethod
    def pin(cls, document: bytes) -> Trust:
        """Trust `document` because a person put it here; it must still be signed by its own threshold.

        Raises:
            UntrustedRoot: it is not a root, or its own keys did not sign it.
        """
        metadata = _read_root(document)
        _require_root_signatures(metadata, metadata.signed)
        return cls(metadata.signed, [document])

    def advance(self, document: bytes) -> None:
        """Follow one rotation; a root that is already behind us is passed over.

        Raises:
            UntrustedRoot: a version is left out, or either threshold is not met. The old root stays.
        """
        metadata = _read_root(document)
        expected = self.root.version + 1
        if metadata.signed.version < expected:
            return
        if metadata.signed.version > expected:
            raise UntrustedRoot(
                f"root version {metadata.signed.version} follows version {self.root.version}; "
                f"version {expected} between them is missing: publish the whole chain"
            )
        _require_root_signatures(metadata, self.root)
        _require_root_signatures(metadata, metadata.signed)
        self.root = metadata.signed
        self.chain.append(document)


def follow(pinned: bytes, later: Sequence[bytes]) -> Trust:
    """The trust at the end of the chain that starts at `pinned`. Raises: UntrustedRoot."""
    if len(later) > MAX_ROOTS:
        raise UntrustedRoot(f"{len(later)} roots in one offer, the limit is {MAX_ROOTS}")
    trust = Trust.pin(pinned)
    for document in later:
        trust.advance(document)
    return trust


def judge(trust: Trust, document: bytes, now: datetime, facts: Facts | None = None) -> Verdict:
    """Hold `document` (a whole `release.json`) against `trust` at time `now` (UTC, aware), and against `facts`.

    Never raises a ReleaseError: every refusal stands in the verdict, beside what could still be found out.
    """
    root = trust.root
    verdict = Verdict(None, root_version=root.version, root_expires=root.expires)
    try:
        metadata = read_release(document)
        release = parse(metadata.signed)
        standing = standing_of(root, metadata)
        verdict = replace(verdict, release=release, standing=standing)
        _require_unaltered(root, metadata, document)
        _require_approval(standing)
        _require_unexpired(root, release, now)
        if facts is not None:
            check_facts(release, facts)
    except ReleaseError as error:
        return replace(verdict, refusal=error)
    return verdict


def read_release(document: bytes) -> Metadata[Targets]:
    """`document` as unverified metadata. Raises: MalformedRelease."""
    if len(document) > MAX_RELEASE_BYTES:
        raise MalformedRelease(f"release.json has {len(document)} bytes, the limit is {MAX_RELEASE_BYTES}")
    metadata = read(document, Targets, MalformedRelease, "release.json")
    if len(metadata.signatures) > MAX_SIGNATURES:
        raise MalformedRelease(f"release.json has {len(metadata.signatures)} signatures, the limit is {MAX_SIGNATURES}")
    return metadata


def canonical(metadata: Metadata[Signed]) -> bytes:
    """The one form in which metadata is written, signatures in order of key ids; a release in another is refused."""
    ordered = Metadata(metadata.signed, dict(sorted(metadata.signatures.items())), metadata.unrecognized_fields)
    return JSONSerializer(compact=False).serialize(ordered) + b"\n"


def standing_of(root: Root, metadata: Metadata[Targets]) -> Standing:
    """Which release keys of `root` have signed `metadata`."""
    result = root.get_verification_result(RELEASES, metadata.signed_bytes, metadata.signatures)
    return Standing(
        result.threshold,
        tuple(sorted(key_name(key) for key in result.signed.values())),
        tuple(sorted(key_name(key) for key in result.unsigned.values())),
    )


def key_name(key: Key) -> str:
    """A key as people know it: the owner's name for it where given, and the start of its id."""
    owner = key.unrecognized_fields.get("x-otabridge-name")
    short = str(key.keyid)[:12]
    return f"{owner} ({short})" if isinstance(owner, str) else short


def check_facts(release: Release, facts: Facts) -> None:
    """Whether `release` is for the device that `facts` describe.

    Raises:
        IncompatibleRelease: other model, hardware revision or starting version.
        RolledBackRelease: sequence below the device's floor.
    """
    wanted = release.compatibility
    if facts.model != wanted.model:
        raise IncompatibleRelease(f"the release is for model {wanted.model!r}, this device is {facts.model!r}")
    if wanted.hardware and facts.hardware not in wanted.hardware:
        listed = ", ".join(wanted.hardware)
        raise IncompatibleRelease(f"the release is for hardware {listed}; this device is {facts.hardware!r}")
    _check_starting_version(release, facts.version)
    if release.sequence < facts.floor:
        raise RolledBackRelease(
            f"sequence {release.sequence} is below this device's floor {facts.floor}: "
            "a later release forbade going back this far"
        )


def _check_starting_version(release: Release, version: str | None) -> None:
    span = release.compatibility.from_version
    if span.least is None and span.most is None:
        return
    if version is None:
        raise IncompatibleRelease(f"the release updates from versions {span}; this device does not know its version")
    try:
        fits = version in span
    except MalformedRelease as error:
        raise IncompatibleRelease(f"the release updates from versions {span}; this device's {error}") from error
    if not fits:
        raise IncompatibleRelease(f"the release updates from versions {span}; this device runs {version}")


def _require_unaltered(root: Root, metadata: Metadata[Targets], document: bytes) -> None:
    for keyid, signature in metadata.signatures.items():
        _require_signature(_release_keys(root), keyid, signature, metadata.signed_bytes)
    if metadata.unrecognized_fields or any(each.unrecognized_fields for each in metadata.signatures.values()):
        raise AlteredRelease("release.json holds fields that no signature covers: fetch the file again as published")
    plain = all(each.signature == bytes.fromhex(each.signature).hex() for each in metadata.signatures.values())
    if not plain or canonical(metadata) != document:
        raise AlteredRelease(
            "release.json is not in canonical form: it was edited or re-serialised after signing; "
            "fetch the file again as it was published"
        )


def _release_keys(root: Root) -> Mapping[str, Key]:
    role = root.get_delegated_role(RELEASES)
    return {keyid: root.keys[keyid] for keyid in role.keyids}


def _require_signature(keys: Mapping[str, Key], keyid: str, signature: Signature, payload: bytes) -> None:
    key = keys.get(keyid)
    if key is None:
        raise AlteredRelease(
            f"signature by key {str(keyid)[:12]}, which is no release key of the root: "
            "the file was altered, or the key was revoked; sign the release anew"
        )
    try:
        key.verify_signature(signature, payload)
    except (UnverifiedSignatureError, VerificationError) as error:
        raise AlteredRelease(
            f"the signature of {key_name(key)} does not match the release: it was altered after signing"
        ) from error


def _require_approval(standing: Standing) -> None:
    if standing.missing:
        have = ", ".join(standing.signed) or "nobody"
        lacking = ", ".join(standing.unsigned)
        raise UnsignedRelease(
            f"signed by {have}; {standing.threshold} signatures are needed, {standing.missing} missing from: {lacking}"
        )


def _require_unexpired(root: Root, release: Release, now: datetime) -> None:
    if root.is_expired(now):
        raise ExpiredRelease(f"root version {root.version} expired at {root.expires:%Y-%m-%d %H:%M} UTC: rotate it")
    if now >= release.expires:
        raise ExpiredRelease(
            f"release {release.name} {release.version} expired at {release.expires:%Y-%m-%d %H:%M} UTC: sign it anew"
        )


def _read_root(document: bytes) -> Metadata[Root]:
    if len(document) > MAX_ROOT_BYTES:
        raise UntrustedRoot(f"a root has {len(document)} bytes, the limit is {MAX_ROOT_BYTES}")
    metadata = read(document, Root, UntrustedRoot, "root")
    require_sound(metadata.signed)
    return metadata


def _require_root_signatures(metadata: Metadata[Root], authority: Root) -> None:
    try:
        authority.verify_delegate(Root.type, metadata.signed_bytes, metadata.signatures)
    except (RepositoryError, ValueError) as error:
        raise UntrustedRoot(
            f"root version {metadata.signed.version} is not signed as root version {authority.version} demands: {error}"
        ) from error

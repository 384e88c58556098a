"""Builder of signed releases for tests: real keys, real TUF metadata, real zstd; nothing is mocked.

kit = ReleaseKit()
package = kit.package(image, version="2.0.0", sequence=2)
package.document    # release.json
package.artifact    # signed description of the one artifact
package.files       # artifact name -> its bytes
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType

from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import Metadata, Root, Targets

from bridge.release.manifest import Artifact, Compatibility, Image, Release, render
from bridge.release.trust import RELEASES, canonical

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

MODEL = "gateway-3"
HARDWARE = "r2"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
EXPIRES = datetime(2027, 3, 1, tzinfo=UTC)
ROOT_EXPIRES = datetime(2030, 1, 1, tzinfo=UTC)
FRAME_BYTES = 16 * 1024
"""Image bytes in a frame of a test artifact: small, so that small images have many."""


@dataclass(frozen=True, slots=True)
class Package:
    """One signed release as published: `files` maps each artifact's name to its bytes."""

    release: Release
    document: bytes
    image: bytes
    files: Mapping[str, bytes]

    @property
    def artifact(self) -> Artifact:
        """The first artifact of the release."""
        return self.release.artifacts[0]


@dataclass(slots=True)
class ReleaseKit:
    """An owner with their keys: `root_keys` and `release_keys` are (threshold, number of keys).

    `roots` is the whole chain of root versions, the pinned one first; `rotate` appends to it.
    """

    root_keys: tuple[int, int] = (2, 3)
    release_keys: tuple[int, int] = (2, 3)
    root_expires: datetime = ROOT_EXPIRES
    root_signers: list[CryptoSigner] = field(default_factory=list)
    release_signers: list[CryptoSigner] = field(default_factory=list)
    roots: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.root_signers = new_signers(self.root_keys[1])
        self.release_signers = new_signers(self.release_keys[1])
        self._publish_root(self.root_signers)

    @property
    def pinned(self) -> bytes:
        """The first root, as a person puts it on a device."""
        return self.roots[0]

    @property
    def later_roots(self) -> tuple[bytes, ...]:
        """Every root after the pinned one, in order."""
        return tuple(self.roots[1:])

    def rotate(self, *, root: bool = True, releases: bool = True, expires: datetime | None = None) -> bytes:
        """Append a root with new keys of the roles named, signed by the old root keys and the new."""
        outgoing = self.root_signers
        self.root_expires = expires or self.root_expires
        if root:
            self.root_signers = new_signers(self.root_keys[1])
        if releases:
            self.release_signers = new_signers(self.release_keys[1])
        self._publish_root([*outgoing, *self.root_signers])
        return self.roots[-1]

    def package(
        self, image: bytes, *, signers: Sequence[CryptoSigner] | None = None, frame_bytes: int = FRAME_BYTES, **changes
    ) -> Package:
        """A signed release of `image` in one full-image artifact; `changes` are fields of Release."""
        data = compress(image, frame_bytes)
        artifact = describe(image, data)
        release = new_release(artifacts=(artifact,), **changes)
        return Package(release, self.sign(release, signers), image, MappingProxyType({artifact.name: data}))

    def sign(self, release: Release, signers: Sequence[CryptoSigner] | None = None) -> bytes:
        """`release.json` of `release`, signed by the threshold of release keys, or by `signers`."""
        chosen = self.release_signers[: self.release_keys[0]] if signers is None else signers
        return sign_targets(render(release), chosen)

    def _publish_root(self, signers: Sequence[CryptoSigner]) -> None:
        root = Root(version=len(self.roots) + 1, expires=self.root_expires)
        root.roles[Root.type].threshold = self.root_keys[0]
        root.roles[RELEASES].threshold = self.release_keys[0]
        for signer in self.root_signers:
            root.add_key(signer.public_key, Root.type)
        for signer in self.release_signers:
            root.add_key(signer.public_key, RELEASES)
        metadata = Metadata(root)
        for signer in signers:
            metadata.sign(signer, append=True)
        self.roots.append(canonical(metadata))


def new_signers(count: int) -> list[CryptoSigner]:
    """`count` fresh Ed25519 keys."""
    return [CryptoSigner.generate_ed25519() for _ in range(count)]


def new_release(**changes) -> Release:
    """A release for the test device: feature, version 2.0.0, sequence 2, unless `changes` say otherwise."""
    fields = {
        "name": "gateway-os",
        "version": "2.0.0",
        "sequence": 2,
        "compatibility": Compatibility(MODEL, (HARDWARE,)),
        "expires": EXPIRES,
    }
    return Release(**{**fields, **changes})


def sign_targets(targets: Targets, signers: Sequence[CryptoSigner]) -> bytes:
    """`targets` signed by `signers`, in canonical bytes."""
    metadata = Metadata(targets)
    for signer in signers:
        metadata.sign(signer, append=True)
    return canonical(metadata)


def compress(image: bytes, frame_bytes: int = FRAME_BYTES) -> bytes:
    """`image` as one zstd stream of independent frames of `frame_bytes` image bytes each."""
    starts = range(0, len(image), frame_bytes)
    return b"".join(zstd.compress(image[start : start + frame_bytes]) for start in starts)


def describe(image: bytes, data: bytes, name: str = "rootfs.img.zst") -> Artifact:
    """The artifact whose bytes are `data` and whose image is `image`."""
    return Artifact(name, len(data), sha256(data), Image(len(image), sha256(image)))


def sha256(data: bytes) -> str:
    """sha256 of `data` in lower-case hex."""
    return hashlib.sha256(data).hexdigest()

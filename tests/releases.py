"""Builder of signed releases for tests: real keys, real TUF metadata, real payloads; nothing is mocked.

kit = ReleaseKit()
package = kit.package(image, version="2.0.0", sequence=2)
package.document    # release.json
package.artifact    # signed description of the full artifact
package.files       # artifact name -> its bytes

package = kit.package(image, sources=[old])     # also a delta from each of these images
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from types import MappingProxyType

from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import Metadata, Root, Targets

from bridge.delta.coding import Bz2, Coding, Zstd, code_frame
from bridge.delta.container import Pair, Task, prove, write_payload
from bridge.delta.cutting import Limits, cut_frames, cut_spans
from bridge.delta.steps import BLOCK_BYTES, Add, Copy, Literal, Step, Zero, whole_image
from bridge.release.delta.header import FIXED_BYTES, decode_header, rest_of_header
from bridge.release.image import Image
from bridge.release.manifest import Artifact, Compatibility, Release, render
from bridge.release.trust import RELEASES, canonical

MODEL = "gateway-3"
HARDWARE = "r2"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
EXPIRES = datetime(2027, 3, 1, tzinfo=UTC)
FULL_NAME = "rootfs.full"
ROOT_EXPIRES = datetime(2030, 1, 1, tzinfo=UTC)
FRAME_BYTES = 48 * 1024
SPAN_BYTES = 8 * 1024
"""Bytes in a frame and a span of a test artifact: small, so that small images have many."""
QUICK = Coding(control=(Zstd(3),), diff=(Bz2(),), extra=(Zstd(3),))


@dataclass(frozen=True, slots=True)
class Package:
    """One signed release as published: `files` maps each artifact's name to its bytes."""

    release: Release
    document: bytes
    image: bytes
    files: Mapping[str, bytes]

    @property
    def artifact(self) -> Artifact:
        """The full artifact of the release."""
        return self.release.full

    @property
    def delta(self) -> Artifact:
        """The first delta of the release."""
        return next(each for each in self.release.artifacts if each.source is not None)


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
        self,
        image: bytes,
        *,
        sources: Sequence[bytes] = (),
        signers: Sequence[CryptoSigner] | None = None,
        frame_bytes: int = FRAME_BYTES,
        **changes,
    ) -> Package:
        """A signed release of `image`, whole and as a delta from each of `sources`; `changes` are fields of Release."""
        full = whole(image, frame_bytes)
        made = [(describe(image, full), full)]
        for number, old in enumerate(sources, start=1):
            data = delta(old, image, frame_bytes // 4)
            made.append((describe(image, data, f"rootfs.{number}.delta", old), data))
        return self.bundle(image, made, signers, **changes)

    def bundle(
        self,
        image: bytes,
        made: Sequence[tuple[Artifact, bytes]],
        signers: Sequence[CryptoSigner] | None = None,
        **changes,
    ) -> Package:
        """A signed release of these artifacts, each with its bytes, whatever they are."""
        release = new_release(artifacts=tuple(artifact for artifact, _ in made), **changes)
        files = {artifact.name: data for artifact, data in made}
        return Package(release, self.sign(release, signers), image, MappingProxyType(files))

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


@dataclass(frozen=True, slots=True)
class InMemory:
    """An image to be read."""

    data: bytes

    def pread(self, offset: int, length: int) -> bytes:
        """See bridge.release.delta.spans.Source."""
        return self.data[offset : offset + length]


def whole(image: bytes, frame_bytes: int = FRAME_BYTES) -> bytes:
    """The payload that brings all of `image`, in frames of so many bytes."""
    return write(whole_image(InMemory(image), len(image)), image, b"", frame_bytes)


def delta(old: bytes, new: bytes, frame_bytes: int = FRAME_BYTES, claim: Image | None = None) -> bytes:
    """The payload that makes `new` of `old`, block by block at the same place; it says that it makes `claim`."""
    return write(steps_between(old, new), new, old, frame_bytes, claim)


def write(
    steps: Iterator[Step], new: bytes, old: bytes, frame_bytes: int = FRAME_BYTES, claim: Image | None = None
) -> bytes:
    """The payload of `steps`."""
    limits = Limits(span=SPAN_BYTES, frame=frame_bytes, operations=40, alone=SPAN_BYTES, gap=64)
    task = Task(claim or image_of(new), image_of(old) if old else None)
    spans = prove(cut_spans(steps, limits, len(old)), task, Pair(InMemory(new), InMemory(old)))
    output = io.BytesIO()
    write_payload(output, task, (code_frame(frame, QUICK) for frame in cut_frames(spans, limits)))
    return output.getvalue()


def demanding(data: bytes, memory: int) -> bytes:
    """The payload `data`, sound but for a header that declares so many bytes of memory."""
    end = FIXED_BYTES + rest_of_header(data[:FIXED_BYTES])
    header = decode_header(data[:end])
    return replace(header, terms=replace(header.terms, memory=memory)).encode() + data[end:]


def steps_between(old: bytes, new: bytes) -> Iterator[Step]:
    """A block that is the same is copied, one that changed is added to, one that the old image lacks is new."""
    for at in range(0, len(new), BLOCK_BYTES):
        block = new[at : at + BLOCK_BYTES]
        base = old[at : at + len(block)]
        if not any(block):
            yield Zero(len(block))
        elif base == block:
            yield Copy(len(block), at)
        elif len(base) == len(block):
            yield Add(bytes((a - b) % 256 for a, b in zip(block, base, strict=True)), at)
        else:
            yield Literal(block)


def describe(image: bytes, data: bytes, name: str = FULL_NAME, old: bytes = b"") -> Artifact:
    """The artifact whose bytes are `data` and whose image is `image`, made from `old` where there is one."""
    source = image_of(old) if old else None
    return Artifact(name, len(data), sha256(data), image_of(image), source=source)


def pretended(artifact: Artifact, count: int) -> tuple[Artifact, ...]:
    """`artifact`, a full one, and so many deltas beside it that nobody could apply."""
    image = artifact.image
    return (
        artifact,
        *(
            Artifact(f"delta-{number}", 1, sha256(b""), image, source=image_of(b"%d" % number))
            for number in range(count)
        ),
    )


def image_of(data: bytes) -> Image:
    """Length and sha256."""
    return Image(len(data), sha256(data))


def sha256(data: bytes) -> str:
    """sha256 of `data` in lower-case hex."""
    return hashlib.sha256(data).hexdigest()

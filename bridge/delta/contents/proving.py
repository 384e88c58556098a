"""Proves of candidates that they unpack and, of the new image, that packing gives the very same bytes again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b

from bridge.delta.contents.candidates import Candidate
from bridge.release.delta.errors import MalformedPayload
from bridge.release.delta.packing import Packing
from bridge.release.delta.spans import Source

DIGEST_BYTES = 16
BATCH_BYTES = 1 << 20
"""Stored bytes of one task."""
BATCHES = 64
"""Tasks that wait at once."""


@dataclass(frozen=True, slots=True)
class Proved:
    """A candidate that unpacks to `raw` bytes. It packs again in `way`; or, where `packs` is off, need not."""

    candidate: Candidate
    raw: int
    way: Packing
    digest: bytes
    packs: bool


def digest_of(stored: bytes) -> bytes:
    """Tells streams apart; whoever relies on it compares their bytes."""
    return blake2b(stored, digest_size=DIGEST_BYTES).digest()


def prove_old(image: Source, candidates: Sequence[Candidate], executor: Executor) -> Iterator[Proved]:
    """Those that unpack, in order."""
    return _prove(partial(_unpacks, image), candidates, executor)


def prove_new(
    image: Source, candidates: Sequence[Candidate], known: set[bytes], executor: Executor
) -> Iterator[Proved]:
    """Those that pack bit by bit, in order; one whose digest is `known` is in the old image and needs no packing."""
    return _prove(partial(_packs, image, known), candidates, executor)


def _prove(
    proof: Callable[[Candidate], Proved | None], candidates: Sequence[Candidate], executor: Executor
) -> Iterator[Proved]:
    tasks = list(_batches(candidates))
    for start in range(0, len(tasks), BATCHES):
        for proved in executor.map(partial(_all, proof), tasks[start : start + BATCHES]):
            yield from proved


def _batches(candidates: Iterable[Candidate]) -> Iterator[list[Candidate]]:
    batch: list[Candidate] = []
    for candidate in candidates:
        batch.append(candidate)
        if sum(item.length for item in batch) >= BATCH_BYTES:
            yield batch
            batch = []
    if batch:
        yield batch


def _all(proof: Callable[[Candidate], Proved | None], batch: Iterable[Candidate]) -> list[Proved]:
    return [proved for candidate in batch if (proved := proof(candidate))]


def _unpacks(image: Source, candidate: Candidate) -> Proved | None:
    stored = image.pread(candidate.offset, candidate.length)
    raw = _unpacked(candidate, stored)
    return Proved(candidate, len(raw), candidate.ways[0], digest_of(stored), packs=False) if raw else None


def _packs(image: Source, known: set[bytes], candidate: Candidate) -> Proved | None:
    stored = image.pread(candidate.offset, candidate.length)
    raw, digest = _unpacked(candidate, stored), digest_of(stored)
    if not raw:
        return None
    if digest in known:
        return Proved(candidate, len(raw), candidate.ways[0], digest, packs=False)
    way = next((way for way in candidate.ways if way.pack(raw) == stored), None)
    return Proved(candidate, len(raw), way, digest, packs=True) if way else None


def _unpacked(candidate: Candidate, stored: bytes) -> bytes:
    """Empty where it is no such stream."""
    try:
        return candidate.ways[0].unpack_up_to(stored, candidate.most)
    except MalformedPayload:
        return b""

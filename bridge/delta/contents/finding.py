"""Finds the packed streams of two images that a device can unpack and pack again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Protocol

from bridge.delta.contents.advice import identity, inexact
from bridge.delta.contents.candidates import Candidate, Found, Image
from bridge.delta.contents.proving import Proved, prove_new, prove_old
from bridge.delta.contents.searching import search
from bridge.delta.steps import Stored
from bridge.release.delta.header import MAX_PACKINGS
from bridge.release.delta.packing import Packing

MOST = 8 << 20
"""Bytes unpacked of the largest stream: a block of LZ4 in a kernel image."""

WORTH = 4096
"""Bytes of new streams, as stored, that must have changed: less does not pay for looking at unpacked images."""


class Progress(Protocol):
    """Who looks on."""

    def advance(self, count: int) -> None:
        """`count` more bytes of the two images are done."""


@dataclass(frozen=True, slots=True)
class Contents:
    """The packed streams of both images, sorted and disjoint, and the ways of packing that they name.

    Old ones unpack. New ones pack again bit by bit, or are in the old image as they are. `notes` are for people: what
    cannot be made exact, where, and what whoever builds the image can do about it.
    """

    old: tuple[Stored, ...] = ()
    new: tuple[Stored, ...] = ()
    packings: tuple[Packing, ...] = ()
    notes: tuple[str, ...] = ()


def find_contents(old: Image, new: Image, executor: Executor, progress: Progress, *, most: int = MOST) -> Contents:
    """What is packed in both images, in streams of at most `most` bytes unpacked; nothing where all of it has stayed.

    `executor` does the work; threads will do. `progress` advances by the bytes of both images.
    """
    found_old, found_new = search(old, executor, most), search(new, executor, most)
    proved_old = list(prove_old(old, _within(found_old, most), executor))
    progress.advance(old.length)
    known = {proved.digest for proved in proved_old}
    proved_new = list(prove_new(new, _within(found_new, most), known, executor))
    progress.advance(new.length)
    done = {proved.candidate for proved in proved_new}
    failed = (candidate for candidate in found_new.candidates if candidate not in done)
    notes = (*found_new.notes, *inexact(failed, most), *identity(old, new))
    if sum(proved.candidate.length for proved in proved_new if proved.packs) < WORTH:
        return Contents(notes=notes)
    packings = _packings(proved_new, proved_old)
    return Contents(_stored(proved_old, packings), _stored(proved_new, packings), packings, notes)


def _within(found: Found, most: int) -> list[Candidate]:
    return [candidate for candidate in found.candidates if candidate.most <= most]


def _packings(new: Sequence[Proved], old: Sequence[Proved]) -> tuple[Packing, ...]:
    """The ways that pack most, then those that only unpack."""
    sizes: Counter[Packing] = Counter()
    for proved in (*new, *old):
        sizes[proved.way] += proved.raw if proved.packs else 0
    chosen: list[Packing] = []
    for way, size in sorted(sizes.items(), key=lambda item: (-item[1], item[0].encode())):
        if size or not any(way.unpacks_like(other) for other in chosen):
            chosen.append(way)
    return tuple(chosen[:MAX_PACKINGS])


def _stored(proved: Iterable[Proved], packings: Sequence[Packing]) -> tuple[Stored, ...]:
    """In the ways of `packings`; the others are left out."""
    rows = ((item.candidate, item.raw, _index(item, packings)) for item in proved)
    return tuple(Stored(found.offset, found.length, raw, index) for found, raw, index in rows if index is not None)


def _index(proved: Proved, packings: Sequence[Packing]) -> int | None:
    if proved.packs:
        return packings.index(proved.way) if proved.way in packings else None
    return next((index for index, way in enumerate(packings) if way.unpacks_like(proved.way)), None)

"""Searches one image for packed streams: file systems first, then frames of LZ4, then whatever lies between them."""

from __future__ import annotations

import sys
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from concurrent.futures import Executor

from bridge.delta.contents.advice import foreign
from bridge.delta.contents.candidates import Found, Image
from bridge.delta.contents.filesystems import blocks_of
from bridge.delta.contents.lz4_frames import frame_at
from bridge.delta.contents.scanning import Magic, scan
from bridge.delta.contents.squashfs import Squashfs, find_squashfs
from bridge.delta.contents.zlib_streams import find_streams, gzip_at, zlib_at


def search(image: Image, executor: Executor, most: int) -> Found:
    """What `image` seems to hold, in streams of at most `most` bytes unpacked."""
    places = scan(image, image.length, executor)
    found = Found()
    taken: list[range] = []
    for squashfs in _squashfs(image, places[Magic.SQUASHFS]):
        _add(found, blocks_of(image, squashfs))
        taken.append(range(squashfs.offset, squashfs.end))
    for place in _free(places[Magic.LZ4_LEGACY], taken):
        if candidates := frame_at(image, place, image.length):
            _add(found, Found(candidates))
            taken.append(range(place, candidates[-1].end))
    for magic, look in ((Magic.GZIP, gzip_at), (Magic.ZLIB, zlib_at)):
        streams = list(find_streams(image, _free(places[magic], taken), look, executor, most))
        _add(found, Found(streams))
        taken += [range(stream.offset, stream.end) for stream in streams]
    found.notes.extend(foreign(image, {magic: _free(row, taken) for magic, row in places.items()}))
    found.candidates.sort(key=lambda candidate: candidate.offset)
    return found


def _squashfs(image: Image, places: Iterable[int]) -> Iterable[Squashfs]:
    """Those that stand alone: one inside another is a file of it."""
    end = 0
    for place in places:
        if place >= end and (squashfs := find_squashfs(image, place, image.length)):
            yield squashfs
            end = squashfs.end


def _free(places: Iterable[int], taken: Iterable[range]) -> list[int]:
    """Those of `places`, in order, that lie in none of `taken`, which are disjoint."""
    rows = sorted((row.start, row.stop) for row in taken)
    return [place for place in places if not _is_in(rows, place)]


def _is_in(rows: Sequence[tuple[int, int]], place: int) -> bool:
    index = bisect_right(rows, (place, sys.maxsize)) - 1
    return index >= 0 and place < rows[index][1]


def _add(found: Found, more: Found) -> None:
    found.candidates.extend(more.candidates)
    found.notes.extend(more.notes)

"""Every state in which a power cut at one place of a tape can leave the medium; where they are too many, a sample.

Until a sync each sector that was written may be there or not, in any of the contents it had since, in any order; a
file may have its new length without its data; and the names are there up to any one of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, product
from math import prod
from random import Random

from tests.agent.power import SECTOR
from tests.sweep.media import Content, File, Medium, Model, is_read

BLOCK = 4096 // SECTOR
"""Sectors that a medium with blocks of 4096 bytes writes at once."""
Pick = Sequence[int]
"""For each sector on its way which of its contents is there: 0 the durable one, else counted from the oldest."""


@dataclass(frozen=True, slots=True)
class Breadth:
    """How many states of one place are looked at.

    All where they are at most `all_up_to`. Else each in which one run of sectors is lost, and each in which only that
    run is there, with bounds at every `grain`-th sector; every set of blocks, where those are at most `all_up_to`;
    each sector in each of its older contents; and `draws` by lot.
    """

    all_up_to: int = 512
    grain: int = 1
    draws: int = 96


def media(model: Model, breadth: Breadth, random: Random) -> Iterator[Medium]:
    """The states in which `model` may be left by a power cut now, some of them more than once."""
    telling = (number for number, naming in enumerate(model.namings, start=1) if is_read(naming.path))
    for count in (0, *telling):
        names = model.named(count)
        settled = {path: file.settled for path, file in names.items()}
        pending = {path: file for path, file in names.items() if file.is_pending and is_read(path)}
        for contents in _choices(list(pending.values()), breadth, random):
            yield Medium({**settled, **dict(zip(pending, contents, strict=True))})


def _choices(files: Sequence[File], breadth: Breadth, random: Random) -> Iterator[tuple[Content, ...]]:
    counts = [len(versions) for file in files for versions in file.versions.values()]
    for pick in picks(counts, breadth, random):
        rest = iter(pick)
        landed = [_landed(file, islice(rest, len(file.versions))) for file in files]
        yield from product(*(_lengths(file, each) for file, each in zip(files, landed, strict=True)))


def _landed(file: File, pick: Iterator[int]) -> dict[int, int]:
    return {
        sector: versions[index - 1]
        for (sector, versions), index in zip(file.versions.items(), pick, strict=True)
        if index
    }


def _lengths(file: File, landed: Mapping[int, int]) -> Iterator[Content]:
    for length in sorted({file.shortest(landed), len(file.live)}):
        yield file.content(landed, length)


def picks(counts: Sequence[int], breadth: Breadth, random: Random) -> Iterator[Pick]:
    """What may be there of sectors with so many contents each."""
    if prod(count + 1 for count in counts) <= breadth.all_up_to:
        return product(*(range(count + 1) for count in counts))
    return _sample(counts, breadth, random)


def _sample(counts: Sequence[int], breadth: Breadth, random: Random) -> Iterator[Pick]:
    yield from _by_runs(counts, breadth.grain)
    yield from _by_blocks(counts, breadth.all_up_to)
    for at, count in enumerate(counts):
        yield from ([*counts[:at], older, *counts[at + 1 :]] for older in range(1, count))
    for number in range(breadth.draws):
        yield _drawn(counts, (0.1, 0.5, 0.9)[number % 3], 1 if number % 2 else BLOCK, random)


def _by_runs(counts: Sequence[int], grain: int) -> Iterator[Pick]:
    """A write that is torn, one that overtakes another, one sector alone and all but one are runs as well."""
    size = len(counts)
    none = [0] * size
    for start in range(0, size, grain):
        for end in range(start + grain, size + grain, grain):
            yield [*counts[:start], *none[start:end], *counts[end:]]
            yield [*none[:start], *counts[start:end], *none[end:]]


def _by_blocks(counts: Sequence[int], all_up_to: int) -> Iterator[Pick]:
    blocks = -(-len(counts) // BLOCK)
    if 2**blocks <= all_up_to:
        for there in product((False, True), repeat=blocks):
            yield [count if there[index // BLOCK] else 0 for index, count in enumerate(counts)]


def _drawn(counts: Sequence[int], share: float, grain: int, random: Random) -> Pick:
    """About a `share` of the sectors, by groups of `grain`, each in any of its contents."""
    kept = [random.random() < share for _ in range(0, len(counts), grain)]
    return [random.randint(1, count) if kept[index // grain] else 0 for index, count in enumerate(counts)]

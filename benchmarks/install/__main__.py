"""Installs one image with the agent, with its peers, and as fast as the disk allows; says what each took.

    python -m benchmarks.install [OLD NEW] [--rounds 5] [--cache DIR] [--only NAME ...]

OLD is what the device runs, NEW what comes; without them, a root file system of Debian before and after security
updates, as `benchmarks.delta` makes it. Everybody takes turns; each installation is made from a cold and from a hot
page cache, into a slot that holds noise, and runs until the slot is durable. Figures are medians, with the least and
the most; a ratio is the median of the ratios of one round. The peers need root; one that cannot run is skipped by name.

The last line says how the full install stands at its worse temperature. The exit code is 1 when it takes more than
1.3 times the limit, or longer than the fastest peer that verifies what it installs.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from benchmarks.install.caches import can_drop_all
from benchmarks.install.contestants import MAKERS, Surroundings, prepare
from benchmarks.install.limit import NAME as LIMIT
from benchmarks.install.measuring import measure
from benchmarks.install.otabridge import FULL
from benchmarks.install.payload import Payload, payload_in
from benchmarks.install.rounds import Results, play
from benchmarks.install.serving import serving
from benchmarks.install.table import MIB, judge, render

CACHES = Path.home() / ".cache/otabridge"
IMAGES = ("rootfs-sec_old.ext4", "rootfs-new.ext4")
ROUNDS = 5


def main() -> int:
    """Measure, print, and fail when a bar is missed."""
    chosen = parse()
    chosen.cache.mkdir(parents=True, exist_ok=True)
    cache = chosen.cache.resolve()
    payload = payload_in(cache, *(chosen.images or built()))
    results = compete(payload, cache, chosen)
    describe(payload, chosen.rounds)
    print(*render(results, LIMIT), sep="\n")
    return verdict_on(results)


def verdict_on(results: Results) -> int:
    """Print the last line; the exit code."""
    if not {FULL, LIMIT} <= {facts.name for facts in results.facts}:
        print(f"install: not judged, for want of {FULL!r} or {LIMIT!r}")
        return 1
    verdict = judge(results, FULL, LIMIT)
    print(verdict)
    return 0 if verdict.holds else 1


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.install", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("images", nargs="*", type=Path, metavar="OLD NEW", help="files")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="installations of each at each temperature")
    parser.add_argument("--cache", type=Path, default=CACHES / "install", metavar="DIR", help="of packed images; slots")
    parser.add_argument(
        "--only", nargs="+", choices=MAKERS, default=list(MAKERS), metavar="NAME", help="leave out others"
    )
    chosen = parser.parse_args()
    if len(chosen.images) not in (0, 2):
        parser.error("images come as a pair: OLD NEW")
    return chosen


def built() -> tuple[Path, ...]:
    """The pair of images that `benchmarks.delta` makes and keeps."""
    from benchmarks.delta.building import Cache, Unbuilt  # here: a pair on the command line needs none of it
    from benchmarks.delta.pairs import declared

    images = Cache.at(CACHES / "pairs", declared())
    try:
        return tuple(map(images.image, IMAGES))
    except Unbuilt as reason:
        sys.exit(f"the default images cannot be made: {reason}; name OLD NEW instead")


def compete(payload: Payload, cache: Path, chosen: argparse.Namespace) -> Results:
    with scratch(cache) as folder, serving(cache, folder / "server.log") as server:
        others = frozenset({server.pid})
        ready, skipped = prepare(chosen.only, Surroundings(payload, server), folder, say)
        results = play(ready, chosen.rounds, lambda each, state: measure(each, payload, state, others), say)
    return replace(results, skipped=(*skipped, *results.skipped))


@contextmanager
def scratch(cache: Path) -> Iterator[Path]:
    """A folder for slots, beside what is kept: on the same disk, below what is served."""
    folder = Path(tempfile.mkdtemp(prefix="work-", dir=cache))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def say(text: str) -> None:
    """Progress, away from the tables."""
    print(text, file=sys.stderr, flush=True)


def describe(payload: Payload, rounds: int) -> None:
    dropped = "every page cache" if can_drop_all() else "the files read (only root may drop every page cache)"
    length = payload.new.stat().st_size / MIB
    print(f"{payload.new.name}, {length:.0f} MiB, over {payload.old.name}; {rounds} rounds; cold: without {dropped}\n")


if __name__ == "__main__":
    sys.exit(main())

"""Deltas of real images, ours beside the peers': sizes, CPU, memory.

    python -m benchmarks.delta [OLD NEW]... [--only PAIR]... [--quick] [--cache DIR]

The last line is `delta: pairs N, behind: K`: K counts the pairs on which ours is over 0.5 % larger than the smallest
peer, or takes more than 64 MB (64,000,000 bytes, the peak of the whole process) to apply. The exit code is 1 when K is
not 0. Pairs are made of packages on the first run; what was measured is kept, and an interrupted run goes on.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.delta import ours
from benchmarks.delta.building import Cache, Unbuilt
from benchmarks.delta.locking import lock
from benchmarks.delta.measuring import Limits
from benchmarks.delta.pairs import Declared, Mark, Pair, declared
from benchmarks.delta.peers import PEERS, XZ
from benchmarks.delta.results import Results
from benchmarks.delta.running import Runner, Work
from benchmarks.delta.table import PAGE, behind, report
from benchmarks.delta.tools import Outcome, Tool

CACHE = Path.home() / ".cache/otabridge/pairs"


def main() -> int:
    """Measure, print the report, and fail when ours is behind."""
    arguments = parse()
    known = declared()
    cache = Cache.at(arguments.cache, known)
    if arguments.lock:
        return write_locks(known, cache)
    runner = runner_of(arguments)
    skipped: dict[str, str] = {}
    measured = [runner.measure(work) for work in all_work(arguments, known, cache, skipped)]
    lines = "\n".join(report(measured, skipped, runner.versions()[0])) + "\n"
    sys.stdout.write(lines)
    if arguments.markdown:
        arguments.markdown.write_text(PAGE + lines)
    return 1 if behind(measured) else 0


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.delta", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("images", nargs="*", type=Path, metavar="OLD NEW", help="more pairs: files")
    parser.add_argument("--alone", action="store_true", help="only OLD NEW, not the declared pairs")
    parser.add_argument("--only", action="append", default=[], metavar="PAIR", help="of the declared pairs; repeatable")
    parser.add_argument("--quick", action="store_true", help="only declared pairs that take seconds")
    parser.add_argument("--tool", action="append", default=[], metavar="NAME", help="only tools whose name begins so")
    parser.add_argument("--effort", action="append", default=[], choices=ours.EFFORTS, help="besides `default`")
    parser.add_argument("--lock", action="store_true", help="write the newest versions to locks/, measure nothing")
    add_places(parser)
    add_limits(parser)
    arguments = parser.parse_args()
    if len(arguments.images) % 2:
        parser.error("images come in pairs: OLD NEW")
    return arguments


def add_places(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--cache", type=Path, default=CACHE, metavar="DIR", help="of packages, images, results")
    parser.add_argument("--results", type=Path, metavar="DIR", help="what was measured (`results` of the cache)")
    parser.add_argument("--kept", action="store_true", help="run nothing: show what is kept")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the report there too, as a page")


def add_limits(parser: argparse.ArgumentParser) -> None:
    limits = Limits()
    parser.add_argument("--cpu", type=int, default=limits.cpu, metavar="SECONDS", help="that a process may take")
    parser.add_argument("--memory", type=float, default=limits.memory / 1e9, metavar="GB", help="private, of a process")
    parser.add_argument("--wall", type=int, default=limits.wall, metavar="SECONDS", help="that a command may take")


def runner_of(arguments: argparse.Namespace) -> Runner:
    limits = Limits(arguments.cpu, int(arguments.memory * 1e9), arguments.wall)
    results = Results(arguments.results or arguments.cache / "results")
    return Runner(results, limits, chosen_tools(arguments), arguments.cache / "scratch", show, arguments.kept)


def chosen_tools(arguments: argparse.Namespace) -> list[Tool]:
    efforts = dict.fromkeys(["default", *arguments.effort])
    tools = [XZ, ours.FULL, *map(ours.delta, efforts), *PEERS]
    return [tool for tool in tools if not arguments.tool or tool.name.startswith(tuple(arguments.tool))]


def all_work(arguments: argparse.Namespace, known: Declared, cache: Cache, skipped: dict[str, str]) -> Iterator[Work]:
    """Pairs whose images are there, the given ones last. What cannot be built is named in `skipped`."""
    for pair in [] if arguments.alone else chosen_pairs(arguments, known):
        try:
            yield Work(pair, *cache.pair(pair))
        except Unbuilt as reason:
            skipped[pair.name] = str(reason)
    for old, new in zip(arguments.images[::2], arguments.images[1::2], strict=True):
        yield Work(Pair(f"{old.name} to {new.name}", Mark.GIVEN, "given", str(old), str(new)), old, new)


def chosen_pairs(arguments: argparse.Namespace, known: Declared) -> list[Pair]:
    try:
        return [pair for pair in known.chosen(frozenset(arguments.only)) if pair.quick or not arguments.quick]
    except KeyError as unknown:
        sys.exit(f"no pair {unknown.args[0]}; there are {', '.join(pair.name for pair in known.pair)}")


def show(pair: str, tool: str, outcome: Outcome | None) -> None:
    """Progress, away from the report."""
    if outcome is None:
        print(f"{pair}: {tool} ... ", end="", file=sys.stderr, flush=True)
    else:
        print(outcome.reason or f"{outcome.size:,}", file=sys.stderr, flush=True)


def write_locks(known: Declared, cache: Cache) -> int:
    for name, closure in known.closure.items():
        print(f"{name}: {lock(name, closure, cache.trees.packages)} packages")
    return 0


if __name__ == "__main__":
    sys.exit(main())

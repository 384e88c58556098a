"""The report: a summary of all pairs, then all tools of each. Markdown whose columns line up, so it reads as text."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from benchmarks.delta import ours, peers
from benchmarks.delta.judging import Measured, Verdict, judge
from benchmarks.delta.measuring import Cost
from benchmarks.delta.pairs import Mark
from benchmarks.delta.tools import Outcome

SUMMARY = ("pair", "known", "image", "bytes", "full xz", "ours", "of xz", "smallest peer", "its size", "ours to it", "")
TOOLS = ("tool", "size", "to ours", "of xz", "of full", "make CPU s", "make MB", "apply CPU s", "apply MB", "")
PEERS = frozenset(tool.name for tool in peers.PEERS)
PAGE = """# Deltas beside the peers'

Written by `make bench-delta`; the last line counts. A pair is marked `tuned` where settings of the maker were chosen on
it, `research` where its sizes under earlier prototypes were known, and `held out` where nothing was known of it: only
the last say how the maker does on images that it has not met. A lead of 1 to 3 % is what another setting of a peer may
make good.

`ours to it` is our size against that of the smallest peer that gave back the image; `of xz` and `of full` are shares of
the new image under `xz -6` and of our own full artifact. CPU is user and system over all processes. MB are 10^6 bytes:
the peak of resident memory, of the whole tree where there are several processes. All commands are started by the same
program of about 10 MB, below which no peak can be seen. Ours is made by `otabridge delta make` and applied by the
device's own applier in a process of its own. Each process has the same limits; what met them is DNF, with the reason.

The images are made of Debian packages and wheels, all versions pinned in `benchmarks/delta/pairs.toml` and
`benchmarks/delta/locks/`. A pair whose package has left the archive is skipped by name. `python -m benchmarks.delta
--lock` pins what the archive has now, which makes root file systems that nobody has met.

"""
"""What the report begins with where it is a page."""
LEFT = {"pair", "known", "image", "smallest peer", "tool", ""}


def report(measured: Sequence[Measured], skipped: Mapping[str, str], versions: Mapping[str, str]) -> Iterator[str]:
    """Lines, the last of which counts the pairs that were judged and those on which ours is behind."""
    yield from _summary(measured)
    yield ""
    for each in measured:
        yield from _pair(each)
        yield ""
    yield from (f"Skipped {name}: {reason}." for name, reason in skipped.items())
    yield f"Versions: {'; '.join(sorted(set(versions.values())))}."
    yield ""
    yield last_line(measured)


def last_line(measured: Iterable[Measured]) -> str:
    """`delta: pairs N, behind: K`."""
    verdicts = [verdict for each in measured if (verdict := judge(each, PEERS))]
    return f"delta: pairs {len(verdicts)}, behind: {sum(verdict.behind for verdict in verdicts)}"


def behind(measured: Iterable[Measured]) -> int:
    """On how many pairs ours is behind."""
    return sum(verdict.behind for each in measured if (verdict := judge(each, PEERS)))


def _summary(measured: Sequence[Measured]) -> Iterator[str]:
    rows = []
    for mark in Mark:
        rows += [_summary_row(each, judge(each, PEERS)) for each in measured if each.mark is mark]
    return aligned(SUMMARY, rows)


def _summary_row(each: Measured, verdict: Verdict | None) -> tuple[str, ...]:
    full, mine = _size(each, peers.XZ.name), _size(each, ours.NAME)
    head = (each.name, each.mark.value, each.kind, f"{each.new:,}", _number(full), _number(mine), _share(mine, full))
    if verdict is None:
        return (*head, "", "", "", "not judged")
    said = f"behind: {', '.join(verdict.faults)}" if verdict.behind else ""
    return (*head, verdict.peer, f"{verdict.size:,}", _change(mine, verdict.size), said)


def _pair(each: Measured) -> Iterator[str]:
    yield f"### {each.name} ({each.mark.value}): {each.kind}, {each.old:,} to {each.new:,} bytes"
    yield ""
    mine, xz, full = (_size(each, name) for name in (ours.NAME, peers.XZ.name, ours.FULL.name))
    rows = [_tool_row(name, outcome, mine, xz, full) for name, outcome in _ranked(each.outcomes)]
    absent = [(name, *[""] * 8, f"skipped: {reason}") for name, reason in each.absent.items()]
    yield from aligned(TOOLS, [*rows, *absent])


def _ranked(outcomes: Mapping[str, Outcome]) -> list[tuple[str, Outcome]]:
    """Smallest first, what did not finish last."""
    return sorted(outcomes.items(), key=lambda item: (bool(item[1].reason), item[1].size or 0, item[0]))


def _tool_row(name: str, outcome: Outcome, mine: int | None, xz: int | None, full: int | None) -> tuple[str, ...]:
    size = outcome.size
    ratio = f"{size / mine:.2f}" if size and mine else ""
    shares = (_share(size, xz), _share(size, full))
    costs = (*_cost(outcome.make), *_cost(outcome.apply))
    label = name if name in PEERS or name.startswith("full") else f"**{name}**"
    return (label, _number(size), ratio, *shares, *costs, f"DNF, {outcome.reason}" if outcome.reason else "")


def _cost(cost: Cost | None) -> tuple[str, str]:
    return (f"{cost.cpu:.1f}", f"{cost.peak / 1e6:.0f}") if cost else ("", "")


def _size(each: Measured, name: str) -> int | None:
    outcome = each.outcomes.get(name)
    return None if outcome is None or outcome.reason else outcome.size


def _number(size: int | None) -> str:
    return "" if size is None else f"{size:,}"


def _share(size: int | None, whole: int | None) -> str:
    return f"{size / whole:.1%}" if size is not None and whole else ""


def _change(size: int | None, other: int) -> str:
    return f"{size / other - 1:+.1%}" if size is not None else ""


def aligned(header: Sequence[str], rows: Collection[Sequence[str]]) -> Iterator[str]:
    """A Markdown table: names to the left, figures to the right."""
    widths = [max(3, *(len(row[column]) for row in (header, *rows))) for column in range(len(header))]
    left = [name in LEFT for name in header]
    rule = ["-" * (width - 1) + ("-" if own else ":") for width, own in zip(widths, left, strict=True)]
    return (_line(row, widths, left) for row in (header, rule, *rows))


def _line(row: Sequence[str], widths: Sequence[int], left: Sequence[bool]) -> str:
    cells = zip(row, widths, left, strict=True)
    return "|" + "|".join(f" {text:{'<' if own else '>'}{width}} " for text, width, own in cells) + "|"

"""What `otabridge rollout rehearse` prints."""

from __future__ import annotations

from collections.abc import Iterator

from bridge.rehearsal.spread import Rehearsal, Spread

NAME = 19
"""Columns of a figure's name; four figures of ten each then fit 60 columns."""
HOURS = 24
FEW_DAYS = 2
MEGABYTES = 1000


def describe(made: Rehearsal) -> str:
    """The spread of every figure, a line each, then why runs did not complete."""
    return "\n".join(_lines(made))


def _lines(made: Rehearsal) -> Iterator[str]:
    yield f"rehearsed {made.rollout}: {made.devices} devices, {made.runs} runs"
    for ending, count in made.endings.items():
        yield f"  {ending}: {count} runs"
    yield f"{'':{NAME}}{'least':>10}{'median':>10}{'9 in 10':>10}{'most':>10}"
    yield _row("devices exposed", made.exposed, 0)
    if made.exposed_before_stop is not None:
        yield _row("  if not completed", made.exposed_before_stop, 0)
    yield _time(made.days)
    yield _row("API calls", made.calls, 0)
    yield _bytes(made.gigabytes)
    if made.cost is not None:
        yield _row("cost", made.cost, 2)
    yield from (f"because: {reason}" for reason in made.reasons)


def _time(days: Spread) -> str:
    return _row("days", days, 1) if days.most >= FEW_DAYS else _row("hours", _times(days, HOURS), 1)


def _bytes(gigabytes: Spread) -> str:
    return _row("GB sent", gigabytes, 1) if gigabytes.most >= 1 else _row("MB sent", _times(gigabytes, MEGABYTES), 1)


def _times(spread: Spread, factor: float) -> Spread:
    return Spread(spread.least * factor, spread.median * factor, spread.ninth * factor, spread.most * factor)


def _row(name: str, spread: Spread, digits: int) -> str:
    figures = (spread.least, spread.median, spread.ninth, spread.most)
    return f"{name:{NAME}}" + "".join(f"{figure:>10.{digits}f}" for figure in figures)

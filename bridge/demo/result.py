"""What a demo shows in the end, as values and as text."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

import msgspec

CONTINUED = 4


class Check(msgspec.Struct, frozen=True):
    """One thing that must hold. `seen` says what was found."""

    what: str
    holds: bool
    seen: str


class LedgerLine(msgspec.Struct, frozen=True):
    """One entry of the ledger."""

    time: str
    actor: str
    what: str
    reason: str


class Act(msgspec.Struct, frozen=True):
    """One rollout of the demo. `slots` counts devices by "FLEET run SLOT VERSION"; bytes are what devices downloaded.

    `stop_seconds`: from the first fallback on a device until every fleet had been told to stop; None without a stop.
    """

    title: str
    state: str
    seconds: float
    downloaded_bytes: int
    slots: dict[str, int]
    checks: tuple[Check, ...]
    ledger: tuple[LedgerLine, ...]
    stop_seconds: float | None = None


class DemoResult(msgspec.Struct, frozen=True):
    """The whole demo. `schema` rises when a field changes its meaning or goes away."""

    devices: int
    image: str
    image_bytes: int
    artifact_bytes: int
    seconds: float
    acts: tuple[Act, ...]
    schema: int = 1

    @property
    def holds(self) -> bool:
        """Whether every check holds."""
        return all(check.holds for act in self.acts for check in act.checks)


def describe(result: DemoResult, width: int = 80) -> str:
    """The result for people, in lines of at most `width` characters (but words are not cut)."""
    return "\n".join(line for text in _lines(result) for line in _wrapped(text, width))


def _wrapped(text: str, width: int) -> list[str]:
    """What a line has too much goes below it, further in than it begins."""
    indent = " " * (len(text) - len(text.lstrip()) + CONTINUED)
    return textwrap.wrap(text, width, subsequent_indent=indent, break_long_words=False) or [""]


def _lines(result: DemoResult) -> Iterator[str]:
    yield f"{result.devices} devices, {result.seconds:.0f} s in all"
    yield f"image {result.image} {_megabytes(result.image_bytes)}, artifact {_megabytes(result.artifact_bytes)}"
    for act in result.acts:
        yield ""
        yield from _act_lines(act)
    yield ""
    yield "Everything holds." if result.holds else "NOT everything holds."


def _act_lines(act: Act) -> Iterator[str]:
    yield f"{act.title}: {act.state}"
    yield f"  {act.seconds:.0f} s, {_megabytes(act.downloaded_bytes)} downloaded"
    if act.stop_seconds is not None:
        yield f"  every fleet stopped {act.stop_seconds:.1f} s after the first fallback"
    for slot, count in sorted(act.slots.items()):
        yield f"  {count:3} devices of {slot}"
    for check in act.checks:
        yield f"  {'ok   ' if check.holds else 'FAULT'} {check.what}{'' if check.holds else f': {check.seen}'}"
    yield "  ledger:"
    for line in act.ledger:
        yield f"    {_clock_time(line.time)} {line.what}: {line.reason}"


def _clock_time(time: str) -> str:
    """`12:30:59` of `2026-11-30T12:30:59.123Z`: a demo does not last for days."""
    return time.partition("T")[2][:8]


def _megabytes(count: int) -> str:
    return f"{count / 1e6:.1f} MB"

"""What a demo shows in the end, as values and as text."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec


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
    """One rollout of the demo. `slots` counts devices by "slot VERSION"; bytes are those that devices downloaded."""

    title: str
    state: str
    seconds: float
    downloaded_bytes: int
    slots: dict[str, int]
    checks: tuple[Check, ...]
    ledger: tuple[LedgerLine, ...]


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


def describe(result: DemoResult) -> str:
    """The result for people; fits a terminal of 60 columns but for reasons, which the terminal wraps."""
    return "\n".join(_lines(result))


def _lines(result: DemoResult) -> Iterator[str]:
    yield f"{result.devices} devices, image {result.image} {_megabytes(result.image_bytes)}, "
    yield f"artifact {_megabytes(result.artifact_bytes)}, {result.seconds:.0f} s in all"
    for act in result.acts:
        yield ""
        yield from _act_lines(act)
    yield ""
    yield "Everything holds." if result.holds else "NOT everything holds."


def _act_lines(act: Act) -> Iterator[str]:
    yield f"{act.title}: {act.state}"
    yield f"  {act.seconds:.0f} s, {_megabytes(act.downloaded_bytes)} downloaded"
    for slot, count in sorted(act.slots.items()):
        yield f"  {count:3} devices run {slot}"
    for check in act.checks:
        yield f"  {'ok   ' if check.holds else 'FAULT'} {check.what}{'' if check.holds else f': {check.seen}'}"
    yield "  ledger:"
    for line in act.ledger:
        yield f"    {line.time} {line.what}: {line.reason}"


def _megabytes(count: int) -> str:
    return f"{count / 1e6:.1f} MB"

"""Runs tools on pairs, one after the other, and keeps what came out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from benchmarks.delta.judging import Measured
from benchmarks.delta.measuring import Limits
from benchmarks.delta.pairs import Pair
from benchmarks.delta.results import Question, Results, digest
from benchmarks.delta.tools import Absent, Outcome, Tool, use


class Listener(Protocol):
    """Hears of each run: `outcome` is nothing at its beginning."""

    def __call__(self, pair: str, tool: str, outcome: Outcome | None) -> None: ...


@dataclass(frozen=True, slots=True)
class Work:
    """A pair and its images as files."""

    pair: Pair
    old: Path
    new: Path


@dataclass(frozen=True, slots=True)
class Runner:
    """`kept_only` runs nothing: the report shows what is known."""

    results: Results
    limits: Limits
    tools: Sequence[Tool]
    scratch: Path
    listener: Listener
    kept_only: bool = False

    def measure(self, work: Work) -> Measured:
        """All tools on one pair."""
        outcomes: dict[str, Outcome] = {}
        digests = digest(work.old), digest(work.new)
        versions, absent = self.versions()
        for tool in self.tools:
            if tool.name not in versions:
                continue
            question = _question(tool, versions[tool.name], *digests)
            outcome = self.results.get(question, self.limits) or self._run(question, tool, work)
            if outcome is not None:
                outcomes[tool.name] = outcome
        lengths = work.old.stat().st_size, work.new.stat().st_size
        return Measured(work.pair.name, work.pair.mark, work.pair.kind, *lengths, outcomes, absent)

    def versions(self) -> tuple[Mapping[str, str], Mapping[str, str]]:
        """The version of each tool that is here, and what is missing for the others."""
        versions, absent = {}, {}
        for tool in self.tools:
            try:
                versions[tool.name] = tool.version()
            except Absent as reason:
                absent[tool.name] = str(reason)
        return versions, absent

    def _run(self, question: Question, tool: Tool, work: Work) -> Outcome | None:
        if self.kept_only:
            return None
        self.listener(work.pair.name, tool.name, None)
        self.scratch.mkdir(parents=True, exist_ok=True)
        outcome = use(tool, work.old, work.new, self.limits, self.scratch)
        self.results.put(question, self.limits, outcome)
        self.listener(work.pair.name, tool.name, outcome)
        return outcome


def _question(tool: Tool, version: str, old: str, new: str) -> Question:
    """What does not read the old image is the same for every old image."""
    commands = tuple(_portable(tool))
    return Question(old if "{old}" in commands else "", new, tool.name, version, commands)


def _portable(tool: Tool) -> Iterator[str]:
    """The commands, but not where this machine keeps programs."""
    for part in (*tool.make, *tool.apply):
        yield Path(part).name if Path(part).is_absolute() else part

"""What was measured, kept in a folder: an interrupted run goes on where it stopped, and several may go on at once."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import msgspec

from benchmarks.delta.measuring import Limits
from benchmarks.delta.tools import Outcome


class Question(msgspec.Struct, frozen=True):
    """What was run: digests of both images (`old` empty if it was not read), the tool, its version and its commands
    before they are filled in."""

    old: str
    new: str
    tool: str
    version: str
    commands: tuple[str, ...]


class _Entry(msgspec.Struct, frozen=True):
    question: Question
    limits: Limits
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Results:
    """Outcomes by question, each in a JSON file of its own that appears whole."""

    folder: Path

    def get(self, question: Question, limits: Limits) -> Outcome | None:
        """What came out; a failure only counts if it had the same limits.

        Raises: msgspec.DecodeError for a file that holds something else.
        """
        path = self._path(question)
        if not path.exists():
            return None
        entry = msgspec.json.decode(path.read_bytes(), type=_Entry)
        return None if entry.outcome.reason and entry.limits != limits else entry.outcome

    def put(self, question: Question, limits: Limits, outcome: Outcome) -> None:
        """Replaces an earlier outcome of the same question."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self._path(question)
        partial = path.with_suffix(f".{os.getpid()}")
        partial.write_bytes(msgspec.json.format(msgspec.json.encode(_Entry(question, limits, outcome))) + b"\n")
        partial.replace(path)

    def _path(self, question: Question) -> Path:
        return self.folder / f"{hashlib.sha256(msgspec.json.encode(question)).hexdigest()[:32]}.json"


def digest(path: Path) -> str:
    """SHA-256 of a file, as hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

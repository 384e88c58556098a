"""Reads `rollout.yaml`: a small document from outside, held against the model, every error with its line.

Three steps, each of which tells all that it finds: YAML into plain values (`bridge.rollout.document`), values into the
model (`bridge.rollout.shape`), the model against itself and the configuration (`bridge.rollout.checks`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from itertools import chain
from pathlib import Path

import msgspec

from bridge.errors import UsageError
from bridge.files import read_bounded
from bridge.rollout.checks import absent_files, contradictions
from bridge.rollout.document import Document, read_yaml
from bridge.rollout.mistake import Lines, Mistake, told
from bridge.rollout.model import Rollout
from bridge.rollout.shape import misfits, rollout_type

MAX_FILE_BYTES = 2 * 1024 * 1024
"""Room for 10,000 device ids of 128 characters; most files are a page of text."""


def read_rollout(path: Path, fleets: Collection[str]) -> Rollout:
    """The rollout that the file at `path` asks for; `fleets` are the names in the configuration.

    Raises:
        UsageError: it cannot be read, is no YAML, breaks a limit, asks for something impossible, or names a key, a
            calendar or a former release that is not there; names file, line, field and what would be right.
    """
    document = read_yaml(_read(path), str(path))
    rollout = _converted(document, str(path))
    mistakes = chain(contradictions(rollout, fleets), absent_files(rollout, path.parent))
    _refuse(mistakes, document.lines, str(path))
    return rollout


def parse_rollout(text: str, where: str, fleets: Collection[str]) -> Rollout:
    """As `read_rollout`, from `text`, and no file is looked for; `where` is the file's name for messages.

    Raises:
        UsageError: as for `read_rollout`.
    """
    document = read_yaml(text, where)
    rollout = _converted(document, where)
    _refuse(contradictions(rollout, fleets), document.lines, where)
    return rollout


def _read(path: Path) -> str:
    if not path.exists():
        raise UsageError(
            f"rollout file {path} cannot be read: No such file or directory; `otabridge rollout new {path}` writes one"
        )
    data = read_bounded(path, MAX_FILE_BYTES, "rollout file")
    if len(data) > MAX_FILE_BYTES:
        raise UsageError(f"{path}: larger than {MAX_FILE_BYTES} bytes; a rollout file is a page of text")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: not UTF-8 text at byte {error.start}") from error


def _converted(document: Document, where: str) -> Rollout:
    """The document as a rollout. msgspec judges; the walk over the model says it in words, and all of it."""
    if document.value is None:
        raise UsageError(f"{where}: the file is empty; `otabridge rollout new` writes one to begin with")
    try:
        return msgspec.convert(document.value, Rollout)
    except msgspec.ValidationError as error:
        mistakes = list(misfits(document.value, rollout_type())) or [Mistake((), str(error))]
        raise UsageError(told(mistakes, document.lines, where)) from error


def _refuse(mistakes: Iterable[Mistake], lines: Lines, where: str) -> None:
    text = told(mistakes, lines, where)
    if text:
        raise UsageError(text)

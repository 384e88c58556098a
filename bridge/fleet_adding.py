"""A fleet put into `otabridge.toml`: whole or not at all, and never in the place of another one unasked."""

from __future__ import annotations

import fcntl
import os
import stat
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from bridge.config import MAX_FILE_BYTES, Config, parse_config
from bridge.errors import UsageError
from bridge.files import read_bounded
from bridge.fleet_table import Change, Settings, changes, replaced, with_fleet
from bridge.rollout.model import Name

Judge = Callable[[Config], None]
"""Raises UsageError where the configuration's new fleet is not one that its cloud's adapter takes."""
NEW_FILE_MODE = 0o644


@dataclass(frozen=True, slots=True)
class Added:
    """What became of a fleet's settings in `file`: no changes where it was there already. `is_new`: it was not."""

    file: Path
    name: str
    is_new: bool
    changes: tuple[Change, ...]


def add_fleet(file: Path, name: str, given: Settings, judge: Judge, *, replace: bool) -> Added:
    """Give the fleet `name` the settings `given`, `cloud` among them, in `file`, which is made when it is absent.

    A fleet that is there keeps what `given` does not name. Two processes may do so at once. Raises: UsageError, and
    the file is as it was: a fleet of other settings is there and `replace` was not said; name or settings are wrong;
    the file is wrong, cannot be edited safely, read or written.
    """
    _check_name(name)
    target = file.resolve()
    with _alone(target):
        data = _content(target)
        held = _held(data, file).get(name)
        wanted = replaced(held or {}, given)
        added = Added(file, name, held is None, changes(held or {}, wanted))
        if added.changes:
            _write(target, _edited(data, file, added, wanted, judge, replace=replace))
    return added


def _check_name(name: str) -> None:
    try:
        msgspec.convert(name, Name)
    except msgspec.ValidationError as error:
        raise UsageError(
            f"NAME is {name!r}: a fleet's name must be lower-case letters, digits and dashes, at most 40 characters"
        ) from error


def _edited(data: bytes, file: Path, added: Added, wanted: Settings, judge: Judge, *, replace: bool) -> bytes:
    """The file's new content, which was judged. Raises: UsageError."""
    if not added.is_new and not replace:
        lines = "\n".join(f"  {change}" for change in added.changes)
        raise UsageError(f"{file}: fleets.{added.name} is there with other settings; --replace takes these:\n{lines}")
    try:
        edited = with_fleet(data.decode(), added.name, wanted).encode()
    except UsageError as error:
        raise UsageError(f"{file}: {error}") from error
    if len(edited) > MAX_FILE_BYTES:
        raise UsageError(f"{file}: would be larger than {MAX_FILE_BYTES} bytes with fleets.{added.name}")
    judge(parse_config(edited, file))
    return edited


def _content(file: Path) -> bytes:
    return read_bounded(file, MAX_FILE_BYTES, "configuration") if file.exists() else b""


def _held(data: bytes, file: Path) -> dict[str, dict[str, object]]:
    """The fleets that are there, as TOML gives them. Raises: UsageError for a file that is wrong already."""
    known = parse_config(data, file).fleets
    fleets = tomllib.loads(data.decode()).get("fleets", {})
    return {name: fleets[name] for name in known}


@contextmanager
def _alone(file: Path) -> Iterator[None]:
    """No other process edits a file of the same folder meanwhile. Raises: UsageError."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        folder = os.open(file.parent, os.O_RDONLY)
    except OSError as error:
        raise UsageError(f"{file.parent} cannot be used: {error.strerror}") from error
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def _write(file: Path, content: bytes) -> None:
    """Put `content` in the place of the file, its permissions as they were. Raises: UsageError."""
    partial = file.with_name(file.name + ".partial")
    try:
        _write_durably(partial, content)
        partial.chmod(stat.S_IMODE(file.stat().st_mode) if file.exists() else NEW_FILE_MODE)
        partial.replace(file)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise UsageError(f"{file} cannot be written: {error.strerror}") from error


def _write_durably(path: Path, content: bytes) -> None:
    """A new file that nobody else may read until its permissions are known."""
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())

"""`[fleets.NAME]` in the text of `otabridge.toml`: set, with everything else left as it is, comments too. Pure."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass

import tomlkit
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import Item

from bridge.errors import UsageError

Settings = Mapping[str, object]
_Table = MutableMapping[str, object]


@dataclass(frozen=True, slots=True)
class Change:
    """One setting before and after; None where it is not there."""

    field: str
    before: object
    after: object

    def __str__(self) -> str:
        if self.before is None:
            return f"+ {self.field} = {_shown(self.after)}"
        if self.after is None:
            return f"- {self.field} = {_shown(self.before)}"
        return f"~ {self.field} = {_shown(self.before)} -> {_shown(self.after)}"


def changes(before: Settings, after: Settings) -> tuple[Change, ...]:
    """What differs, those that are there first."""
    fields = dict.fromkeys((*before, *after))
    told = (Change(field, before.get(field), after.get(field)) for field in fields)
    return tuple(each for each in told if each.before != each.after)


def replaced(held: Settings, given: Settings) -> Settings:
    """The settings of a fleet once `given` come in: what they do not name stays, unless it is of another cloud."""
    return {**held, **given} if held.get("cloud") == given.get("cloud") else given


def with_fleet(text: str, name: str, settings: Settings) -> str:
    """`text` in which the fleet `name` has exactly `settings`, `cloud` among them.

    Raises: UsageError, the text writes its fleets in a way that cannot be edited without touching more.
    """
    before = tomllib.loads(text)
    fleets = before.get("fleets", {})
    try:
        edited = _set(text, name, settings) if name in fleets else _appended(text, name, settings)
        after = tomllib.loads(edited)
    except (TOMLKitError, tomllib.TOMLDecodeError, TypeError, KeyError) as error:
        raise _uneditable(name, settings) from error
    if after != {**before, "fleets": {**fleets, name: dict(settings)}}:
        raise _uneditable(name, settings)
    return edited


def _appended(text: str, name: str, settings: Settings) -> str:
    """A new table at the end touches nothing before it."""
    ending = "\r\n" if "\r\n" in text else "\n"
    lines = ["", *_table(name, settings), ""]
    return text + ("" if not text or text.endswith("\n") else ending) + ending.join(lines if text else lines[1:])


def _table(name: str, settings: Settings) -> list[str]:
    return [
        f"[fleets.{name}]",
        *(f"{tomlkit.key(field).as_string()} = {_shown(settings[field])}" for field in settings),
    ]


def _set(text: str, name: str, settings: Settings) -> str:
    document = tomlkit.parse(text)
    table = _inner(_inner(document, "fleets"), name)
    for field in [field for field in table if field not in settings]:
        del table[field]
    for field, value in settings.items():
        if table.get(field) != value:
            table[field] = _item(value)
    return tomlkit.dumps(document)


def _inner(outer: _Table, name: str) -> _Table:
    """The table `name`, whichever of TOML's ways it is written in. Raises: TypeError, KeyError."""
    found = outer[name]
    if not isinstance(found, MutableMapping):
        raise TypeError(name)
    return found


def _item(value: object) -> Item:
    if not isinstance(value, dict):
        return tomlkit.item(value)
    table = tomlkit.inline_table()
    table.update(value)
    return table


def _shown(value: object) -> str:
    return _item(value).as_string()


def _uneditable(name: str, settings: Settings) -> UsageError:
    lines = "\n".join(_table(name, settings))
    return UsageError(f"fleets.{name} is written in a way that cannot be edited safely; write it by hand:\n\n{lines}")

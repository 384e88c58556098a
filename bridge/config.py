"""`otabridge.toml`: where the store and the trusted roots lie, and which fleets there are.

    [store]
    path = "otabridge.db"

    [trust]
    folder = "trust"

    [fleets.factory]
    cloud = "aws"
    region = "eu-central-1"      # what follows `cloud` belongs to the cloud's adapter, which checks it

Relative paths count from the file's folder.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec

from bridge.errors import UsageError
from bridge.files import read_bounded
from bridge.rollout import Name

DEFAULT_FILE = Path("otabridge.toml")
MAX_FILE_BYTES = 256 * 1024
MAX_FLEETS = 256

Settings = Mapping[str, object]
"""A cloud's own settings, as TOML gave them; only its adapter knows what they mean."""


class StoreConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where rollouts and the ledger are kept: a SQLite file, made when it is absent."""

    path: Annotated[str, msgspec.Meta(min_length=1)] = "otabridge.db"


class TrustConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The folder with the owner's roots, `1.root.json`, `2.root.json` and so on; `otabridge root init` makes it."""

    folder: Annotated[str, msgspec.Meta(min_length=1)] = "trust"


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    store: StoreConfig = StoreConfig()
    trust: TrustConfig = TrustConfig()
    fleets: Annotated[dict[Name, object], msgspec.Meta(max_length=MAX_FLEETS)] = {}


@dataclass(frozen=True, slots=True)
class FleetConfig:
    """`[fleets.NAME]`: which cloud, and the settings that its adapter reads."""

    name: str
    cloud: str
    settings: Settings


@dataclass(frozen=True, slots=True)
class Config:
    """The configuration; `file` is where it came from, other paths count from the current folder."""

    file: Path
    store: Path
    trust: Path
    fleets: Mapping[str, FleetConfig]

    def fleet(self, name: str) -> FleetConfig:
        """The fleet `name`. Raises: UsageError."""
        if name not in self.fleets:
            known = ", ".join(sorted(self.fleets)) or "none"
            raise UsageError(f"{self.file}: fleets.{name} is missing; configured fleets: {known}")
        return self.fleets[name]


def read_config(file: Path = DEFAULT_FILE) -> Config:
    """The configuration in `file`. Raises: UsageError, naming file, field and value."""
    folder = file.parent
    document = _convert(_decode(file), file)
    return Config(
        file=file,
        store=folder / document.store.path,
        trust=folder / document.trust.folder,
        fleets={name: _fleet(name, settings, file) for name, settings in document.fleets.items()},
    )


def _decode(file: Path) -> Mapping[str, object]:
    if not file.exists():
        raise UsageError(
            f"{file}: there is no configuration; name it with --config or OTABRIDGE_CONFIG, or go to its folder. "
            "To try things out, `otabridge sim` makes one"
        )
    data = read_bounded(file, MAX_FILE_BYTES, "configuration")
    if len(data) > MAX_FILE_BYTES:
        raise UsageError(f"{file}: larger than {MAX_FILE_BYTES} bytes")
    try:
        return tomllib.loads(data.decode())
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{file}: not valid TOML: {error}") from error


def _convert(document: Mapping[str, object], file: Path) -> _File:
    try:
        return msgspec.convert(document, _File)
    except msgspec.ValidationError as error:
        raise UsageError(f"{file}: {_named(str(error), document)}") from error


def _named(message: str, document: Mapping[str, object]) -> str:
    """`field: what (it is value)` of msgspec's words, where the field exists."""
    what, _, path = message.partition(" - at ")
    names = [name for name in path.removeprefix("`key` in ").strip("`$").split(".") if name]
    if "matching regex" in what:
        what = "a fleet's name must be lower-case letters, digits and dashes, at most 40 characters"
    value: object = document
    for name in names:
        value = value.get(name) if isinstance(value, Mapping) else None
    shown = "" if isinstance(value, Mapping) or value is None else f" (it is {value!r})"
    return f"{'.'.join(names) or 'top level'}: {what[:1].lower() + what[1:]}{shown}"


def _fleet(name: str, settings: object, file: Path) -> FleetConfig:
    if not isinstance(settings, Mapping):
        raise UsageError(f"{file}: fleets.{name} is {settings!r}; it must be a table, [fleets.{name}]")
    cloud = settings.get("cloud")
    if not isinstance(cloud, str):
        found = "missing" if cloud is None else f"{cloud!r}"
        raise UsageError(f'{file}: fleets.{name}.cloud is {found}; say which cloud it is, such as cloud = "aws"')
    return FleetConfig(name, cloud, {key: value for key, value in settings.items() if key != "cloud"})

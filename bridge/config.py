"""`otabridge.toml`: where the store and the trusted roots lie, and which fleets there are.

    [store]
    path = "otabridge.db"        # or url = "postgresql+psycopg://otabridge@db.example.com/otabridge"

    [trust]
    folder = "trust"

    [fleets.factory]
    cloud = "aws"
    region = "eu-central-1"      # what follows `cloud` belongs to the cloud's adapter, which checks it

Relative paths count from the file's folder. The environment variable OTABRIDGE_STORE_URL replaces what the file says
of the store, so that no password need stand in it.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec

from bridge.errors import UsageError
from bridge.files import read_bounded
from bridge.rollout.model import Name

DEFAULT_FILE = Path("otabridge.toml")
DEFAULT_STORE = "otabridge.db"
STORE_URL = "OTABRIDGE_STORE_URL"
URL_SCHEMES = ("postgresql+psycopg://", "postgresql://")
MAX_FILE_BYTES = 256 * 1024
MAX_FLEETS = 256

Settings = Mapping[str, object]
"""A cloud's own settings, as TOML gave them; only its adapter knows what they mean."""


class StoreConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where rollouts and the ledger are kept: at `path` a SQLite file, made when it is absent, or at `url` a PostgreSQL
    database, for controllers on several machines. At most one of them; without either it is the file `otabridge.db`.
    """

    path: Annotated[str, msgspec.Meta(min_length=1)] = ""
    url: Annotated[str, msgspec.Meta(min_length=1)] = ""

    def __post_init__(self) -> None:
        """Raises: ValueError."""
        if self.path and self.url:
            raise ValueError("give `path` or `url`, not both: a store is in one place")


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
    """The configuration; `file` is where it came from, other paths count from the current folder.

    `store` is the path of a file, or the URL of a database, which may hold a password: do not show it.
    """

    file: Path
    store: Path | str
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
    return parse_config(_read(file), file)


def parse_config(data: bytes, file: Path) -> Config:
    """The configuration that `data` is, as the content of `file`. Raises: UsageError, naming file, field and value."""
    folder = file.parent
    document = _convert(_decode(data, file), file)
    return Config(
        file=file,
        store=_store(document.store, file),
        trust=folder / document.trust.folder,
        fleets={name: _fleet(name, settings, file) for name, settings in document.fleets.items()},
    )


def _store(config: StoreConfig, file: Path) -> Path | str:
    url, said = os.environ.get(STORE_URL), STORE_URL
    if not url:
        url, said = config.url, f"{file}: store.url"
    if not url:
        return file.parent / (config.path or DEFAULT_STORE)
    if not url.startswith(URL_SCHEMES):
        raise UsageError(f"{said} must begin with {URL_SCHEMES[0]}; for a SQLite file give store.path")
    return url


def _read(file: Path) -> bytes:
    if not file.exists():
        raise UsageError(
            f"{file}: there is no configuration; name it with --config or OTABRIDGE_CONFIG, or go to its folder. "
            "To try things out, `otabridge sim` makes one"
        )
    return read_bounded(file, MAX_FILE_BYTES, "configuration")


def _decode(data: bytes, file: Path) -> Mapping[str, object]:
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
    hidden = isinstance(value, Mapping) or value is None or names == ["store", "url"]
    shown = "" if hidden else f" (it is {value!r})"
    return f"{'.'.join(names) or 'top level'}: {what[:1].lower() + what[1:]}{shown}"


def _fleet(name: str, settings: object, file: Path) -> FleetConfig:
    if not isinstance(settings, Mapping):
        raise UsageError(f"{file}: fleets.{name} is {settings!r}; it must be a table, [fleets.{name}]")
    cloud = settings.get("cloud")
    if not isinstance(cloud, str):
        found = "missing" if cloud is None else f"{cloud!r}"
        raise UsageError(f'{file}: fleets.{name}.cloud is {found}; say which cloud it is, such as cloud = "aws"')
    return FleetConfig(name, cloud, {key: value for key, value in settings.items() if key != "cloud"})

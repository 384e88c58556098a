"""The tables `[handlers.NAME]` of the configuration: who on this device does the steps that are not the agent's own."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated

import msgspec

from agent.config_words import explained
from agent.proof.checks import Command, Word
from bridge.release.step import IMAGE

NAME = re.compile(r"[a-z][a-z0-9-]{0,31}")
"""As a step names its handler, see `bridge.release.step.HandlerName`."""
OWN_FILE = "{file}"
"""A word of a command, in place of which the path of the step's own file is put: the release brings the program."""

Patience = Annotated[float, msgspec.Meta(gt=0, le=86400)]
SELECTION = r"^[A-Za-z0-9][A-Za-z0-9._-]*,[A-Za-z0-9][A-Za-z0-9._-]*\Z"
Selection = Annotated[str, msgspec.Meta(pattern=SELECTION, max_length=128)]


class ScriptSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="script"):
    """A program of the device's owner, or, with OWN_FILE among its words, of the release; the verb is its last word."""

    command: Annotated[tuple[Word, ...], msgspec.Meta(min_length=1, max_length=64)]
    timeout_seconds: Patience = 600.0

    def __post_init__(self) -> None:
        if self.command[0] == OWN_FILE:
            raise ValueError(
                f'command begins with "{OWN_FILE}", which is no program by itself; put its interpreter first'
            )

    @property
    def comes_with_the_release(self) -> bool:
        """Whether there is no program to ask before the release's files are here."""
        return OWN_FILE in self.command


class PackageSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="package"):
    """Debian packages, by dpkg. `root` is the system that they belong to; `directory` is where the files of those
    installed are kept, None for `packages` in the state directory; `options` are further ones of dpkg."""

    root: Path = Path("/")
    directory: Path | None = None
    options: Command = ()
    timeout_seconds: Patience = 600.0


class RaucBundleSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="rauc"):
    """RAUC bundles, by the RAUC service, whose configuration is `system_conf`."""

    system_conf: Path = Path("/etc/rauc/system.conf")
    timeout_seconds: Patience = 3600.0


class SwupdateSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="swupdate"):
    """SWUpdate images. `command` has the device's own options, such as its key; `a` and `b` select what is for each
    slot: a software set and a mode, as in sw-description."""

    command: Annotated[tuple[Word, ...], msgspec.Meta(min_length=1, max_length=64)] = ("swupdate",)
    a: Selection | None = None
    b: Selection | None = None
    timeout_seconds: Patience = 3600.0

    def __post_init__(self) -> None:
        if (self.a is None) != (self.b is None):
            raise ValueError(f"{'a' if self.a is None else 'b'} is missing; a step of the slot may be for either")
        if self.a is not None and self.a == self.b:
            raise ValueError(f"a and b both select {self.a}; an image would always go to the same slot")


HandlerSettings = ScriptSettings | PackageSettings | RaucBundleSettings | SwupdateSettings
KINDS: Mapping[str, type[HandlerSettings]] = MappingProxyType(
    {
        "package": PackageSettings,
        "rauc": RaucBundleSettings,
        "script": ScriptSettings,
        "swupdate": SwupdateSettings,
    }
)
NEEDS_ROOT = (PackageSettings, RaucBundleSettings, SwupdateSettings)
"""They write where an agent without privileges cannot."""


def fault_in(tables: object, resolve: Callable[[type, object], object]) -> str | None:
    """What is wrong with the table `handlers`, one handler by the other; None when nothing is, or it is no table.

    msgspec does not say in which entry of a mapping a fault is. `resolve` is its hook for paths.
    """
    if not isinstance(tables, dict):
        return None
    faults = (_fault(name, table, resolve) for name, table in tables.items())
    return next((fault for fault in faults if fault is not None), None)


def _fault(name: str, table: object, resolve: Callable[[type, object], object]) -> str | None:
    if name == IMAGE:
        return f"handlers.{IMAGE}: that handler is the agent itself; name this one otherwise"
    if not NAME.fullmatch(name):
        return f"handlers.{name!r} is no name of a handler; use lower-case letters, digits and -, such as modem-2"
    if not isinstance(table, dict):
        return f"handlers.{name} is {table!r}: a handler is a table, [handlers.{name}]"
    kind = table.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        said = f"is {kind!r}" if "kind" in table else "is missing"
        return f"handlers.{name}.kind {said}; there are: {', '.join(KINDS)}"
    try:
        msgspec.convert(table, KINDS[kind], dec_hook=resolve)
    except msgspec.ValidationError as error:
        return f"handlers.{name}: {explained(str(error), table, KINDS[kind])}"
    return None

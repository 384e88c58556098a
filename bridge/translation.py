"""PORT: one stage in a cloud's own words, for people who use other tools. Declared by `otabridge translate`.

A cloud's options are fields of a msgspec structure; the command line is made from it, so it knows no cloud's words.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Protocol, TypeVar

import msgspec

from bridge.errors import UsageError

Parts = Mapping[str, object]
"""What a cloud would be sent, by name, as JSON values; the last part is the call itself, those before go into it. A
`msgspec.Raw` is printed as it is, to the byte: another part names its length and digest."""
Chosen = TypeVar("Chosen", bound=msgspec.Struct)


class NamedFile(msgspec.Struct, frozen=True):
    """A file that a person named: its own name, without folders, `size` in bytes, `sha256` in lower-case hex."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=255)]
    size: Annotated[int, msgspec.Meta(ge=0)]
    sha256: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]


class Translation(Protocol):
    """One cloud's module; pure."""

    @property
    def Options(self) -> type[msgspec.Struct]:  # noqa: N802 - a class, which a module offers
        """The cloud's options: text, numbers, tuples of text, tuples of NamedFile; a time defaults to now."""

    def translate(self, release: bytes | None, roots: tuple[bytes, ...], options: Mapping[str, object]) -> Parts:
        """What the cloud would be sent for `release`, a whole `release.json`, or for files alone.

        Raises: UsageError: an option is missing or wrong. ReleaseError. LimitError: with every limit that is broken.
        """

    def check(self, text: bytes) -> tuple[str, ...]:
        """Every limit that a file which anybody wrote for the cloud breaks, a sentence each. Raises: UsageError."""


def read_options(cloud: str, options: Mapping[str, object], kind: type[Chosen]) -> Chosen:
    """`options` as a `kind`. Raises: UsageError, in words of the command line."""
    try:
        return msgspec.convert(options, kind)
    except msgspec.ValidationError as error:
        raise UsageError(f"translate {cloud}: {_in_words(str(error), options, kind)}") from error


def option_name(field: str) -> str:
    """How the command line spells the option of `field`."""
    return f"--{field.replace('_', '-')}"


_MISSING = re.compile(r"Object missing required field `(\w+)`")
_UNKNOWN = re.compile(r"Object contains unknown field `(.+)`")
_PLACED = re.compile(r"(?s)(.*) - at `\$\.(\w+).*`")


def _in_words(error: str, options: Mapping[str, object], kind: type[msgspec.Struct]) -> str:
    if missing := _MISSING.fullmatch(error):
        return f"{option_name(missing[1])} is missing"
    if unknown := _UNKNOWN.fullmatch(error):
        known = ", ".join(map(option_name, kind.__struct_fields__))
        return f"{option_name(unknown[1])} is no option; there are {known}"
    if placed := _PLACED.fullmatch(error):
        return f"{option_name(placed[2])} is {options.get(placed[2])!r}: {placed[1][:1].lower()}{placed[1][1:]}"
    return error

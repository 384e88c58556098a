"""The words of the query language of IoT Hub. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from adapters.azure.simulator.hub_errors import invalid


class Token(NamedTuple):
    """A number, string, word, symbol or the end, and the character at which it starts."""

    kind: str
    text: str
    at: int


_TOKENS = re.compile(
    r"""(?P<space>\s+)
      | (?P<number>-?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)
      | (?P<string>'(?:[^'\\]|''|\\.)*'|"(?:[^"\\]|""|\\.)*")
      | (?P<quoted>\[\[[^\[\]]+\]\])
      | (?P<word>[A-Za-z_$][A-Za-z0-9_$-]*)
      | (?P<symbol><=|>=|<>|!=|[=<>().,*\[\]])""",
    re.VERBOSE,
)
_ESCAPE = re.compile(r"\\u([0-9a-fA-F]{4})|\\(.)|''|\"\"", re.DOTALL)


def tokenize(text: str) -> Iterator[Token]:
    """The tokens of a text, and one that ends it. Raises: HubError ARGUMENT_INVALID."""
    at = 0
    while at < len(text):
        match = _TOKENS.match(text, at)
        if match is None:
            raise invalid(f"Syntax error at character {at}: unexpected {text[at]!r}")
        if match.lastgroup != "space":
            yield Token(str(match.lastgroup), match.group(), at)
        at = match.end()
    yield Token("end", "", at)


def number_of(text: str) -> int | float:
    """The value of a number token."""
    return int(text) if text.lstrip("-").isdecimal() else float(text)


def text_of(text: str) -> str:
    """The value of a string token; a quote in it is doubled or follows a backslash. Raises: HubError."""
    quote = text[0]

    def plain(match: re.Match[str]) -> str:
        if match[1]:
            return chr(int(match[1], 16))
        if match[2] is None:
            return quote if match[0][0] == quote else match[0]
        if match[2] not in ("'", '"', "\\"):
            raise invalid(f"Invalid escape {match[0]} in {text}")
        return match[2]

    return _ESCAPE.sub(plain, text[1:-1])

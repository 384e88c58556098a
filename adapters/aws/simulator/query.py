"""The query language of fleet indexing: from text to a test of one thing. Pure.

Developer guide, "Query syntax" and "Example thing queries": `field:value`, wildcards, phrases in quotes, ranges
`[1 TO 5]` and `{1 TO 5}`, comparisons, field groups `field:(a OR b)`, AND, OR, NOT and the hyphen; two clauses side by
side are joined by AND. Values are compared without regard to case, as numbers where both sides are some.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from adapters.aws.simulator.errors import Refusal, ServiceError

MAX_TERMS = 12
MAX_LENGTH = 1000
MAX_LEADING_WILDCARD = 100
_MAX_DEPTH = 50
_UNSUPPORTED = frozenset("`@#%/';,")
_OPERATORS = frozenset({"AND", "OR", "NOT"})
_TOKEN = re.compile(
    r'\s*(?:(?P<range>[\[{][^\]}]*[\]}])|(?P<phrase>"[^"]*")|(?P<mark>>=|<=|[><:()])'
    r'|(?P<word>(?:\\.|[^\s()\[\]{}":<>=\\])+))'
)
_RANGE = re.compile(r'([\[{])\s*("[^"]*"|\S+)\s+TO\s+("[^"]*"|\S+?)\s*([\]}])')
_FIELD = re.compile(
    r"thingName|thingId|thingTypeName|thingGroupNames|attributes\..+|connectivity\.(connected|timestamp)"
    r"|shadow\.(hasDelta|(desired|reported|delta|metadata)(\..+)?)"
    r"|shadow\.name\.[$a-zA-Z0-9:_-]+\.(hasDelta|(desired|reported|delta|metadata)(\..+)?)"
)


class Fields(Protocol):
    """A thing as the index sees it."""

    def values(self, field: str) -> Iterable[object]:
        """What the field holds: nothing, one value, or each element of a list."""
        ...

    def everything(self) -> Iterable[object]:
        """The values of all fields, for terms without a field."""
        ...


Test = Callable[[Fields], bool]
Match = Callable[[object], bool]


class Query(NamedTuple):
    """A parsed query: the fields that it asks for, and the test itself."""

    fields: frozenset[str]
    matches: Test


class _Token(NamedTuple):
    kind: str
    text: str


def parse(text: str) -> Query:
    """The query `text`. Raises: ServiceError, InvalidQueryException in the service's words."""
    _check_text(text)
    parser = _Parser(tuple(_tokens(text)), text)
    matches = parser.whole()
    return Query(frozenset(parser.fields), matches)


def invalid_query(reason: str, text: str) -> ServiceError:
    """An InvalidQueryException, in the service's own form."""
    return ServiceError(Refusal.INVALID_QUERY, f"Unable to parse query, {reason}, query string: {text[:200]}")


def _check_text(text: str) -> None:
    if not text.strip():
        raise invalid_query("it is empty", text)
    if len(text) > MAX_LENGTH:
        raise invalid_query(f"it is longer than {MAX_LENGTH} characters", text)
    unsupported = sorted(_UNSUPPORTED.intersection(text))
    if unsupported:
        raise invalid_query(f"unsupported character {unsupported[0]}", text)


def _tokens(text: str) -> Iterator[_Token]:
    place, end = 0, len(text.rstrip())
    while place < end:
        found = _TOKEN.match(text, place)
        if found is None:
            raise invalid_query(f"unexpected {text[place : place + 10]!r}", text)
        place = found.end()
        yield _Token(str(found.lastgroup), found[str(found.lastgroup)])


@dataclass
class _Parser:
    """Recursive descent over the tokens; `fields` and `terms` are collected on the way."""

    tokens: tuple[_Token, ...]
    text: str
    place: int = 0
    depth: int = 0
    terms: int = 0
    wildcards: int = 0

    def __post_init__(self) -> None:
        self.fields: set[str] = set()

    def whole(self) -> Test:
        test = self._any(None)
        if self._peek() is not None:
            raise self._error()
        return test

    def _any(self, field: str | None) -> Test:
        tests = [self._all(field)]
        while self._take("OR"):
            tests.append(self._all(field))
        return tests[0] if len(tests) == 1 else lambda thing: any(test(thing) for test in tests)

    def _all(self, field: str | None) -> Test:
        tests = [self._one(field)]
        while (token := self._peek()) is not None and token.text not in ("OR", ")"):
            self._take("AND")
            tests.append(self._one(field))
        return tests[0] if len(tests) == 1 else lambda thing: all(test(thing) for test in tests)

    def _one(self, field: str | None) -> Test:
        if self._take("NOT") or self._take_hyphen():
            test = self._one(field)
            return lambda thing: not test(thing)
        if self._take("("):
            return self._group(field)
        return self._clause(field)

    def _group(self, field: str | None) -> Test:
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise invalid_query("it is nested too deeply", self.text)
        test = self._any(field)
        if not self._take(")"):
            raise self._error()
        self.depth -= 1
        return test

    def _clause(self, field: str | None) -> Test:
        token = self._next()
        follows = self._peek()
        about = follows is not None and follows.kind == "mark" and follows.text not in "()"
        if field is None and token.kind == "word" and about:
            return self._about(token.text, self._next().text)
        return self._leaf(field, self._value(token))

    def _about(self, field: str, mark: str) -> Test:
        if not _FIELD.fullmatch(field):
            raise invalid_query(f"invalid field name, field name: {field}", self.text)
        self.fields.add(field)
        if mark == ":" and self._take("("):
            return self._group(field)
        token = self._next()
        return self._leaf(field, self._value(token) if mark == ":" else _comparison(mark, _plain(token)))

    def _value(self, token: _Token) -> Match:
        if token.kind == "range":
            return _range(token.text, self.text)
        if token.kind == "mark" or token.text in _OPERATORS:
            raise self._error(token)
        if token.kind == "word" and token.text[0] in "*?" and token.text != "*":
            self._check_wildcard()
        return _equality(_plain(token), wild=token.kind == "word")

    def _leaf(self, field: str | None, match: Match) -> Test:
        self.terms += 1
        if self.terms > MAX_TERMS:
            raise invalid_query(f"it has more than {MAX_TERMS} terms", self.text)
        if field is None:
            return lambda thing: any(match(value) for value in thing.everything())
        return lambda thing: any(match(value) for value in thing.values(field))

    def _check_wildcard(self) -> None:
        self.wildcards += 1
        if self.wildcards > 1 or len(self.text) > MAX_LEADING_WILDCARD:
            raise invalid_query("one leading wildcard, in at most 100 characters", self.text)

    def _take_hyphen(self) -> bool:
        token = self._peek()
        if token is None or token.kind != "word" or not token.text.startswith("-") or token.text == "-":
            return False
        rest = (*self.tokens[: self.place], token._replace(text=token.text[1:]), *self.tokens[self.place + 1 :])
        self.tokens = rest
        return True

    def _take(self, text: str) -> bool:
        token = self._peek()
        taken = token is not None and token.text == text and token.kind in ("word", "mark")
        self.place += taken
        return taken

    def _next(self) -> _Token:
        token = self._peek()
        if token is None:
            raise self._error()
        self.place += 1
        return token

    def _peek(self) -> _Token | None:
        return self.tokens[self.place] if self.place < len(self.tokens) else None

    def _error(self, token: _Token | None = None) -> ServiceError:
        found = token or self._peek()
        return invalid_query(f"unexpected {found.text!r}" if found else "it ends too early", self.text)


def number(value: object) -> float | None:
    """The number that a value is or spells; None for any other."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except ValueError:
        return None


def spelled(value: object) -> str:
    """A value as the index compares it: lower case, JSON's own words for true and false."""
    return ("true" if value else "false") if isinstance(value, bool) else str(value).lower()


def _plain(token: _Token) -> str:
    return token.text[1:-1] if token.kind == "phrase" else re.sub(r"\\(.)", r"\1", token.text)


def _equality(wanted: str, *, wild: bool) -> Match:
    if wild and wanted == "*":
        return lambda value: value is not None
    if wild and ("*" in wanted or "?" in wanted):
        pattern = re.escape(wanted.lower()).replace(r"\*", ".*").replace(r"\?", ".")
        whole = re.compile(pattern, re.DOTALL)
        return lambda value: whole.fullmatch(spelled(value)) is not None
    count, lower = number(wanted), wanted.lower()
    if count is None:
        return lambda value: spelled(value) == lower
    return lambda value: number(value) == count or spelled(value) == lower


def _comparison(mark: str, bound: str) -> Match:
    if mark[0] == ">":
        return _between(bound, None, low_in=mark == ">=", high_in=False)
    return _between(None, bound, low_in=False, high_in=mark == "<=")


def _range(text: str, query: str) -> Match:
    found = _RANGE.fullmatch(text)
    if found is None:
        raise invalid_query(f"unexpected {text!r}", query)
    low, high = (bound.strip('"') for bound in found.group(2, 3))
    ends = (None if low == "*" else low), (None if high == "*" else high)
    return _between(*ends, low_in=found[1] == "[", high_in=found[4] == "]")


def _between(low: str | None, high: str | None, *, low_in: bool, high_in: bool) -> Match:
    """Whether a value lies between two bounds, either of them open (None)."""
    numbers = tuple(number(bound) if bound is not None else None for bound in (low, high))
    if (low is None or numbers[0] is not None) and (high is None or numbers[1] is not None):
        return lambda value: (count := number(value)) is not None and _inside(count, numbers, low_in, high_in)
    words = tuple(bound.lower() if bound is not None else None for bound in (low, high))
    return lambda value: _inside(spelled(value), words, low_in, high_in)


def _inside(value: object, bounds: tuple[object, ...], low_in: bool, high_in: bool) -> bool:  # noqa: FBT001 - both ends alike
    low, high = bounds
    above = low is None or value > low or (low_in and value == low)  # type: ignore[operator]  # both numbers or both text
    return above and (high is None or value < high or (high_in and value == high))  # type: ignore[operator]

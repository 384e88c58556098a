"""The little of OData that Device Update's REST takes: conjunctions of equalities, and pages."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple
from urllib.parse import urlencode

from werkzeug.wrappers import Request

from adapters.azure.simulator.refusals import Json, invalid

PAGE = 100
_TERM = re.compile(r"\s*(?P<name>[A-Za-z0-9_./-]+)\s+eq\s+(?P<value>'(?:[^']|'')*'|true|false|\d+)\s*")
_AND = re.compile(r"and\s", re.IGNORECASE)
_SKIP = "skiptoken"


class Page(NamedTuple):
    """Some items, and where the next are; None after the last."""

    items: Sequence[object]
    next_link: str | None

    def body(self) -> dict[str, object]:
        """As REST shows it."""
        shown: dict[str, object] = {"value": list(self.items)}
        return shown if self.next_link is None else {**shown, "nextLink": self.next_link}


def parse_filter(text: str, allowed: Sequence[str]) -> Mapping[str, str]:
    """`a eq 'x' and b eq true` as names in lower case and values. Raises: Refused 400, a name is not `allowed`."""
    known = {each.lower() for each in allowed}
    terms: dict[str, str] = {}
    position = 0
    while position < len(text):
        match = _TERM.match(text, position)
        if match is None or match["name"].lower() not in known:
            raise invalid(f"filter {text!r} is not understood; there is eq on {', '.join(allowed)}")
        terms[match["name"].lower()] = _value(match["value"])
        position = _after_and(text, match.end())
    return terms


def matching(request: Request, items: Sequence[Json], fields: Mapping[str, Callable[[Json], object]]) -> list[Json]:
    """The items that the request's `filter` lets through; `fields` get what each name stands for."""
    wanted = parse_filter(request.args.get("filter", ""), tuple(fields))
    by_name = {name.lower(): get for name, get in fields.items()}
    return [each for each in items if all(_text(by_name[name](each)) == value for name, value in wanted.items())]


def page(request: Request, items: Sequence[object], *, size: int = PAGE) -> Page:
    """The page of `items` that the request asks for."""
    token = request.args.get(_SKIP, "0")
    if not token.isdecimal():
        raise invalid(f"{_SKIP} {token!r} is none of ours")
    stop = int(token) + size
    if stop >= len(items):
        return Page(items[int(token) :], None)
    query = urlencode({**request.args, _SKIP: str(stop)})
    return Page(items[int(token) : stop], f"{request.path}?{query}")


def _value(text: str) -> str:
    return text[1:-1].replace("''", "'") if text.startswith("'") else text


def _after_and(text: str, position: int) -> int:
    if position >= len(text):
        return position
    match = _AND.match(text, position)
    if match is None:
        raise invalid(f"filter {text!r} is not understood after {text[:position]!r}")
    return match.end()


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)

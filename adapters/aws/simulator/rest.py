"""What the REST routes of the control plane have in common: bodies, parameters, pages."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from enum import StrEnum

from werkzeug.wrappers import Request

from adapters.aws.simulator.errors import Refusal, ServiceError, invalid
from adapters.aws.simulator.shapes import Json

MAX_PAGE = 250
Names = Mapping[str, str]
Operation = Callable[[Request, Names], Json | None]
"""From a request to the answer; None leaves the request to moto."""


def body_of(request: Request) -> object:
    """The request's body as JSON; an empty one is an empty object. Raises: ServiceError."""
    try:
        return json.loads(request.get_data() or b"{}")
    except (ValueError, RecursionError) as error:
        raise ServiceError(Refusal.INVALID_JSON, "The request body is not JSON") from error


def flag(request: Request, name: str) -> bool:
    """Whether a parameter is `true`."""
    return request.args.get(name, "false") == "true"


def number(request: Request, name: str) -> int | None:
    """A parameter as a number; None when it is not given. Raises: ServiceError."""
    text = request.args.get(name)
    if text is None:
        return None
    if not text.isdecimal():
        raise invalid(f"Invalid {name}: '{text}'")
    return int(text)


def choice(request: Request, name: str, kind: type[StrEnum]) -> str | None:
    """A parameter that must be a member of `kind`; None when it is not given. Raises: ServiceError."""
    text = request.args.get(name)
    if text is not None and text not in kind.__members__:
        raise invalid(f"1 validation error detected: Value '{text}' at '{name}' is not known")
    return text


def page(request: Request, member: str, items: list[Json]) -> Json:
    """The page of `items` that the request asks for, under `member`. Raises: ServiceError."""
    start, size = number(request, "nextToken") or 0, number(request, "maxResults") or MAX_PAGE
    if not 1 <= size <= MAX_PAGE:
        raise invalid(f"maxResults must be 1 to {MAX_PAGE}")
    stop = start + size
    shape: Json = {member: items[start:stop]}
    return {**shape, "nextToken": str(stop)} if stop < len(items) else shape

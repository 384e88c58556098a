"""What Device Update's REST operations get and give."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from werkzeug.wrappers import Request, Response

from adapters.azure.simulator.refusals import Json, Refused, invalid

MAX_BODY = 1024 * 1024


class Call(NamedTuple):
    """One request, and the names in its path."""

    request: Request
    names: Mapping[str, str]

    def json(self) -> Mapping[str, object]:
        """The body, a JSON object. Raises: Refused 400."""
        try:
            body = json.loads(self.request.get_data())
        except (ValueError, RecursionError) as error:
            raise invalid("the body is not JSON") from error
        if not isinstance(body, dict):
            raise invalid("the body must be a JSON object")
        return body


@dataclass(frozen=True, slots=True)
class Answer:
    """What is sent back."""

    body: Json | None = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)

    def response(self) -> Response:
        """Over HTTP."""
        text = "" if self.body is None else json.dumps(self.body)
        response = Response(text, self.status, content_type="application/json; charset=utf-8")
        response.headers.update(self.headers)
        return response


Operation = Callable[[Call], Answer]


def refusal(error: Refused) -> Response:
    """A refusal over HTTP."""
    headers = {} if error.retry_after is None else {"Retry-After": str(max(1, round(error.retry_after)))}
    return Answer(error.body(), error.status, headers).response()

"""What planned faults do to a request over HTTP."""

from __future__ import annotations

from collections.abc import Callable

from werkzeug.wrappers import Response

from adapters.simulation.faults import Effect, Fault

Refusal = Callable[[int, str, str], Response]
"""Status, code and message as one service says them."""


def before(fault: Fault | None, refuse: Refusal) -> Response | None:
    """The refusal instead of the effect, if there is one. Raises: ConnectionAbortedError where nobody answers."""
    match fault.effect if fault else None:
        case Effect.LOSE_REQUEST:
            raise ConnectionAbortedError("planned fault: the request is lost")
        case Effect.THROTTLE:
            response = refuse(429, "TooManyRequests", "planned fault: too many requests")
            response.headers["Retry-After"] = "0"
            return response
        case Effect.SERVER_ERROR if fault is not None:
            return refuse(fault.status, "InternalServerError", "planned fault")
        case Effect.DENY:
            return refuse(403, "AuthorizationFailed", "planned fault: this identity lacks the permission")
        case Effect.EXPIRED:
            return refuse(403, "AuthenticationFailed", "planned fault: the signature has expired")
    return None


def after(fault: Fault | None) -> None:
    """Drop the connection instead of an answer, if that was planned. Raises: ConnectionAbortedError."""
    if fault is not None and fault.effect in (Effect.LOSE_REPLY, Effect.DISCONNECT):
        raise ConnectionAbortedError("planned fault: the reply is lost")

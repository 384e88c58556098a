"""What Device Update refuses, as its REST answers say it."""

from __future__ import annotations

from collections.abc import Mapping

Json = Mapping[str, object]


class Refused(Exception):
    """The service refuses a request: an HTTP status, and `{"error": {"code", "message"}}`."""

    def __init__(self, status: int, code: str, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.retry_after = retry_after

    def body(self) -> Json:
        """The answer's JSON."""
        return {"error": {"code": self.code, "message": self.message}}


def invalid(message: str, code: str = "InvalidArgument") -> Refused:
    """A 400."""
    return Refused(400, code, message)


def not_found(what: str, name: object) -> Refused:
    """A 404."""
    return Refused(404, "NotFound", f"{what} {name} does not exist")


def throttled(message: str, retry_after: float) -> Refused:
    """A 429; `retry_after` in seconds."""
    return Refused(429, "TooManyRequests", message, retry_after=retry_after)

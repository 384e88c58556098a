"""One WSGI application for all of Azure: each service takes the requests that are its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from wsgiref.types import StartResponse, WSGIEnvironment

from werkzeug.wrappers import Request, Response

Routes = Callable[[Request], Response | None]
"""Answers a request, or leaves it to others with None."""


class Front:
    """Asks the services in order."""

    def __init__(self, services: Sequence[Routes]) -> None:
        self._services = services

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        """The WSGI entry."""
        request = Request(environ)
        for service in self._services:
            response = service(request)
            if response is not None:
                return response(environ, start)
        return Response(f"nobody serves {request.method} {request.path}\n", 404)(environ, start)

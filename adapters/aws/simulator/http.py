"""The HTTP server of the simulator: moto wants requests as its own handler prepares them."""

from __future__ import annotations

from moto.moto_server.werkzeug_app import MotoRequestHandler

from adapters.simulation.http import QuietHandler


class MotoHandler(QuietHandler, MotoRequestHandler):
    """Quiet, and with the environment that moto reads."""

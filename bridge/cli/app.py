"""The tree of commands."""

from __future__ import annotations

import typer

app = typer.Typer(
    name="otabridge",
    help="Signed releases, rolled out in stages over AWS IoT and Azure IoT, with one failure budget.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

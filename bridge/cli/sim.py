"""`otabridge sim`: a cloud on this machine, to try things out."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from typing import Annotated

import typer

from bridge.wiring import serve_simulator


def sim(
    cloud: Annotated[str, typer.Argument(help="Which cloud, such as aws.")],
    *,
    directory: Annotated[Path, typer.Option(help="For certificates and settings.")] = Path("otabridge-sim"),
    devices: Annotated[int, typer.Option(min=1, max=1000, help="Devices to register.")] = 3,
) -> None:
    """Run a simulated cloud on loopback until interrupted, and say how to use it."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    directory.mkdir(parents=True, exist_ok=True)
    serve_simulator(cloud, directory, devices, typer.echo, stop)

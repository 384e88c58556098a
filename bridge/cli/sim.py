"""`otabridge sim`: a cloud on this machine, with devices, to try things out."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from bridge.cli.console import messages
from bridge.cli.interruption import interruptible
from bridge.demo.boards import switched_on
from bridge.demo.playground import CLOUD, Playground, claimed, require_usable
from bridge.errors import UsageError
from bridge.wiring import require_simulator, simulated_clouds, start_simulator

MAX_BOARDS = 100

Cloud = Annotated[str, typer.Argument(help=f"Which cloud: {' or '.join(simulated_clouds())}.")]
Directory = Annotated[Path, typer.Option(help="Folder for settings and devices; each start begins anew.")]
Devices = Annotated[int, typer.Option(min=1, max=1000, help=f"How many devices; with --image, at most {MAX_BOARDS}.")]
Image = Annotated[Path | None, typer.Option(help="Raw image: run the devices too, with it in their slot a.")]
Root = Annotated[Path, typer.Option(help="The root that devices trust; its folder is the trust folder.")]


def sim(
    cloud: Cloud,
    *,
    directory: Directory = Path("otabridge-sim"),
    devices: Devices = 3,
    image: Image = None,
    root: Root = Path("trust/1.root.json"),
) -> None:
    """Run a simulated cloud until Ctrl-C. With --image, devices run, too.

    Everything stays on loopback. An environment file makes it ready for use in other terminals.
    """
    require_simulator(cloud)
    if image is not None:
        _require_boards(devices, image, root)
    try:
        with interruptible(), claimed(directory):
            _run(cloud, directory, devices, image, root)
    except KeyboardInterrupt:
        messages.print(f"otabridge sim: stopped; logs and settings stay in {directory}", markup=False, soft_wrap=True)


def _require_boards(devices: int, image: Path, root: Path) -> None:
    if devices > MAX_BOARDS:
        raise UsageError(f"--devices {devices}: with --image each is a process of its own; {MAX_BOARDS} at most")
    require_usable(image, root)


def _run(cloud: str, directory: Path, devices: int, image: Path | None, root: Path) -> None:
    simulator = start_simulator(cloud, directory.resolve() / CLOUD)
    try:
        playground = Playground(directory, simulator)
        playground.write(root.parent)
        if image is None:
            playground.register(devices)
            _say([*playground.explain(), "", *simulator.explain(directory)])
            _wait()
        else:
            _run_boards(playground, devices, image, root)
    finally:
        simulator.stop()


def _run_boards(playground: Playground, devices: int, image: Path, root: Path) -> None:
    boards = playground.equip(devices, image, root, typer.echo)
    playground.cloud.explain(playground.folder)
    _say([*playground.explain(), *playground.explain_boards(boards)])
    with switched_on(boards):
        _wait()


def _say(lines: Sequence[str]) -> None:
    typer.echo("\n".join([*lines, ""]))


def _wait() -> None:
    """Until a signal raises KeyboardInterrupt."""
    threading.Event().wait()

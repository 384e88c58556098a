"""`otabridge demo`: the whole way of a release on this machine."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from bridge.cli.console import Output, OutputOption, messages, show
from bridge.demo.images import build, given
from bridge.demo.result import describe
from bridge.demo.story import play
from bridge.wiring import start_simulator

Image = Annotated[tuple[Path, Path] | None, typer.Option(help="OLD NEW: raw images of your own instead of made ones.")]
Keep = Annotated[Path | None, typer.Option(help="New folder for everything; else a temporary one, removed in the end.")]


def demo(
    *,
    devices: Annotated[int, typer.Option(min=2, max=100, help="How many devices.")] = 20,
    image: Image = None,
    cloud: Annotated[str, typer.Option(help="Which cloud to simulate.")] = "aws",
    keep: Keep = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Sign a release and roll it out to simulated devices; then a bad one, which stops by itself."""
    with _folder(keep) as folder:
        images = given(*image, folder) if image else build(folder)
        simulator = start_simulator(cloud, folder / "cloud")
        try:
            result = play(folder, simulator, images, devices, _tell)
        finally:
            simulator.stop()
    show(result, describe(result), output)
    if not result.holds:
        raise typer.Exit(1)


def _tell(text: str) -> None:
    if messages.is_terminal:
        messages.print(f"otabridge demo: {text}", markup=False)


@contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    if keep is not None:
        keep.mkdir(parents=True)
        yield keep.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="otabridge-demo-") as folder:
        yield Path(folder)

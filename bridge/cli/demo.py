"""`otabridge demo`: the whole way of a release on this machine."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated

import typer

from bridge.cli.console import Output, OutputOption, messages, show
from bridge.cli.interruption import interruptible
from bridge.demo.boards import require_room
from bridge.demo.images import IMAGE_BYTES, Images, build, given
from bridge.demo.result import DemoResult, describe
from bridge.demo.story import play
from bridge.errors import UsageError
from bridge.wiring import simulated_clouds, start_simulator

INTERRUPTED = 130
Image = Annotated[tuple[Path, Path] | None, typer.Option(help="OLD NEW: raw images of your own instead of made ones.")]
Keep = Annotated[
    Path | None, typer.Option(help="New or empty folder for everything; else a temporary one, removed in the end.")
]


def demo(
    *,
    devices: Annotated[int, typer.Option(min=2, max=100, help="How many devices.")] = 20,
    image: Image = None,
    cloud: Annotated[list[str] | None, typer.Option(help="Cloud to simulate; may be repeated; else all.")] = None,
    keep: Keep = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Roll out a good release to simulated devices in every cloud, then one that is bad for the first cloud's.

    Everything is real but the clouds: keys, signatures, commands, agents. The bad release must stop by itself,
    everywhere.
    """
    try:
        with interruptible(), _folder(keep) as folder:
            result = _play(folder, cloud or simulated_clouds(), image, devices)
    except KeyboardInterrupt:
        messages.show_cursor()  # the progress of a command may have hidden it
        messages.print("\notabridge demo: interrupted; the devices are switched off", markup=False)
        raise typer.Exit(INTERRUPTED) from None
    show(result, describe(result, shutil.get_terminal_size().columns), output)
    if not result.holds:
        raise typer.Exit(1)


def _play(folder: Path, names: Sequence[str], image: tuple[Path, Path] | None, devices: int) -> DemoResult:
    if devices < len(set(names)):
        raise UsageError(f"--devices {devices}: each of the clouds {', '.join(names)} needs one")
    with ExitStack() as running:
        clouds = []
        for name in dict.fromkeys(names):
            clouds.append(start_simulator(name, folder / "clouds" / name))
            running.callback(clouds[-1].stop)
        _tell("images: one to start with, an update, a broken one")
        images = given(*image, folder) if image else _made(folder, devices)
        require_room(folder, devices, images.room)
        return play(folder, clouds, images, devices, _tell)


def _made(folder: Path, devices: int) -> Images:
    """Real file systems; they and their tree take as much as two devices more."""
    require_room(folder, devices + 2, IMAGE_BYTES)
    return build(folder)


def _tell(text: str) -> None:
    if messages.is_terminal:
        messages.print(f"▸ {text}", markup=False, style="bold")


@contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    if keep is None:
        with tempfile.TemporaryDirectory(prefix="otabridge-demo-") as folder:
            yield Path(folder)
        return
    try:
        keep.mkdir(parents=True, exist_ok=True)
        taken = any(keep.iterdir())
    except OSError as error:
        raise UsageError(f"--keep {keep}: {error.strerror}") from error
    if taken:
        raise UsageError(f"--keep {keep} is not empty: name a new or an empty folder")
    yield keep.resolve()

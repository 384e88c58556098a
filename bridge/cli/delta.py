"""`otabridge delta`: differences between images, made, applied, looked into, verified and estimated by themselves.

A release gets its deltas from `release build --delta-from`; these commands are for trying them and for other uses.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bridge.cli import delta_view
from bridge.cli.console import Output, OutputOption, messages, show
from bridge.cli.delta_estimate import describe_estimate, view_estimate
from bridge.cli.delta_input import OpenPayload, open_payload, open_source, require_image
from bridge.cli.delta_made import describe_made, view_made
from bridge.cli.delta_options import MEBIBYTE, Effort, EffortOption, MemoryOption, WorkersOption
from bridge.cli.interruption import interruptible
from bridge.cli.phases import phases
from bridge.delta.applying import naming, write_image
from bridge.delta.inspecting import inspect
from bridge.large_files import require_absent, whole_or_nothing
from bridge.release.delta.memory import DEVICE_MEMORY

if TYPE_CHECKING:
    from bridge.delta.making import Making

app = typer.Typer(help="Deltas: what turns an image that devices have into the next one.", no_args_is_help=True)

INTERRUPTED = 130
WORK = ".work"
OldImage = Annotated[Path, typer.Argument(metavar="OLD", help="The image that devices have: a file or block device.")]
NewImage = Annotated[Path, typer.Argument(metavar="NEW", help="The image that they shall have.")]
SourceImage = Annotated[
    Path, typer.Argument(metavar="OLD", help="The image that the payload starts from; - for a full artifact.")
]
Payload = Annotated[Path, typer.Argument(metavar="PAYLOAD", help="A delta, or a release's full artifact.")]


@app.command()
def make(
    old: OldImage,
    new: NewImage,
    *,
    out: Annotated[Path, typer.Option(help="New file for the payload.")],
    effort: EffortOption = Effort.DEFAULT,
    workers: WorkersOption = None,
    memory: MemoryOption = None,
    work: Annotated[
        Path | None, typer.Option(help="Folder for finished work until the payload is; else PAYLOAD.work.")
    ] = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Make the delta from OLD to NEW; after Ctrl-C the same command goes on where it was."""
    from bridge.delta.making import make_delta

    require_absent(out, "payload")
    kept = work or out.with_name(out.name + WORK)
    with _resumable(kept), phases() as progress:
        made = view_made(out, make_delta(old, new, out, _making(effort, workers, memory, kept), progress))
    show(made, describe_made(made), output)


def _making(effort: Effort, workers: int | None, memory: int | None, work: Path | None) -> Making:
    from bridge.delta import effort as efforts
    from bridge.delta.making import WORKERS, Making

    granted = DEVICE_MEMORY if memory is None else memory * MEBIBYTE
    return Making(efforts.Effort(effort), workers or WORKERS, granted, work)


@contextmanager
def _resumable(work: Path) -> Iterator[None]:
    """Whoever interrupts it is told what became of the work."""
    try:
        with interruptible():
            yield
    except KeyboardInterrupt:
        kept = f"what is finished is kept in {work}: the same command goes on there; remove the folder to drop it"
        messages.print(
            f"interrupted; {kept if work.exists() else 'nothing was finished yet'}", markup=False, soft_wrap=True
        )
        raise typer.Exit(INTERRUPTED) from None


@contextmanager
def _ending() -> Iterator[None]:
    """An interruption leaves nothing behind."""
    try:
        with interruptible():
            yield
    except KeyboardInterrupt:
        messages.print("interrupted; nothing was written", markup=False, soft_wrap=True)
        raise typer.Exit(INTERRUPTED) from None


@app.command(name="apply")
def apply_(
    old: SourceImage,
    payload: Payload,
    *,
    out: Annotated[Path, typer.Option(help="New file for the image.")],
    memory: MemoryOption = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Make the image of PAYLOAD with the device's own program; it appears once its sha256 is proved, or not at all."""
    require_absent(out, "image")
    with (
        _ending(),
        phases() as progress,
        open_payload(payload) as given,
        open_source(old, given, progress) as source,
    ):
        image = given.images.new
        _write(given.pieces(source, memory, progress), out, given)
    show({"out": out, "image": image}, f"image       {out}: {delta_view.describe_image(image)}", output)


def _write(pieces: Iterator[bytes], out: Path, payload: OpenPayload) -> None:
    with naming(str(payload.path)), whole_or_nothing(out, "image") as target:
        write_image(pieces, target)


@app.command()
def info(payload: Payload, *, output: OutputOption = Output.TEXT) -> None:
    """Tell what a payload does, of what it consists, and how much memory it takes."""
    with open_payload(payload) as given, naming(str(payload)):
        seen = delta_view.view(inspect(given.file))
    show(seen, delta_view.describe(payload.name, seen), output)


@app.command()
def verify(
    old: SourceImage,
    payload: Payload,
    *,
    new: Annotated[Path | None, typer.Option(help="The image that it must make.")] = None,
    memory: MemoryOption = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Apply PAYLOAD to OLD without writing: every byte read and made is held against its checksums."""
    with _ending(), phases() as progress, open_payload(payload) as given:
        images = given.images
        if new is not None:
            require_image(new, images.new, f"the image that {payload} makes", progress)
        with open_source(old, given, progress) as source, naming(str(payload)):
            for _ in given.pieces(source, memory, progress):
                pass
    text = f"verified    {payload.name} makes {delta_view.describe_image(images.new)}"
    show({"payload": payload, "old": images.old, "new": images.new}, text, output)


@app.command()
def estimate(
    old: OldImage,
    new: NewImage,
    *,
    effort: EffortOption = Effort.DEFAULT,
    workers: WorkersOption = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Tell in a fraction of the time about how large the delta from OLD to NEW would be, and how to make it smaller."""
    from bridge.delta.estimating import estimate as estimated
    from bridge.delta.making import WORKERS

    with _ending(), phases() as progress:
        seen = view_estimate(estimated(old, new, progress, workers=workers or WORKERS), effort, progress)
    show(seen, describe_estimate(seen), output)

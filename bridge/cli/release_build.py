"""`otabridge release build`: the full artifact of an image, deltas from older ones, the files of other steps, and an
unsigned release.json.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from bridge.building import DEFAULT_MARGIN, Attempt, Built, Recipe
from bridge.building import build as build_folder
from bridge.cli.console import Output, OutputOption, messages, show
from bridge.cli.delta_made import describe_advice, share
from bridge.cli.delta_options import MEBIBYTE, Effort, EffortOption
from bridge.cli.interruption import interruptible
from bridge.cli.phases import phases
from bridge.cli.release_view import describe_artifacts, describe_release
from bridge.expiry import parse_expiry, parse_time
from bridge.images import DEFAULT_LEVEL, Encoding
from bridge.release.delta.memory import DEVICE_MEMORY
from bridge.release.manifest import Compatibility, Kind, Release, Versions
from bridge.steps_file import read_steps

INTERRUPTED = 130
EVERY_CLOUD = 8
"""Artifacts that fit one update of Device Update beside `release.json` and `roots.json`."""


def build(
    *,
    image: Annotated[
        Path | None, typer.Option(help="Raw image: a file or a block device. Needed unless no step writes one.")
    ] = None,
    name: Annotated[str, typer.Option(help="The product's name, such as gateway-os.")],
    version: Annotated[str, typer.Option(help="Version that devices report, such as 2.1.0.")],
    sequence: Annotated[int, typer.Option(help="Number that only ever rises; floors compare it.")],
    model: Annotated[str, typer.Option(help="Model that the release is for.")],
    hardware: Annotated[list[str] | None, typer.Option(help="Hardware revision; may be repeated; else any.")] = None,
    from_version_min: Annotated[str | None, typer.Option(help="Oldest version to update from.")] = None,
    from_version_max: Annotated[str | None, typer.Option(help="Newest version to update from.")] = None,
    floor: Annotated[int, typer.Option(help="Least sequence accepted once this release is committed.")] = 1,
    kind: Annotated[Kind, typer.Option(help="Why the release exists.")] = Kind.FEATURE,
    advisory: Annotated[str, typer.Option(help="Identifier or URL of the security advisory.")] = "",
    support_until: Annotated[str | None, typer.Option(help="Last day of support: 2030-01-31.")] = None,
    health: Annotated[list[str] | None, typer.Option(help="Check that must pass; may be repeated; else all.")] = None,
    expires: Annotated[str, typer.Option(help="365d, or a date: devices refuse the release afterwards.")] = "365d",
    level: Annotated[int, typer.Option(help="zstd level of the full artifact: 1 (fast) to 22.")] = DEFAULT_LEVEL,
    delta_from: Annotated[
        list[Path] | None,
        typer.Option(metavar="OLD", help="Older image, block device or release folder; may be repeated."),
    ] = None,
    effort: EffortOption = Effort.DEFAULT,
    delta_margin: Annotated[
        int, typer.Option(help="Per cent by which a delta must be smaller than the full artifact; else it is dropped.")
    ] = DEFAULT_MARGIN,
    delta_memory: Annotated[
        int, typer.Option(min=1, max=1024, help="MiB that devices grant for applying a delta.")
    ] = DEVICE_MEMORY // MEBIBYTE,
    full_over_metered: Annotated[
        bool, typer.Option(help="Whether devices may fetch the full artifact, and files, over a metered link.")
    ] = True,
    steps: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Steps of the release (TOML; docs/reference/steps-file.md).")
    ] = None,
    out: Annotated[Path, typer.Option(help="New folder for the release.")],
    output: OutputOption = Output.TEXT,
) -> None:
    """Make a release folder: the artifacts of an image, the files of other steps, and an unsigned release.json."""
    now = datetime.now(UTC)
    draft = Release(
        name=name,
        version=version,
        sequence=sequence,
        compatibility=Compatibility(model, tuple(hardware or ()), Versions(from_version_min, from_version_max)),
        artifacts=(),
        expires=parse_expiry(expires, now, "--expires"),
        floor=floor,
        kind=kind,
        advisory=advisory,
        support_until=parse_time(support_until, "--support-until").date() if support_until else None,
        health=tuple(health or ()),
        full_over_metered=full_over_metered,
    )
    recipe = Recipe(
        image,
        tuple(delta_from or ()),
        Encoding(level),
        effort,
        delta_margin,
        delta_memory * MEBIBYTE,
        read_steps(steps) if steps else (),
    )
    built = _build(recipe, out, draft)
    show(built, "\n".join(_describe(built, recipe, now)), output)


def _build(recipe: Recipe, out: Path, draft: Release) -> Built:
    try:
        with interruptible(), phases() as progress:
            return build_folder(recipe, out, draft, progress)
    except KeyboardInterrupt:
        kept = f"; what is finished of the deltas is kept in {out}, and the same command goes on there"
        messages.print(
            f"interrupted, there is no release yet{kept if recipe.olds else ''}", markup=False, soft_wrap=True
        )
        raise typer.Exit(INTERRUPTED) from None


def _describe(built: Built, recipe: Recipe, now: datetime) -> list[str]:
    release = built.release
    lines = [*describe_release(release, now), *describe_artifacts(release)]
    dropped = (each for each in built.attempts if not each.is_kept)
    lines += [_describe_dropped(each, release.full.length, recipe.margin) for each in dropped]
    advice = (line for each in built.attempts for line in describe_advice(each.notes, each.gave_up))
    return [*lines, *dict.fromkeys(advice), *_describe_many(len(release.artifacts))]


def _describe_many(artifacts: int) -> list[str]:
    if artifacts <= EVERY_CLOUD:
        return []
    files, downloads = "10 files, the release's metadata among them", "10 downloads"
    return [f"advice      {artifacts} artifacts: Azure Device Update takes {files}; a job of AWS IoT, {downloads}"]


def _describe_dropped(attempt: Attempt, full: int, margin: int) -> str:
    return (
        f"dropped     the delta from {attempt.old}: {attempt.artifact.length} bytes are "
        f"{share(attempt.artifact.length, full)} of the full artifact, more than the {100 - margin} % that are worth it"
    )

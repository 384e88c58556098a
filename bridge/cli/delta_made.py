"""What the maker tells, in lines for people: deltas that were made, and estimates."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bridge.cli.delta_view import describe_image, describe_memory
from bridge.cli.sizes import in_bytes
from bridge.release.image import Image

if TYPE_CHECKING:
    from bridge.delta.making import Made


@dataclass(frozen=True, slots=True)
class MadeView:
    """A delta that was made, for programs. `operations`: bytes of the new image by the operation that makes them."""

    payload: Path
    length: int
    sha256: str
    old: Image
    new: Image
    memory: int
    frames: int
    spans: int
    operations: Mapping[str, int]
    notes: tuple[str, ...]
    gave_up: int


def view_made(payload: Path, made: Made) -> MadeView:
    """The delta that was written to `payload`."""
    return MadeView(
        payload=payload,
        length=made.length,
        sha256=made.sha256,
        old=made.old,
        new=made.new,
        memory=made.memory,
        frames=made.frames,
        spans=made.spans,
        operations={kind.name: count for kind, count in sorted(made.counts.items())},
        notes=made.notes,
        gave_up=made.gave_up,
    )


def describe_made(made: MadeView) -> str:
    """A delta that was made, in lines for people."""
    lines = [
        f"payload     {made.payload}: {made.length} bytes, {share(made.length, made.new.length)} of the new image",
        f"from        {describe_image(made.old)}",
        f"to          {describe_image(made.new)}",
        f"memory      {describe_memory(made.memory)} to apply",
        f"frames      {made.frames}, of {made.spans} spans",
        f"makes       {', '.join(f'{in_bytes(count)} by {name}' for name, count in made.operations.items())}",
    ]
    return "\n".join([*lines, *describe_advice(made.notes, made.gave_up)])


def describe_advice(notes: Iterable[str], gave_up: int) -> Iterator[str]:
    """What would make deltas smaller."""
    if gave_up:
        yield (
            f"gave up     {gave_up} comparisons that took more time or memory than they may; their bytes travel as new"
        )
    for note in notes:
        yield f"advice      {note}"


def share(part: int, whole: int) -> str:
    """`3.0 %`."""
    return f"{100 * part / max(1, whole):.1f} %"

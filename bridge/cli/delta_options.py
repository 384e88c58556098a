"""Options that the commands about deltas share."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

MEBIBYTE = 1 << 20


class Effort(StrEnum):
    """The values of `bridge.delta.effort.Effort`, which cannot be loaded without numpy."""

    FAST = "fast"
    DEFAULT = "default"
    MAX = "max"


EffortOption = Annotated[Effort, typer.Option("--effort", help="How hard to look for what both images share.")]
WorkersOption = Annotated[
    int | None, typer.Option("--workers", min=1, max=256, help="Processes at a time; else as many as processors.")
]
MemoryOption = Annotated[
    int | None,
    typer.Option("--memory", min=1, max=1024, help="MiB that a device grants; a payload that takes more is refused."),
]

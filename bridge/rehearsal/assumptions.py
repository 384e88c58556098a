"""What a rehearsal assumes of the devices. Read from TOML; every field has a default.

failing = 0.5          # per cent of devices that fail before the switch
falling_back = 0.2     # per cent whose trial boot is not healthy
silent = 0.1           # per cent that take the offer and are not heard of again
offline = 5.0          # per cent that are off when they are offered the release
returns = "24h"        # mean time until such a device is back
installs = "12m"       # median time from offer to report
[models."rev-b"]       # the same, for one hardware model
failing = 8.0
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import inspect

from bridge.errors import UsageError
from bridge.files import read_bounded
from bridge.rollout.duration import Duration
from bridge.rollout.mistake import MAX_TOLD, in_place
from bridge.rollout.shape import misfits

MAX_FILE_BYTES = 64 * 1024
Share = Annotated[float, msgspec.Meta(ge=0, le=100)]


class ModelAssumptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Of one hardware model; what is absent is as for all."""

    failing: Share | None = None
    falling_back: Share | None = None
    silent: Share | None = None
    offline: Share | None = None


class Assumptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Of all devices; shares in per cent."""

    failing: Share = 0.5
    falling_back: Share = 0.2
    silent: Share = 0.1
    offline: Share = 5.0
    returns: Duration = "24h"
    installs: Duration = "12m"
    models: dict[str, ModelAssumptions] = {}

    def of(self, model: str) -> Assumptions:
        """The same for one hardware model."""
        own = self.models.get(model, ModelAssumptions())
        given = {name: value for name in own.__struct_fields__ if (value := getattr(own, name)) is not None}
        return msgspec.structs.replace(self, models={}, **given)


def read_assumptions(file: Path) -> Assumptions:
    """The assumptions in `file`. Raises: UsageError naming file, field and what would be right."""
    data = read_bounded(file, MAX_FILE_BYTES, "assumptions")
    try:
        document = tomllib.loads(data[: MAX_FILE_BYTES + 1].decode())
    except (ValueError, RecursionError) as error:  # tomllib's errors are ValueErrors
        raise UsageError(f"{file}: {error}") from error
    try:
        return msgspec.convert(document, Assumptions)
    except msgspec.ValidationError as error:
        mistakes = [in_place(mistake) for mistake in misfits(document, inspect.type_info(Assumptions))]
        raise UsageError("\n".join(f"{file}: {text}" for text in (mistakes or [str(error)])[:MAX_TOLD])) from error

"""The settings of a fleet in `otabridge.toml` beside those that its Terraform module tells. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from bridge.errors import UsageError
from bridge.fleet_table import Change, changes, replaced
from bridge.probing import Finding, Found, Probe, Stated
from bridge.tool_config import ToolConfig

TRIED = "compare it with Terraform's output"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a `tool_config` came from: `source` for messages, `again` is the command that takes its settings."""

    source: str
    again: str


def compared(name: str, held: Mapping[str, object], made: ToolConfig, origin: Origin) -> tuple[Probe, ...]:
    """One probe for each setting of the fleet `name` that differs from `made`; one for all of them where none does.

    `held` are the settings in the file, `cloud` among them; what `made` does not name is a person's own.

    Raises: UsageError, `made` is of another cloud.
    """
    if held.get("cloud") != made.provider:
        raise UsageError(
            f"{origin.source}: provider is {made.provider!r}, and fleet {name} is in {held.get('cloud')!r}: give the "
            "output of its own module; --terraform-output names it"
        )
    differing = tuple(_differing(held, made, f"run `{origin.again}`"))
    return differing or (Stated("settings", TRIED, Finding(Found.OK, "they are Terraform's")),)


def _differing(held: Mapping[str, object], made: ToolConfig, cure: str) -> Iterator[Probe]:
    for change in changes(held, replaced(held, made.settings)):
        yield Stated(f"settings.{change.field}", TRIED, Finding(Found.MISSING, cure, _needs(change)))


def _needs(change: Change) -> str:
    told = str(change)[2:]
    return f"{told}, which is not set" if change.before is None else f"{told}, which is Terraform's"

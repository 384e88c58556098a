"""What a Terraform module made: `resources` of its `tool_config` as the typed names that one cloud's probes take."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, TypeVar

import msgspec

from bridge.errors import UsageError
from bridge.probing import Finding, Found, Probe, Stated

MENDS = "`terraform apply` mends it"
_Names = TypeVar("_Names", bound=msgspec.Struct)


class Fault(NamedTuple):
    """How something must be, and is not; the Terraform variable that mends it, "" where applying again does."""

    needs: str
    variable: str = ""


Faults = Iterable[Fault]


def unless(*, holds: bool, needs: str, variable: str = "") -> Faults:
    """The fault that something is not as it must be; none if it holds."""
    return () if holds else (Fault(needs, variable),)


def told(faults: Sequence[Fault]) -> Finding:
    """What the faults of one resource come to; the first variable is the one to begin with."""
    if not faults:
        return Finding(Found.OK, "it is as it must be")
    variable = next((fault.variable for fault in faults if fault.variable), "")
    return Finding(Found.MISSING, MENDS, "; ".join(fault.needs for fault in faults), variable)


def named(fleet: str, resources: Mapping[str, object], kind: type[_Names]) -> _Names:
    """`resources` as `kind`; names that `kind` has not are left to `unknown`. Raises: UsageError naming the field."""
    try:
        return msgspec.convert(resources, kind)
    except msgspec.ValidationError as error:
        what, _, path = str(error).partition(" - at ")
        raise UsageError(f"fleet {fleet}: resources.{path.strip('`$.')}: {what[:1].lower() + what[1:]}") from error


def unknown(resources: Mapping[str, object], kind: type[msgspec.Struct]) -> Sequence[Probe]:
    """One finding that lists the names for which there is no probe, those of a newer module or of somebody's own; none
    where there are none.
    """
    names = [name for name, value in resources.items() if value is not None and name not in kind.__struct_fields__]
    if not names:
        return ()
    said = f"{', '.join(sorted(names))}: this otabridge knows no probe of them"
    return (Stated("resources", "look at the rest that Terraform names", Finding(Found.SKIPPED, said)),)

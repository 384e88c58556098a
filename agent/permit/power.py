"""Whether the device has the energy for an update: on mains, or with enough in its battery.

Source: Linux, Documentation/ABI/testing/sysfs-class-power: `type`, `scope`, `online`, `capacity` of each supply.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Annotated

import msgspec

from agent.permit.permission import ALLOWED, Answer, Facts, Later, Moment

SUPPLIES = Path("/sys/class/power_supply")
MAX_SUPPLIES = 32
MAX_BYTES = 64
RETRY_SECONDS = 300.0
ENDURING = frozenset({"UPS", "Battery"})


class PowerSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A device that runs on its battery needs `least_percent` of it; `supplies` is where the kernel shows both."""

    least_percent: Annotated[int, msgspec.Meta(ge=1, le=100)]
    supplies: Path = SUPPLIES


@dataclass(frozen=True, slots=True)
class Supply:
    """One power supply; `online` and `percent` are None where it does not tell."""

    name: str
    is_battery: bool
    online: bool | None = None
    percent: int | None = None


def shortage(supplies: Iterable[Supply], least_percent: int) -> str | None:
    """Why there is too little energy, for people; None when there is enough, or no battery at all. Pure."""
    found = list(supplies)
    batteries = [each for each in found if each.is_battery]
    if not batteries or any(each.online for each in found if not each.is_battery):
        return None
    known = [each for each in batteries if each.percent is not None]
    if not known:
        return f"on battery {batteries[0].name}, which does not tell how full it is; connect the mains"
    fullest = max(known, key=lambda each: each.percent or 0)
    if (fullest.percent or 0) >= least_percent:
        return None
    return f"on battery {fullest.name} at {fullest.percent} %, {least_percent} % are needed; or connect the mains"


def supplies_in(folder: Path) -> list[Supply]:
    """The power supplies of this machine, those of its peripherals (a mouse) left out."""
    return [
        _supply(path) for path in islice(sorted(folder.glob("*")), MAX_SUPPLIES) if _text(path / "scope") != "Device"
    ]


def _supply(path: Path) -> Supply:
    online, percent = _number(path / "online"), _number(path / "capacity")
    kind = _text(path / "type")
    return Supply(path.name, kind in ENDURING, None if online is None else online > 0, percent)


def _number(path: Path) -> int | None:
    text = _text(path)
    return int(text) if text.isascii() and text.isdecimal() else None


def _text(path: Path) -> str:
    """What the file says in a line; "" where it cannot be read: a driver answers with errors while it starts."""
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES).decode(errors="replace").strip()
    except OSError:
        return ""


class PowerGate:
    """Lets an update go on while there is enough energy."""

    def __init__(self, settings: PowerSettings) -> None:
        self._settings = settings

    def ask(self, moment: Moment, facts: Facts) -> Answer:  # noqa: ARG002 - the port's face
        """See Permission. A trial boot is committed in any case: to go back would take more energy."""
        if moment is Moment.COMMIT:
            return ALLOWED
        missing = shortage(supplies_in(self._settings.supplies), self._settings.least_percent)
        return ALLOWED if missing is None else Later("power", missing, RETRY_SECONDS)

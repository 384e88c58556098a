"""What a device is at the moment, as it tells its cloud: the same fields in AWS's shadow and in Azure's twin. Pure.

Beside the reports, which end an installation each, it is what a cloud counts devices by, and finds those of a range of
buckets, with one query.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from types import MappingProxyType

from bridge.release.bucket import bucket
from bridge.release.details import MAX_SAVED, one_line

MAX_TEXT = 128
"""Characters of each text; neither cloud indexes longer ones as a whole."""
MAX_COUNT = 2**31 - 1
"""The most that a number says; what counts further stays there."""
MOST = MappingProxyType({"saved": MAX_SAVED})
"""Numbers with a bound of their own."""


@dataclass(frozen=True, slots=True)
class DeviceState:
    """All but the bucket, which follows from the id by which a cloud knows the device.

    `model` is what releases are held against. `release` is the version in the slot that runs ("" unknown), `sequence`
    its number (0 unknown). `slot` is the slot that runs, "a" or "b", `expected_slot` the one last committed ("" before
    the agent ever ran); they differ during a trial. `boots` counts the boots of the release that runs, its first
    included; of what ran before the first release, those since the agent first counted. `fallbacks` counts over the
    device's life, `watchdog_resets` the boots of the release that runs which a watchdog ended. `agent` is the version
    of the agent, `outcome` the word of the last end ("" none yet); see `bridge.release.report.Outcome`. `saved` is the
    bytes that a delta saved when the release that runs was installed: the length of its full artifact less that of the
    artifact taken, 0 where it was the full one or none, at most `MAX_SAVED`.
    """

    model: str
    release: str
    sequence: int
    slot: str
    expected_slot: str
    boots: int
    fallbacks: int
    watchdog_resets: int
    agent: str
    outcome: str
    saved: int = 0


def render(state: DeviceState, device: str) -> dict[str, int | str]:
    """The fields of `state`, and `bucket`, of the device that its cloud knows as `device`, within their bounds.

    Texts are one line of at most `MAX_TEXT` characters, numbers lie within 0..`MAX_COUNT`, or `MAX_SAVED`. There is
    every field each time: what a cloud merges replaces all that was said before.
    """
    fields = {"bucket": bucket(device), **asdict(state)}
    return {name: _bounded(value, MOST.get(name, MAX_COUNT)) for name, value in fields.items()}


def _bounded(value: int | str, most: int) -> int | str:
    return one_line(value, MAX_TEXT) if isinstance(value, str) else max(0, min(value, most))

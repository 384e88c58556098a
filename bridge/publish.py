"""Publishes a release: its artifacts into each fleet's store. Idempotent, so a broken run is simply run again.

Nothing is put anywhere before the release holds as a device would judge it, artifacts included. `release.json` itself
travels in each stage's job or deployment, not through the store.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bridge.fleet import Fleet, FleetError
from bridge.folder import Examination, release_file
from bridge.release.manifest import Release

Sending = Callable[[str, int], None]
"""Called with a fleet's name and the number of bytes sent to it since the last call, from any thread."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of one fleet; `problem` is None when it holds every artifact now."""

    fleet: str
    problem: FleetError | None = None


def publish(path: Path, examination: Examination, fleets: Sequence[Fleet], sending: Sending) -> tuple[Delivery, ...]:
    """Put the artifacts of the release at `path` into every fleet; one fleet's failure does not keep it from the next.

    Raises:
        ReleaseError: the examination refused the release; nothing was put anywhere.
    """
    release = examination.accepted()
    if len(examination.findings) != len(release.artifacts):
        raise RuntimeError("a release is published after its artifacts were examined")
    folder = release_file(path).parent
    return tuple(_deliver(folder, release, fleet, sending) for fleet in fleets)


def _deliver(folder: Path, release: Release, fleet: Fleet, sending: Sending) -> Delivery:
    try:
        for artifact in release.artifacts:
            fleet.put_artifact(artifact, folder / artifact.name, lambda count: sending(fleet.name, count))
    except FleetError as error:
        return Delivery(fleet.name, error)
    return Delivery(fleet.name)

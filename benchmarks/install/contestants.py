"""Everybody who takes part, in the order of the tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.install import limit, mender, otabridge, rauc, swupdate
from benchmarks.install.contestant import Contestant
from benchmarks.install.credentials import credentials_in
from benchmarks.install.payload import Payload
from benchmarks.install.programs import Unavailable
from benchmarks.install.releasing import Releases
from benchmarks.install.rounds import Skipped
from benchmarks.install.serving import Server


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a contestant is made with: the images, and the server of all files below the cache."""

    payload: Payload
    server: Server


Make = Callable[[Surroundings, Path], Contestant]


def _rauc(around: Surroundings, folder: Path) -> Contestant:
    return rauc.Rauc(around.payload, folder, credentials_in(around.payload.kept))


def _swupdate(around: Surroundings, folder: Path) -> Contestant:
    return swupdate.Swupdate(around.payload, folder, credentials_in(around.payload.kept))


def _swupdate_http(around: Surroundings, folder: Path) -> Contestant:
    return swupdate.Swupdate(around.payload, folder, credentials_in(around.payload.kept), around.server)


def _mender(around: Surroundings, folder: Path) -> Contestant:
    return mender.Mender(around.payload, folder, credentials_in(around.payload.kept), around.server)


def _full(around: Surroundings, folder: Path) -> Contestant:
    return otabridge.Resident(around.payload, folder, Releases(around.payload), around.server, delta=False)


def _delta(around: Surroundings, folder: Path) -> Contestant:
    return otabridge.Resident(around.payload, folder, Releases(around.payload), around.server, delta=True)


def _command(around: Surroundings, folder: Path) -> Contestant:
    return otabridge.Command(around.payload, folder, Releases(around.payload))


MAKERS: dict[str, Make] = {
    limit.NAME: lambda around, folder: limit.Limit(around.payload, folder),
    otabridge.FULL: _full,
    otabridge.DELTA: _delta,
    otabridge.COMMAND: _command,
    rauc.NAME: _rauc,
    swupdate.FILE_NAME: _swupdate,
    swupdate.HTTP_NAME: _swupdate_http,
    mender.NAME: _mender,
}


def prepare(
    names: Sequence[str], around: Surroundings, folder: Path, say: Callable[[str], None]
) -> tuple[list[Contestant], list[Skipped]]:
    """Those of `names` that can run here, each in a folder of its own, and those that cannot."""
    ready, skipped = [], []
    for number, name in enumerate(names):
        say(f"preparing {name}")
        own = folder / str(number)
        own.mkdir()
        try:
            ready.append(MAKERS[name](around, own))
        except Unavailable as reason:
            skipped.append(Skipped(name, str(reason)))
    return ready, skipped

"""Signed release folders, made by the command `otabridge` as its users make them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.install.payload import Payload, made
from benchmarks.install.programs import Unavailable, run

FAST = "1"
"""Level of a release that is installed once, before anything is measured."""


class Releases:
    """Folders, each made when it is asked for first, and kept: `first` brings what the device runs, `full` and `delta`
    the image that comes. `root` is to be pinned."""

    def __init__(self, payload: Payload) -> None:
        self._payload = payload
        self._keys = made(payload.kept / "keys", _make_keys)
        self._trust = made(payload.kept / "trust", lambda target: _make_trust(target, self._keys))
        self.root = self._trust / "1.root.json"

    @property
    def first(self) -> Path:
        """Raises: Unavailable, as the others do, when `otabridge` fails."""
        return self._release("first", "1", "--image", self._payload.old, "--level", FAST)

    @property
    def full(self) -> Path:
        """A full artifact alone."""
        return self._release("full", "2", "--image", self._payload.new)

    @property
    def delta(self) -> Path:
        """A full artifact, and the delta that a device of this bench takes."""
        return self._release("delta", "2", "--image", self._payload.new, "--delta-from", self._payload.old)

    def _release(self, name: str, number: str, *options: str | Path) -> Path:
        line = ["--version", number, "--sequence", number, *options]
        return made(self._payload.kept / name, lambda target: _make_release(target, self._keys, self._trust, line))


def artifact_in(release: Path, suffix: str) -> Path:
    """The artifact of that kind, "full" or "delta". Raises: Unavailable when the release has none."""
    found = next(release.glob(f"*.{suffix}"), None)
    if found is None:
        raise Unavailable(f"the release has no {suffix} artifact: it was not small enough to be kept")
    return found


def otabridge(*line: str | Path) -> str:
    """Raises: Unavailable."""
    return run([Path(sys.executable).with_name("otabridge"), *line])


def _make_keys(folder: Path) -> None:
    for name in ("holder", "approver"):
        otabridge("keys", "create", name, "--no-passphrase", "--out", folder)


def _make_trust(folder: Path, keys: Path) -> None:
    roles: list[str | Path] = ["--root-key", keys / "holder.pub.json", "--release-key", keys / "approver.pub.json"]
    thresholds = ["--root-threshold", "1", "--release-threshold", "1"]
    otabridge("root", "init", *roles, *thresholds, "--sign", keys / "holder.pem", "--out", folder)


def _make_release(folder: Path, keys: Path, trust: Path, line: Sequence[str | Path]) -> None:
    otabridge("release", "build", "--name", "bench", "--model", "bench", *line, "--out", folder)
    otabridge("release", "sign", folder, "--key", keys / "approver.pem", "--trust", trust)

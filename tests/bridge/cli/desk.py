"""A desk to work at: a folder with configuration, trust, a signed release and a rollout file; the fleets lie in memory.

The folder, the store and the command line are real.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bridge.store.store import Store
from tests.bridge.fakes import FakeFleet
from tests.releases import ReleaseKit

NEXT_YEAR = (datetime.now(UTC) + timedelta(days=365)).replace(microsecond=0)
CONFIG = """\
[fleets.factory]
cloud = "aws"
region = "eu-central-1"

[fleets.depot]
cloud = "aws"
region = "us-east-1"
"""
ROLLOUT = """\
name: gates
release: release
fleets: [factory, depot]
stages:
  - percent: 10
  - percent: 50
  - percent: 100
"""
APPROVALS = """\
approvals:
  threshold: 2
  approvers: [ann.pub.json, ben.pub.json, eva.pub.json]
"""
WAY_BACK = "roll_back: {release: previous}\n"


@dataclass(slots=True)
class Ended:
    """What a command left: exit code, stdout, stderr."""

    code: int
    out: str
    err: str

    @property
    def json(self):
        """stdout as the document that it is."""
        return json.loads(self.out)

    @property
    def lines(self):
        """stdout as one document a line."""
        return [json.loads(line) for line in self.out.splitlines()]


@dataclass(slots=True)
class Desk:
    """Where a person or a pipeline works."""

    folder: Path
    kit: ReleaseKit
    fleets: dict[str, FakeFleet]
    otabridge: Callable[..., Ended]

    @property
    def factory(self) -> FakeFleet:
        """The first fleet."""
        return self.fleets["factory"]

    @property
    def depot(self) -> FakeFleet:
        """The second fleet."""
        return self.fleets["depot"]

    @property
    def store(self) -> Store:
        """The store, opened anew."""
        return Store(self.folder / "otabridge.db")

    def write(self, text: str) -> None:
        """Another rollout file."""
        (self.folder / "rollout.yaml").write_text(text)

    def rollout(self, *words: str) -> Ended:
        """`otabridge rollout ...`."""
        return self.otabridge("rollout", *words)

    def apply(self, *options: str) -> Ended:
        """`rollout apply`, with passes in quick succession."""
        return self.rollout("apply", "rollout.yaml", "--interval", "0.1", *options)

    def passes(self, count: int) -> list[Ended]:
        """So many single passes."""
        return [self.apply("--no-wait") for _ in range(count)]

    def approvers(self, *names: str) -> None:
        """Keys of people, without passphrases."""
        for name in names or ("ann", "ben", "eva"):
            self.otabridge("keys", "create", name, "--no-passphrase")

    def write_release(self, folder: str = "release", **changes) -> None:
        """A release folder; `changes` as in `ReleaseKit.package`."""
        package = self.kit.package(b"image " * 5000, **{"expires": NEXT_YEAR, **changes})
        (self.folder / folder).mkdir(exist_ok=True)
        (self.folder / folder / "release.json").write_bytes(package.document)
        for name, data in package.files.items():
            (self.folder / folder / name).write_bytes(data)

    def write_trust(self) -> None:
        """The owner's root, as `otabridge root init` leaves it."""
        (self.folder / "trust").mkdir()
        (self.folder / "trust/1.root.json").write_bytes(self.kit.pinned)

    def stall(self) -> None:
        """No device of the depot ever takes an offer."""
        self.depot.silent = frozenset(self.depot.ids)

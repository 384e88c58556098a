"""The owner's side of the demo: keys, root, releases, configuration, all made with the commands that people use."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from pathlib import Path

from bridge.demo.boards import HARDWARE, MODEL
from bridge.demo.commands import CommandLine
from bridge.demo.settings import otabridge_toml
from bridge.simulated import SimulatedCloud

APPROVERS = ("ann", "ben")

_ROLLOUT = """\
name: {name}
release: {release}
fleets: [{fleets}]
stages:
  - percent: 10
  - percent: 50
  - percent: 100
budget:
  failures: 0
timeout_minutes: 5
"""


class Workshop:
    """Runs `otabridge` in `folder` against simulated clouds; `fleets` by their names."""

    def __init__(self, folder: Path, fleets: Mapping[str, SimulatedCloud]) -> None:
        self.folder = folder
        self.fleets = fleets
        environment = {"OTABRIDGE_PASSPHRASE": secrets.token_urlsafe(24)}
        for cloud in fleets.values():
            environment |= cloud.environment()
        self.commands = CommandLine(folder, environment)

    @property
    def root(self) -> Path:
        """The root that devices pin."""
        return self.folder / "trust" / "1.root.json"

    def found_trust(self) -> None:
        """A root holder and two approvers, both of whom must sign each release."""
        for name in ("root", *APPROVERS):
            self.commands.run("keys", "create", name)
        approvers = [word for name in APPROVERS for word in ("--release-key", f"{name}.pub.json")]
        self.commands.run(
            *("root", "init", "--root-key", "root.pub.json", *approvers),
            *("--release-threshold", str(len(APPROVERS)), "--sign", "root.pem", "--out", "trust"),
        )

    def configure(self) -> None:
        """Write `otabridge.toml` with every fleet."""
        (self.folder / "otabridge.toml").write_text(otabridge_toml(self.fleets, "trust"))

    def make_release(self, image: Path, version: str, sequence: int) -> Path:
        """Build, sign twice, verify; the release's folder."""
        folder = self.folder / "releases" / version
        self.commands.run(
            *("release", "build", "--image", str(image), "--name", "demo-os", "--version", version),
            *("--sequence", str(sequence), "--model", MODEL, "--hardware", HARDWARE),
            *("--level", "3", "--out", str(folder)),
        )
        for name in APPROVERS:
            self.commands.run("release", "sign", str(folder), "--key", f"{name}.pem", "--trust", "trust")
        self.commands.run("release", "verify", str(folder), "--trust", "trust")
        return folder

    def write_rollout(self, name: str, release: Path) -> Path:
        """A rollout file with stages of 10, 50 and 100 per cent and no budget for failures."""
        path = self.folder / f"{name}.yaml"
        fleets = ", ".join(self.fleets)
        path.write_text(_ROLLOUT.format(name=name, release=json.dumps(str(release)), fleets=fleets))
        return path

    def apply(self, file: Path, expect: int) -> None:
        """Run the rollout to its end, which must come with exit code `expect`. Raises: DemoFailed."""
        self.commands.run("rollout", "apply", str(file), "--interval", "0.5", "--timeout", "300", expect=expect)

    def status(self, name: str) -> Mapping[str, object]:
        """`rollout status` as JSON."""
        return self.commands.ask("rollout", "status", name)

    def history(self, name: str) -> Mapping[str, object]:
        """`rollout history` as JSON."""
        return self.commands.ask("rollout", "history", name)

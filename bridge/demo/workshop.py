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
FLEET = "demo"

_ROLLOUT = """\
name: {name}
release: {release}
fleets: [{fleet}]
stages:
  - percent: 10
  - percent: 50
  - percent: 100
budget:
  failures: 0
timeout_minutes: 5
"""


class Workshop:
    """Runs `otabridge` in `folder` against the simulated cloud."""

    def __init__(self, folder: Path, cloud: SimulatedCloud) -> None:
        self.folder = folder
        passphrase = {"OTABRIDGE_PASSPHRASE": secrets.token_urlsafe(24)}
        self.commands = CommandLine(folder, {**cloud.environment(), **passphrase})

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

    def configure(self, cloud: SimulatedCloud) -> None:
        """Write `otabridge.toml` with the one fleet."""
        (self.folder / "otabridge.toml").write_text(otabridge_toml(cloud, FLEET, "trust"))

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
        path.write_text(_ROLLOUT.format(name=name, release=json.dumps(str(release)), fleet=FLEET))
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

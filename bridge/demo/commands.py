"""Runs `otabridge` as a person would: a process for each command, in the demo's folder."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from bridge.release.errors import OtabridgeError


class DemoFailed(OtabridgeError):
    """A step of the demo did not end as it must."""


@dataclass(frozen=True, slots=True)
class CommandLine:
    """The `otabridge` of this installation, run in `folder` with `environment` added to that of this process."""

    folder: Path
    environment: Mapping[str, str]

    def run(self, *words: str, expect: int = 0) -> str:
        """What the command printed. Progress and errors go to this process's stderr.

        Raises:
            DemoFailed: it ended with another exit code than `expect`.
        """
        program = str(Path(sys.executable).with_name("otabridge"))
        environment = {**os.environ, **self.environment}
        done = subprocess.run(  # noqa: S603 - our own command
            [program, *words], cwd=self.folder, env=environment, stdout=subprocess.PIPE, check=False
        )
        if done.returncode != expect:
            raise DemoFailed(f"otabridge {' '.join(words)}: exit code {done.returncode}, expected {expect}")
        return done.stdout.decode()

    def ask(self, *words: str) -> Mapping[str, object]:
        """The JSON object that the command prints. Raises: DemoFailed."""
        return msgspec.json.decode(self.run(*words, "--output", "json"), type=dict[str, object])

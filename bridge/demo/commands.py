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
        """What the command printed. On a terminal its progress and errors are shown as they come; Ctrl-C is not
        passed on, since it stands in a process group of its own, but ends it with this process's KeyboardInterrupt.

        Raises:
            DemoFailed: it ended with another exit code than `expect`.
        """
        program = str(Path(sys.executable).with_name("otabridge"))
        environment = {**os.environ, **self.environment}
        errors = None if sys.stderr.isatty() else subprocess.PIPE
        done = subprocess.run(  # noqa: S603 - our own command
            [program, *words],
            cwd=self.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            process_group=0,
            check=False,
        )
        if done.returncode != expect:
            said = (done.stderr or b"").decode(errors="replace").strip()
            ended = f"otabridge {' '.join(words)}: exit code {done.returncode}, expected {expect}"
            raise DemoFailed(f"{ended}\n{said}" if said else ended)
        return done.stdout.decode()

    def ask(self, *words: str) -> Mapping[str, object]:
        """The JSON object that the command prints. Raises: DemoFailed."""
        return msgspec.json.decode(self.run(*words, "--output", "json"), type=dict[str, object])

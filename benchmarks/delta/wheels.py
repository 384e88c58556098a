"""Wheels of the package index by exact version and digest, through pip as it is configured on the machine."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.delta.packages import Gone
from benchmarks.delta.pairs import Wheel


@dataclass(frozen=True, slots=True)
class Wheels:
    """Keeps what it fetched in `folder/wheels`; `pinned` has the digest of each, by `NAME==VERSION`."""

    folder: Path
    pinned: Mapping[str, Wheel]

    def fetch(self, requirement: str) -> Path:
        """The file of one release.

        Raises: Gone.
        """
        pinned = self.pinned[requirement]
        kept = self.folder / "wheels" / f"{requirement.replace('==', '-')}-{pinned.sha256[:16]}"
        if not any(kept.glob("*.whl")):
            _download(requirement, pinned, kept)
        return next(kept.glob("*.whl"))


def _download(requirement: str, pinned: Wheel, target: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    wanted = target / "requirements.txt"
    wanted.write_text(f"{requirement} --hash=sha256:{pinned.sha256}\n")
    platform = ["--platform", pinned.platform] if pinned.platform else []
    only = ["--require-hashes", "--no-deps", "--only-binary", ":all:", *platform]
    command = [sys.executable, "-m", "pip", "download", "-q", *only, "-r", str(wanted), "-d", str(target)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode:
        raise Gone(f"{requirement}: {(ended.stderr.strip().splitlines() or ['pip failed'])[-1]}")

"""The boot tests as a program, where what they need is missing, and how devices side by side share their scenarios."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.boot.hardware import UBootHardware
from tests.boot.kinds import NEEDED
from tests.boot.lives import Work
from tests.boot.scenarios import BAD_KERNEL, GOOD, HANG

PROJECT = Path(__file__).parents[2]


def bare(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`python -m tests.boot` on a machine without QEMU."""
    environment = {**os.environ, "PATH": str(folder), "OTABRIDGE_BOOT_CACHE": str(folder)}
    command = (sys.executable, "-m", "tests.boot", *arguments)
    return subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False)


def test_what_cannot_be_run_here_is_skipped_by_name(tmp_path):
    """And with what would have to be installed; a newcomer's run does not fail for that."""
    done = bare(tmp_path)

    skipped = [line.partition(": skipped, apt-get install")[0] for line in done.stdout.splitlines()[:-1]]
    assert (done.returncode, skipped) == (0, list(NEEDED))
    assert done.stdout.splitlines()[-1] == "boots: 0, violations: 0"


def test_what_was_asked_for_and_cannot_be_run_is_refused(tmp_path):
    """CI must not take a test that was skipped for one that passed."""
    done = bare(tmp_path, "--only", "good", "grub-good")

    assert done.returncode == 2
    assert done.stderr.startswith("missing here: apt-get install --no-install-recommends ")
    assert "qemu-system-arm" in done.stderr
    assert "qemu-system-x86" in done.stderr


def test_devices_side_by_side_share_their_scenarios():
    """Each takes the next one that no other has taken."""
    work = Work(UBootHardware, (HANG, GOOD, BAD_KERNEL))
    first, second = iter(work), iter(work)

    assert [next(first), next(second), *first, *second] == [HANG, GOOD, BAD_KERNEL]

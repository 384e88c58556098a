"""`make infra`: everything that can be checked of the Terraform modules on this machine, a line a step.

    python -m tests.infra [--only NAME ...]

Each step says `ran`, `skipped` and why, or `failed`; the exit code is 1 when anything that could run failed.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import time
from collections.abc import Sequence

import pytest

from tests.infra.steps import STEPS, Outcomes, Step, verdict

WIDTH = max(len(step.name) for step in STEPS) + 2


def climb(step: Step) -> Outcomes:
    """Run the tests of a step; pytest's own words go to standard error."""
    outcomes = Outcomes()
    arguments = ["-q", "--no-header", "--no-summary", "-p", "no:cacheprovider", "-m", step.markers, *step.paths]
    with contextlib.redirect_stdout(sys.stderr):
        outcomes.code = pytest.main(arguments, plugins=[outcomes])
    return outcomes


def main(arguments: Sequence[str] | None = None) -> int:
    """Climb all steps; 1 when one failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.infra", description="Checks the Terraform modules.")
    parser.add_argument("--only", nargs="+", choices=[step.name for step in STEPS], help="some of the steps, not all")
    only = parser.parse_args(arguments).only
    failed = 0
    for step in STEPS:
        if only is None or step.name in only:
            failed += not _tell(step)
    sys.stdout.write(f"infra: {failed} steps failed\n")
    return 1 if failed else 0


def _tell(step: Step) -> bool:
    began = time.monotonic()
    outcomes = climb(step)
    good, words = verdict(outcomes)
    sys.stdout.writelines(f"{detail}\n" for detail in outcomes.failures)
    sys.stdout.write(f"{step.name:{WIDTH}}{words} ({time.monotonic() - began:.0f} s): {step.title}\n")
    sys.stdout.flush()
    return good


if __name__ == "__main__":
    sys.exit(main())

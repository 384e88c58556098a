"""The sweeps as a program: `python -m tests.sweep`, on all cores.

First every call of the operating system fails, then the power is cut at every place. The last line counts the cuts;
violations of either kind make it exit with 1.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import chain

from tests.sweep import faults
from tests.sweep.cuts import Finding, every_cut, run, sampled_double_cuts
from tests.sweep.scenarios import SCENARIOS, Scenario

DOUBLE_STEP = 3
"""Every third place is cut twice."""
BATCH = 16
"""Runs that one process takes at a time."""


def sweep(pool: ProcessPoolExecutor, scenario: Scenario) -> Iterator[Finding]:
    """Every run of `scenario`, in order."""
    cuts = chain(every_cut(scenario), sampled_double_cuts(scenario, DOUBLE_STEP))
    return pool.map(partial(run, scenario), cuts, chunksize=BATCH)


def main() -> int:
    """Sweep all scenarios; the exit code."""
    with ProcessPoolExecutor(initializer=logging.disable) as pool:  # thousands of faults, each of them told
        failed = sum(_fail_calls(pool, scenario) for scenario in SCENARIOS)
        return 1 if _cut_power(pool) + failed else 0


def _fail_calls(pool: ProcessPoolExecutor, scenario: Scenario) -> int:
    every = faults.every_fault(scenario)
    findings = list(pool.map(partial(faults.run, scenario), every, chunksize=BATCH))
    bad = [finding for finding in findings if finding.violations]
    sys.stdout.write(f"{scenario.name}: {len(findings)} failing calls, {len(bad)} of them bad\n")
    for finding in bad:
        sys.stdout.write(f"  {finding.fault} at {finding.harmed}: {'; '.join(finding.violations)}\n")
    return len(bad)


def _cut_power(pool: ProcessPoolExecutor) -> int:
    points = violations = 0
    for scenario in SCENARIOS:
        findings = list(sweep(pool, scenario))
        bad = [finding for finding in findings if finding.violations]
        points += len(findings)
        violations += sum(len(finding.violations) for finding in bad)
        sys.stdout.write(f"{scenario.name}: {len(findings)} cut points, {len(bad)} of them bad\n")
        for finding in bad:
            sys.stdout.write(f"  {finding.cut} during {finding.moment}: {'; '.join(finding.violations)}\n")
    sys.stdout.write(f"cut points: {points}, violations: {violations}\n")
    return violations


if __name__ == "__main__":
    logging.disable()
    sys.exit(main())

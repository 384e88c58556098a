"""The power-cut sweep as a program: `python -m tests.sweep`. Its last line counts; violations make it exit with 1."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import chain

from tests.sweep.cuts import Finding, every_cut, run, sampled_double_cuts
from tests.sweep.scenarios import SCENARIOS, Scenario

DOUBLE_STEP = 3
"""Every third place is cut twice."""


def sweep(scenario: Scenario) -> Iterator[Finding]:
    """Every run of `scenario`."""
    for cut in chain(every_cut(scenario), sampled_double_cuts(scenario, DOUBLE_STEP)):
        yield run(scenario, cut)


def main() -> int:
    """Sweep all scenarios; the exit code."""
    points = violations = 0
    for scenario in SCENARIOS:
        findings = list(sweep(scenario))
        bad = [finding for finding in findings if finding.violations]
        points += len(findings)
        violations += sum(len(finding.violations) for finding in bad)
        sys.stdout.write(f"{scenario.name}: {len(findings)} cut points, {len(bad)} of them bad\n")
        for finding in bad:
            sys.stdout.write(f"  {finding.cut} during {finding.moment}: {'; '.join(finding.violations)}\n")
    sys.stdout.write(f"cut points: {points}, violations: {violations}\n")
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())

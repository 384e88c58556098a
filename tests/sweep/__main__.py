"""The sweeps as a program: `python -m tests.sweep`, on all cores.

Every call of the operating system fails; the power is cut at every place, and the device goes on; every state in which
a power cut can leave the medium is judged; and planted bugs show that the judgement sees them. The last line counts the
states that differ. A violation, or a planted bug that is not caught, makes it exit with 1.
"""

from __future__ import annotations

import gc
import logging
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import chain, islice
from multiprocessing import get_context

from tests.sweep import faults
from tests.sweep.cuts import Finding, every_cut, run, sampled_double_cuts
from tests.sweep.exploring import Exploration, crashes, recovered, run_explored
from tests.sweep.mutants import MUTANTS, hunted
from tests.sweep.scenarios import EXPLORED, SCENARIOS, Scenario

DOUBLE_STEP = 6
"""Every sixth place is cut twice; of the second cut in each recovery all states are judged besides."""
RECOVERY_STEP = 6
"""From a state of every sixth step the agent goes on."""
SHOWN = 5
"""Violations shown of one scenario; one mistake can be seen in thousands of states."""
BATCH = 16
"""Runs that one process takes at a time."""


def sweep(pool: ProcessPoolExecutor, scenario: Scenario) -> Iterator[Finding]:
    """The runs of `scenario`, in order."""
    cuts = chain(every_cut(scenario), sampled_double_cuts(scenario, DOUBLE_STEP))
    return pool.map(partial(run, scenario), islice(cuts, None, None, scenario.share), chunksize=BATCH)


def main() -> int:
    """Sweep all scenarios; the exit code."""
    for scenario in EXPLORED:
        scenario.device()  # in this process, for all others to have the same owner's keys
    with ProcessPoolExecutor(mp_context=get_context("fork"), initializer=_begin) as pool:
        explorations = pool.map(run_explored, EXPLORED)
        recoveries = [pool.map(recovered, crashes(each, RECOVERY_STEP), chunksize=4) for each in EXPLORED]
        hunts = pool.map(hunted, range(len(MUTANTS)))
        failing = [_fail_calls(pool, scenario) for scenario in SCENARIOS]
        cuts = [sweep(pool, scenario) for scenario in SCENARIOS]
        wrong = sum(map(_print_failing, SCENARIOS, failing))
        wrong += sum(map(_print_cuts, SCENARIOS, cuts))
        states = _print_states(explorations, recoveries)
        missed = _print_mutants(hunts)
    violations = wrong + len(states.violations)
    sys.stdout.write(f"cut points: {len(states.distinct)}, violations: {violations}\n")
    return 1 if violations or missed else 0


def _begin() -> None:
    logging.disable()  # of thousands of faults each is told
    gc.freeze()  # a run leaves little behind: to look for it often costs more than it gives
    gc.set_threshold(50_000)


def _fail_calls(pool: ProcessPoolExecutor, scenario: Scenario) -> Iterator[faults.Finding]:
    chosen = islice(faults.every_fault(scenario), None, None, scenario.share)
    return pool.map(partial(faults.run, scenario), chosen, chunksize=BATCH)


def _print_failing(scenario: Scenario, found: Iterator[faults.Finding]) -> int:
    findings = list(found)
    bad = [finding for finding in findings if finding.violations]
    sys.stdout.write(f"{scenario.name}: {len(findings)} failing calls, {len(bad)} of them bad\n")
    for finding in bad:
        sys.stdout.write(f"  {finding.fault} at {finding.harmed}: {'; '.join(finding.violations)}\n")
    return sum(len(finding.violations) for finding in bad)


def _print_cuts(scenario: Scenario, found: Iterator[Finding]) -> int:
    findings = list(found)
    bad = [finding for finding in findings if finding.violations]
    sys.stdout.write(f"{scenario.name}: {len(findings)} cuts survived to the end, {len(bad)} of them bad\n")
    for finding in bad:
        sys.stdout.write(f"  {finding.cut} during {finding.moment}: {'; '.join(finding.violations)}\n")
    return sum(len(finding.violations) for finding in bad)


def _print_states(explorations: Iterator[Exploration], recoveries: list[Iterator[Exploration]]) -> Exploration:
    """All of them together."""
    total, gone_on = Exploration(), 0
    for scenario, first, others in zip(EXPLORED, explorations, recoveries, strict=True):
        found = [first, *others]
        here = Exploration()
        for each in found:
            here.add(each)
        total.add(here)
        gone_on += len(found) - 1
        bad, tried = here.violations, len(found) - 1
        sys.stdout.write(f"{scenario.name}: {here.looked_at} states, {len(bad)} violations; {tried} gone on from\n")
        sys.stdout.writelines(f"  {text}\n" for text in bad[:SHOWN])
    sys.stdout.write(f"states: {total.looked_at}, {len(total.distinct)} of them distinct; {gone_on} gone on from\n")
    return total


def _print_mutants(hunts: Iterator[tuple[str, str]]) -> int:
    """How many were not caught."""
    missed = 0
    for name, trace in hunts:
        missed += not trace
        sys.stdout.write(f"mutant {name}: {f'caught ({trace})' if trace else 'NOT CAUGHT'}\n")
    return missed


if __name__ == "__main__":
    logging.disable()
    sys.exit(main())

"""No power cut leaves a device without a verified bootable slot, or with a report that is not true."""

from __future__ import annotations

from itertools import chain

import pytest

from tests.sweep import __main__ as program
from tests.sweep.bugs import BUGS
from tests.sweep.cuts import UNDISTURBED, Finding, every_cut, run, sampled_double_cuts
from tests.sweep.scenarios import SCENARIOS


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_every_cut_leaves_a_bootable_slot_and_one_truth(scenario):
    """Wherever the power goes, and goes again in the recovery, firmware and agent bring the update to its end."""
    cuts = list(chain(every_cut(scenario), sampled_double_cuts(scenario, program.DOUBLE_STEP)))

    findings = [run(scenario, cut) for cut in cuts]

    assert len(cuts) > 200
    assert [finding for finding in findings if finding.violations] == []


@pytest.mark.parametrize("plant", BUGS, ids=lambda plant: plant.__name__)
def test_a_planted_bug_is_caught(plant, monkeypatch):
    """Each broken rule shows as a violation at some cut, and only there: an undisturbed update runs as ever."""
    plant(monkeypatch)

    assert run(SCENARIOS[1], UNDISTURBED).violations == ()

    caught = any(run(scenario, cut).violations for scenario in SCENARIOS for cut in every_cut(scenario))

    assert caught


def test_the_program_counts_and_fails(monkeypatch, capsys):
    """`python -m tests.sweep` ends with the count, and with exit code 1 when anything was violated."""
    scenario = SCENARIOS[0]
    cut = next(every_cut(scenario))
    found = [Finding(scenario, cut, "rename journal", violations) for violations in ((), ("slot b holds nothing",))]
    monkeypatch.setattr(program, "SCENARIOS", (scenario,))
    monkeypatch.setattr(program, "sweep", lambda _: iter(found))

    code = program.main()

    assert code == 1
    assert capsys.readouterr().out.splitlines()[-1] == "cut points: 2, violations: 1"

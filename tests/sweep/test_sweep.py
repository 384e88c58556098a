"""No power cut leaves a device without a verified bootable slot, or with a report that is not true.

A sample of the places, with every kind of loss at each; `make sweep` cuts at every one.
"""

from __future__ import annotations

from itertools import chain, product
from pathlib import Path
from random import Random

import pytest

from agent.disk import SystemDisk
from agent.update.journal import parse
from tests.agent.device import JOURNAL_COPIES
from tests.agent.power import Loss, SimulatedKernel
from tests.sweep import __main__ as program
from tests.sweep.bugs import folder_never_synced, rename_before_sync, slot_left_bootable, written_in_place
from tests.sweep.cuts import UNDISTURBED, Finding, calls_of, every_cut, run, sampled_double_cuts
from tests.sweep.scenarios import SCENARIOS, prepare_anew

SAMPLE = 7
"""One place in so many, other ones in each scenario."""
SOON_CAUGHT = (rename_before_sync, folder_never_synced, written_in_place, slot_left_bootable)
"""Of the planted bugs, by a cut in the second update; `make sweep` plants them all, and looks at more states."""


@pytest.mark.parametrize(("number", "scenario"), [*enumerate(SCENARIOS)], ids=[scenario.name for scenario in SCENARIOS])
def test_any_cut_leaves_a_bootable_slot_and_one_truth(number, scenario):
    """Wherever the power goes, and goes again in the recovery, firmware and agent bring the update to its end.

    Of the list of cuts, which is whole, those at one place in seven; of those in pairs, at one in forty-two.
    """
    singles = list(every_cut(scenario))
    sampled = [cut for cut in singles if cut.at % SAMPLE == number % SAMPLE]
    cuts = list(chain(sampled, sampled_double_cuts(scenario, SAMPLE * program.DOUBLE_STEP)))

    findings = [run(scenario, cut) for cut in cuts]

    places = range(1, calls_of(scenario) + 1)
    assert {(cut.at, cut.loss) for cut in singles} == set(product(places, Loss))
    assert len(sampled) >= len(places) // SAMPLE * len(Loss)
    assert len(places) > 30
    assert all(finding.moment for finding in findings)
    assert [finding for finding in findings if finding.violations] == []


def tells_of_job(kernel: SimulatedKernel, path: Path) -> bool:
    """Whether this copy of the journal holds the update under way; else the one before would be told once more."""
    data = SystemDisk(kernel).read(path)
    update = None if data is None else parse(data).update
    return update is not None and update.offer == "job-1"


@pytest.mark.parametrize("number", range(2))
def test_a_spoiled_copy_of_the_journal_changes_nothing(number, monkeypatch):
    """Power cut and rot together: wherever the power goes, either copy of the journal may be lost as well."""
    lose, spoiled = SimulatedKernel.lose, []

    def lose_and_spoil(kernel: SimulatedKernel, loss: Loss, random: Random) -> None:
        cut, kernel.cut_at = kernel.cut_at, None
        lose(kernel, loss, random)
        if cut and tells_of_job(kernel, JOURNAL_COPIES[1 - number]):
            kernel.spoil(JOURNAL_COPIES[number], 100)
            spoiled.append(cut)

    monkeypatch.setattr(SimulatedKernel, "lose", lose_and_spoil)
    scenario = SCENARIOS[1]

    findings = [run(scenario, cut) for cut in every_cut(scenario) if cut.loss in (Loss.LOST, Loss.KEPT)]

    assert len(spoiled) > 100
    assert [finding for finding in findings if finding.violations] == []


@pytest.fixture
def planted(monkeypatch):
    """For a bug: no device was prepared without it, and none that was prepared with it remains."""
    prepare_anew()
    yield monkeypatch
    prepare_anew()


@pytest.mark.parametrize("plant", SOON_CAUGHT, ids=lambda plant: plant.__name__)
def test_a_planted_bug_is_caught(plant, planted):
    """Each broken rule shows as a violation at some cut, and only there: an undisturbed update runs as ever."""
    plant(planted)

    assert run(SCENARIOS[1], UNDISTURBED).violations == ()

    assert any(run(SCENARIOS[1], cut).violations for cut in every_cut(SCENARIOS[1]))


def test_a_cut_that_is_not_survived_fails_the_program(monkeypatch, capsys):
    """`python -m tests.sweep` tells where it was, counts it, and ends with exit code 1."""
    scenario = SCENARIOS[0]
    cut = next(every_cut(scenario))
    found = [Finding(scenario, cut, "rename journal", violations) for violations in ((), ("slot b holds nothing",))]
    monkeypatch.setattr(program, "SCENARIOS", (scenario,))
    monkeypatch.setattr(program, "EXPLORED", ())
    monkeypatch.setattr(program, "MUTANTS", ())
    monkeypatch.setattr(program.faults, "every_fault", lambda _: iter(()))
    monkeypatch.setattr(program, "sweep", lambda *_: iter(found))

    code = program.main()

    lines = capsys.readouterr().out.splitlines()
    assert code == 1
    assert f"  {cut} during rename journal: slot b holds nothing" in lines
    assert lines[-1] == "cut points: 0, violations: 1"

"""The stock U-Boot of Debian decides over what the agent's verbs and the real fw_setenv left on a disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.boot.bench import Case, WrongSlot, judge
from tests.boot.board import SCRIPT, Board
from tests.boot.decision_table import CASES
from tests.boot.decisions import UBootBench, make_template
from tests.boot.programs import DECIDING, missing

ABSENT = missing(DECIDING)
pytestmark = pytest.mark.skipif(bool(ABSENT), reason=f"the real U-Boot is not here: apt-get install {' '.join(ABSENT)}")

NEWEST = "if itest ${ob_d} -gt 0 && itest ${ob_d} -lt 0x80; then"
KERNEL = 'if test -n "${otabridge_trial}"; then\n  run ob_give_up'
NEVER_COUNTS = "U-Boot is said to count, and does not"
MUTANTS = {
    "the second copy always counts as newer": (NEWEST, "if true; then", "a trial that never ends well"),
    "the flag does not wrap": ("setexpr ob_d ${ob_d} \\\\& 0xff; ", "", "the flag wraps as U-Boot writes"),
    "a copy is believed whatever its checksum": (" && cmp.b ${ob_e} ${ob_turned} 4", "", "power cut in try_slot"),
    "boots are not counted": ("if run ob_save_${ob_store}", "if true", "a trial that never ends well"),
    "a trial is never given up": ("-gt ${bootlimit}", "-gt 0xffff", "a trial that is counted down"),
    "U-Boot is believed to count": ('test "${ob_store}" = saveenv && bootcount print', "true", NEVER_COUNTS),
    "a slot without a kernel is not given up": (KERNEL, "if false; then", "no kernel in the slot on trial"),
}
"""Bugs of the boot script: its text, the text in its place, and the case that must break."""


@pytest.fixture(scope="module")
def template(tmp_path_factory) -> Board:
    """A board with a kernel in each slot, from which each test makes its own."""
    return make_template(tmp_path_factory.mktemp("template"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_u_boot_starts_the_slot_that_the_agent_meant(case: Case, template, tmp_path):
    """Slot for slot over several power-ons, and fw_printenv agrees afterwards."""
    assert judge(case, UBootBench(template, tmp_path)) == []


def test_every_case_has_a_name_of_its_own():
    """A case that fails is found by it."""
    assert len({case.name for case in CASES}) == len(CASES)


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_bug_in_the_boot_script_is_caught(mutant, tmp_path):
    """The table is no rubber stamp: a script with a bug breaks a case."""
    right, wrong, name = MUTANTS[mutant]
    text = SCRIPT.read_text()
    assert right in text
    script = tmp_path / "boot.cmd"
    script.write_text(text.replace(right, wrong))
    (tmp_path / "template").mkdir()
    template = make_template(tmp_path / "template", script)
    case = next(case for case in CASES if case.name == name)
    assert _breaks(case, template, tmp_path)


def _breaks(case: Case, template: Board, folder: Path) -> bool:
    try:
        return bool(judge(case, UBootBench(template, folder)))
    except WrongSlot:
        return True

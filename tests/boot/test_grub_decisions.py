"""Debian's GRUB decides over what the agent's verbs left in its environment block."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.boot.bench import Case, judge
from tests.boot.grub_decisions import GrubBench, make_template
from tests.boot.grub_table import CASES
from tests.boot.programs import GRUB, missing

ABSENT = missing(GRUB)
pytestmark = pytest.mark.skipif(bool(ABSENT), reason=f"GRUB is not here: apt-get install {' '.join(ABSENT)}")


@pytest.fixture(scope="module")
def template(tmp_path_factory) -> Path:
    """A disk with GRUB and a kernel in each slot, from which each test makes its own."""
    return make_template(tmp_path_factory.mktemp("template"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_grub_starts_the_slot_that_the_agent_meant(case: Case[GrubBench], template, tmp_path):
    """Slot for slot over several power-ons, and grub-editenv agrees afterwards."""
    assert judge(case, GrubBench(template, tmp_path)) == []

"""Every state case, played on the simulated device with the real engine, journal and firmware."""

from __future__ import annotations

import pytest

from tests.agent.cases.runner import disagreements
from tests.agent.cases.table import CASES


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_state_case_goes_as_the_table_says(case):
    """States, reports, restarts and slot as expected; all records of it agree; the same offer again changes nothing."""
    found = disagreements(case)

    assert not found, "\n".join(found)

"""Applied to a simulated AWS, and used: the one test that shows that the parts fit."""

from __future__ import annotations

import pytest

from tests.infra.absent import skipping_where_absent
from tests.infra.aws.whole_way import walk

MINUTES = 15 * 60


@pytest.mark.slow
@pytest.mark.timeout(MINUTES)
def test_what_terraform_makes_carries_a_rollout(tmp_path):
    """Apply, plan again, add the fleet, sign with the keys made, publish, roll out to a real agent, destroy."""
    told: list[str] = []
    with skipping_where_absent():
        walk(tmp_path, told.append)

    assert "destroy" in told[-1]

"""A report cannot contradict itself."""

from __future__ import annotations

import pytest

from bridge.release.errors import FailureCode
from bridge.release.report import Outcome, Report


@pytest.mark.parametrize("outcome", [each for each in Outcome if each is not Outcome.INSTALLED])
def test_an_unhappy_end_has_a_code(outcome):
    """Otherwise nobody could count it."""
    assert FailureCode.UNHEALTHY is Report(outcome, "a", "1.0", FailureCode.UNHEALTHY).code
    with pytest.raises(ValueError, match="with code None"):
        Report(outcome, "a", "1.0")


def test_a_happy_end_has_none():
    """Installed is installed."""
    assert Report(Outcome.INSTALLED, "b", "2.0").code is None
    with pytest.raises(ValueError, match="installed with code"):
        Report(Outcome.INSTALLED, "b", "2.0", FailureCode.DOWNLOAD)

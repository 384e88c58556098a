"""A clock that went back."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bridge.engine.clock import NOTICED, set_back
from tests.bridge.plans import NOW


@pytest.mark.parametrize("ahead", [timedelta(), NOTICED, timedelta(hours=1)])
def test_a_clock_that_is_about_right_is_not_spoken_of(ahead):
    """Ahead of the last pass, or as little behind as clocks are corrected by."""
    assert set_back(NOW, NOW + ahead) == set_back(NOW, NOW - NOTICED) == ""


def test_one_that_was_set_back_is_named_with_what_it_means_and_what_to_do():
    """Soaks and paces stand still, for as long as that."""
    words = set_back(NOW, NOW - timedelta(hours=3))

    assert words.startswith(
        "; the clock is 3 h behind the last pass, so that all waiting times stand still until 2026-03-01 12:00"
    )
    assert words.endswith("set it right, or abort the rollout")

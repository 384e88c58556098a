"""Whether the machine goes down on purpose."""

from __future__ import annotations

import pytest

from agent.shutdown import is_going_down


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        (["sh", "-c", "echo stopping; exit 1"], True),
        (["sh", "-c", "echo running"], False),
        (["sh", "-c", "echo degraded; exit 1"], False),
        (["sh", "-c", "echo stopping the music"], False),
        (["sh", "-c", "exit 0"], False),
        (["/no/such/systemctl"], False),
    ],
)
def test_only_a_manager_that_says_so(question, answer):
    """Everything else is no excuse: a boot that hangs or dies says nothing."""
    assert is_going_down(question) is answer

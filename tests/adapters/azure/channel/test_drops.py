"""A connection that never lasts is told of, a few drops are not."""

from __future__ import annotations

import pytest

from adapters.azure.channel.drops import Drops

TIMES = [
    ("a bad line", [at * 15.0 for at in range(50)], 0),
    ("a hub that was restarted", [0.0, 10.0, 20.0, 30.0, 40.0], 0),
    ("two agents with one identity", [at * 0.2 for at in range(60)], 10),
]


@pytest.mark.parametrize(("times", "told"), [row[1:] for row in TIMES], ids=[row[0] for row in TIMES])
def test_only_many_drops_at_once_are_told_of(times, told):
    """And then not at every single one."""
    drops = Drops()

    assert sum(drops.note(now) for now in times) == told

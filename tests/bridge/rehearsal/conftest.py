"""A small script: one rollout over two virtual fleets."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from bridge.planning.plan import Request, SignedRelease
from bridge.planning.planned import Calls, Facts
from bridge.rehearsal.assumptions import Assumptions
from bridge.rehearsal.run import Script, Troupe
from bridge.rollout.model import Rollout
from tests.releases import describe, new_release

NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)
PERFECT = Assumptions(failing=0, falling_back=0, silent=0, offline=0)


@pytest.fixture
def now() -> datetime:
    """When every rehearsal begins: a Monday morning."""
    return NOW


@pytest.fixture
def new_script():
    """Makes the script of a rollout with `changes`, of 1000 devices in each of two fleets."""

    def make(assumptions: Assumptions = PERFECT, **changes) -> Script:
        fields = {
            "name": "played",
            "release": "release",
            "fleets": ["one", "two"],
            "stages": [{"percent": 1}, {"percent": 10}, {"percent": 100}],
        }
        release = new_release(artifacts=(describe(b"image", b"compressed image"),))
        new, back = (SignedRelease(Path(name), name.encode(), release) for name in ("new", "back"))
        rollout = msgspec.convert({**fields, **changes}, Rollout)
        troupes = {
            "one": Troupe(Facts("one", by_bucket=True, paces=1000, calls=Calls(5, 5, 1)), {"rev-a": 900, "rev-b": 100}),
            "two": Troupe(Facts("two", by_bucket=True, calls=Calls(27, 19, 5)), {"rev-a": 1000}),
        }
        return Script(Request(rollout, new, back), troupes, assumptions, timedelta(minutes=5), 1_000_000)

    return make

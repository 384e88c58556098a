"""Which devices joined a fleet after the plan was made, and belong to its last stage."""

from __future__ import annotations

import pytest

from bridge.engine.joining import joiners
from bridge.engine.orders import add, some
from bridge.engine.progress import OrderKind, Progress
from bridge.planning.cohort import ranked
from bridge.planning.plan import make_plan
from bridge.planning.planned import Place
from tests.bridge.fakes import FakeFleet
from tests.bridge.plans import NOW, ids
from tests.bridge.worlds import new_request

HERE = dict.fromkeys(ids("f", 30), "v1")
NEW = dict.fromkeys(ids("new", 30), "v1")
ORDER = ranked("gates", [*HERE, *NEW])


def planned(*stages: dict[str, object]):
    """A plan for the devices that are here."""
    fleets = {"factory": FakeFleet("factory", tuple(HERE), models=HERE)}
    return make_plan(new_request(fleets=["factory"], stages=list(stages)), fleets)


def test_nobody_joined():
    """Whatever the last stage is for: a device that was not wanted did not join."""
    for stage in ({"percent": 50}, {"count": 7}, {"percent": 100}, {"percent": 100, "models": ["v1"]}):
        assert joiners(planned(stage), Progress(), "factory", HERE) == ()


def test_everybody_joins_a_stage_for_everybody():
    """In the order of their names."""
    assert joiners(planned({"percent": 10}, {"percent": 100}), Progress(), "factory", HERE | NEW) == tuple(sorted(NEW))


@pytest.mark.parametrize("stage", [{"percent": 50}, {"count": 15}])
def test_who_would_have_been_among_the_first_joins_a_stage_for_some(stage):
    """Before the last of the fifteen devices in the order of positions."""
    last = ORDER.index(ranked("gates", HERE)[14])

    found = joiners(planned(stage), Progress(), "factory", HERE | NEW)

    assert found == tuple(sorted(set(ORDER[:last]) & set(NEW)))
    assert 0 < len(found) < len(NEW)


def test_only_the_models_of_the_last_stage_join():
    """Others keep their release."""
    listed = HERE | NEW | {"new-000": "v2"}

    found = joiners(planned({"percent": 100, "models": ["v1"]}), Progress(), "factory", listed)

    assert found == tuple(sorted(set(NEW) - {"new-000"}))


def test_who_was_offered_it_has_joined_already():
    """By an order of its own."""
    plan, place = planned({"percent": 100}), Place(0, "factory")
    progress = add(Progress(), place, some(plan, place, OrderKind.LATE, ("new-000",), NOW))

    assert "new-000" not in joiners(plan, progress, "factory", HERE | NEW)


def test_a_stage_without_a_device_has_no_last_one():
    """A count that the other fleet filled; nobody of this one was wanted."""
    fleets = {"factory": FakeFleet("factory", ()), "depot": FakeFleet("depot", ids("d", 5))}
    plan = make_plan(new_request(stages=[{"count": 3}]), fleets)

    assert joiners(plan, Progress(), "factory", NEW) == ()

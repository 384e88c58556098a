"""An emulator that others wrote answers the queries of a fleet as the simulator does, as far as it plays them.

It knows terms of the registry and of the classic shadow, joined by AND: no ranges, no OR, no named shadows, no counts
and no dynamic groups. moto plays the same terms with OR and NOT (`simulator/test_fleet_index.py`) and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from adapters.aws.simulator.simulator import AwsSimulator
from bridge.fleet import Device, FleetError
from bridge.rollout.model import FleetPart
from tests.conformance.aws import MinistackCloud

QUERIES = (
    "thingName:pump-*",
    "thingName:PUMP-1",
    "thingName:pump-?",
    "attributes.site:north",
    "thingGroupNames:eu",
    "attributes.site:north AND thingGroupNames:eu",
    "thingTypeName:gw-2 AND thingName:pump-*",
    "thingGroupNames:e",
)
INDEXED = {"thingIndexingMode": "REGISTRY_AND_SHADOW"}


@pytest.fixture
def ministack(tmp_path, monkeypatch) -> Iterator[MinistackCloud]:
    """ministack, with five things."""
    cloud = MinistackCloud(tmp_path, monkeypatch)
    furnish(cloud.iot)
    yield cloud
    cloud.stop()


def furnish(iot):
    """Four pumps, half of them in the north, one in a group and one of a type; and a printer."""
    iot.create_thing_type(thingTypeName="gw-2")
    for n in range(4):
        kind = {"thingTypeName": "gw-2"} if n == 2 else {}
        site = {"attributes": {"site": "north" if n < 2 else "south"}}
        iot.create_thing(thingName=f"pump-{n}", attributePayload=site, **kind)
    iot.create_thing(thingName="printer")
    iot.create_thing_group(thingGroupName="eu")
    iot.add_thing_to_thing_group(thingGroupName="eu", thingName="pump-1")
    iot.update_indexing_configuration(thingIndexingConfiguration=INDEXED)


def found(iot, query):
    """The names that a search finds."""
    return sorted(thing["thingName"] for thing in iot.search_index(queryString=query)["things"])


def test_both_find_the_same(ministack, tmp_path):
    """And the fleet reads either."""
    with AwsSimulator(tmp_path / "simulator") as simulator:
        iot = simulator.client("iot")
        furnish(iot)
        ours = {query: found(iot, query) for query in QUERIES}

    assert {query: found(ministack.iot, query) for query in QUERIES} == ours
    assert ours["attributes.site:north AND thingGroupNames:eu"] == ["pump-1"]


def test_a_query_of_a_part_finds_its_devices(ministack):
    """One term a fleet can put in parentheses is refused there, as its grammar has none; a group is read by name."""
    assert list(ministack.fleet.devices(FleetPart("factory", group="eu"))) == [Device("pump-1")]
    with pytest.raises(FleetError, match="SearchIndex was refused: InvalidQueryException"):
        list(ministack.fleet.devices(FleetPart("factory", query="thingName:pump-1")))

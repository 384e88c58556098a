"""Which devices a part of a fleet has, where the registry is asked and not the index."""

from __future__ import annotations

import pytest

from adapters.aws import members
from bridge.fleet import Census, Device, FleetError, LimitError
from bridge.release.bucket import Buckets, bucket
from bridge.rollout.model import FleetPart

NAMES = tuple(f"gate-{number}" for number in range(6))


@pytest.fixture
def iot(simulator):
    """Six things: by attribute a gw-1, by type gw-2, and four of which nobody knows the model; two in a group."""
    iot = simulator.client("iot")
    iot.create_thing_type(thingTypeName="gw-2")
    iot.create_thing(thingName="gate-0", thingTypeName="gw-2", attributePayload={"attributes": {"model": "gw-1"}})
    iot.create_thing(thingName="gate-1", thingTypeName="gw-2")
    for name in NAMES[2:]:
        iot.create_thing(thingName=name)
    iot.create_thing_group(thingGroupName="eu")
    for name in NAMES[1:3]:
        iot.add_thing_to_thing_group(thingGroupName="eu", thingName=name)
    return iot


PARTS = [
    (FleetPart("factory"), {"gate-0": "gw-1", "gate-1": "gw-2", **dict.fromkeys(NAMES[2:], "")}),
    (FleetPart("factory", group="eu"), {"gate-1": "gw-2", "gate-2": ""}),
    (FleetPart("factory", devices=("gate-0", "gate-3")), {"gate-0": "gw-1", "gate-3": ""}),
    (FleetPart("factory", group="eu", devices=("gate-1", "gate-5")), {"gate-1": "gw-2"}),
]


@pytest.mark.parametrize("described", [250, 0], ids=["one by one", "all listed"])
@pytest.mark.parametrize(("part", "found"), PARTS)
@pytest.mark.usefixtures("iot")
def test_a_part_names_its_devices_with_models(fleet, part, found, described, monkeypatch):
    """By attribute, else by type; whether few are described or many picked from the list of all."""
    monkeypatch.setattr(members, "DESCRIBED", described)

    assert {device.id: device.model for device in fleet.devices(part)} == found


@pytest.mark.usefixtures("iot")
def test_a_census_counts_the_same(fleet):
    """By model, in ranges of buckets, for some models; every device can be placed."""
    assert fleet.census(FleetPart("factory")) == Census({"gw-1": 1, "gw-2": 1, "": 4})
    assert fleet.census(FleetPart("factory"), (), ("gw-2",)) == Census({"gw-2": 1})
    own = bucket("gate-0")
    assert list(fleet.devices(FleetPart("factory"), (Buckets(own, own),))) == [Device("gate-0", "gw-1")]
    assert fleet.census(FleetPart("factory"), (Buckets(own, own),)) == Census({"gw-1": 1})


@pytest.mark.parametrize("described", [250, 0], ids=["one by one", "all listed"])
@pytest.mark.usefixtures("iot")
def test_a_listed_device_that_is_not_registered_is_named(fleet, described, monkeypatch):
    """A typing error is no device less."""
    monkeypatch.setattr(members, "DESCRIBED", described)

    with pytest.raises(FleetError, match="device gate-9 is not registered in AWS IoT: correct `devices`, or register"):
        list(fleet.devices(FleetPart("factory", devices=("gate-0", "gate-9"))))


def test_a_query_needs_the_index(fleet, iot):
    """Its registry is enough for a fleet that goes by name; a query that AWS would refuse is named."""
    part = FleetPart("factory", query="attributes.model:gw-1 OR thingName:gate-4")
    with pytest.raises(LimitError, match="fleet factory: thingIndexingMode: OFF; must be REGISTRY_AND_SHADOW"):
        list(fleet.devices(part))
    iot.update_indexing_configuration(thingIndexingConfiguration={"thingIndexingMode": "REGISTRY"})

    assert {device.id for device in fleet.devices(part)} == {"gate-0", "gate-4"}
    own = bucket("gate-4")
    assert list(fleet.devices(part, (Buckets(own, own),))) == [Device("gate-4")]
    with pytest.raises(LimitError, match="query: 'thingName:a,b'; has ,"):
        list(fleet.devices(FleetPart("factory", query="thingName:a,b")))


SHADOWS = [
    ('{"name": {"otabridge": {"reported": {"model": "gw-9", "bucket": 7}}}}', "gw-9"),
    ('{"name": {"otabridge": {"reported": {}}}, "reported": {"model": "x"}}', "gw-1"),
    ('{"name": {"otabridge": {"reported": {"model": 7}}}}', "gw-1"),
    ('{"name": {"other": []}}', "gw-1"),
    ('{"name": 5}', "gw-1"),
    ("not JSON", "gw-1"),
    (None, "gw-1"),
]


@pytest.mark.parametrize(("shadow", "model"), SHADOWS)
def test_the_device_itself_knows_its_model_best(shadow, model):
    """Whatever else stands in its shadows."""
    thing = {"shadow": shadow, "attributes": {"model": "gw-1"}}

    assert members._model(thing) == model

"""Fleet indexing and dynamic thing groups through boto3."""

from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError
from moto.iot.models import iot_backends

REPORTED = "shadow.name.otabridge.reported"
FIELDS = [{"name": f"{REPORTED}.bucket", "type": "Number"}, {"name": f"{REPORTED}.model", "type": "String"}]
ON = {
    "thingIndexingMode": "REGISTRY_AND_SHADOW",
    "thingConnectivityIndexingMode": "STATUS",
    "namedShadowIndexingMode": "ON",
    "filter": {"namedShadowNames": ["otabridge"]},
    "customFields": FIELDS,
}


@pytest.fixture
def iot(simulator):
    """The control plane of six things, with indexing on."""
    simulator.populate({f"gate-{n}": {"bucket": n * 1000, "model": "m1" if n % 2 else "m2"} for n in range(6)})
    iot = simulator.client("iot")
    iot.update_indexing_configuration(thingIndexingConfiguration=ON)
    return iot


def found(iot, query):
    """The names that a search finds."""
    return sorted(thing["thingName"] for thing in iot.search_index(queryString=query)["things"])


def refusal(call, **kwargs):
    """Code and message of a refused call."""
    with pytest.raises(ClientError) as caught:
        call(**kwargs)
    return caught.value.response["Error"]["Code"], caught.value.response["Error"]["Message"]


def test_without_configuration_there_is_no_index(simulator):
    """As for every new account."""
    iot = simulator.client("iot")

    assert iot.get_indexing_configuration()["thingIndexingConfiguration"]["thingIndexingMode"] == "OFF"
    assert refusal(iot.search_index, queryString="*") == (
        "ResourceNotFoundException",
        "Index AWS_Things does not exist",
    )
    assert refusal(iot.create_dynamic_thing_group, thingGroupName="g", queryString="*")[0] == (
        "ResourceNotFoundException"
    )


def test_the_configuration_is_echoed(iot):
    """Custom fields as they were given, managed ones as the service knows them."""
    config = iot.get_indexing_configuration()["thingIndexingConfiguration"]

    assert {name: config[name] for name in ON} == ON
    assert {"name": "registry.version", "type": "Number"} in config["managedFields"]
    assert iot.describe_index(indexName="AWS_Things")["schema"] == "REGISTRY_AND_SHADOW_AND_CONNECTIVITY_STATUS"


MISTAKES = [
    ({"customFields": [{"name": f"attributes.a{n}", "type": "Number"} for n in range(6)]}, "length <= 5"),
    ({"customFields": [{"name": "thingName", "type": "String"}]}, "is a managed field"),
    ({"filter": {}}, "of a named shadow that is not indexed"),
    ({"thingIndexingMode": "ALL"}, "Invalid enum value 'ALL'"),
]


@pytest.mark.parametrize(("change", "message"), MISTAKES, ids=[row[1] for row in MISTAKES])
def test_a_wrong_configuration_is_refused(iot, change, message):
    """And the old one stays."""
    code, said = refusal(iot.update_indexing_configuration, thingIndexingConfiguration={**ON, **change})

    assert code == "InvalidRequestException"
    assert message in said
    assert found(iot, f"{REPORTED}.bucket:5000") == ["gate-5"]


def test_what_a_shadow_reports_is_found(simulator, iot):
    """The newest report counts; other shadows are not indexed."""

    def report(name, **reported):
        """What the thing says in a shadow."""
        payload = json.dumps({"state": {"reported": reported}})
        simulator.client("iot-data").update_thing_shadow(thingName="gate-0", shadowName=name, payload=payload)

    assert found(iot, f"{REPORTED}.bucket:[1000 TO 2999] AND NOT {REPORTED}.model:m2") == ["gate-1"]
    report("otabridge", bucket=1500, model="m1")
    report("other", bucket=7)

    assert found(iot, f"{REPORTED}.bucket:[1000 TO 2999] AND NOT {REPORTED}.model:m2") == ["gate-0", "gate-1"]
    assert found(iot, "shadow.name.other.reported.bucket:7") == []


def test_the_registry_is_found(iot):
    """Names, groups, attributes, types and connections, each only when asked for."""
    iot.create_thing_type(thingTypeName="pump")
    iot.create_thing(thingName="pump-1", thingTypeName="pump", attributePayload={"attributes": {"site": "north"}})
    iot.create_thing_group(thingGroupName="eu")
    iot.add_thing_to_thing_group(thingGroupName="eu", thingName="pump-1")

    for query in ("thingTypeName:pump", "attributes.site:north", "thingGroupNames:eu", "thingName:pump*", "north"):
        assert found(iot, query) == ["pump-1"], query
    assert found(iot, "connectivity.connected:true") == []
    (shown,) = iot.search_index(queryString="thingName:pump-1")["things"]
    assert (shown["thingGroupNames"], shown["attributes"], shown["thingTypeName"]) == (
        ["eu"],
        {"site": "north"},
        "pump",
    )


def test_moto_finds_the_same(simulator, iot):
    """An independent reading of the same queries, as far as moto reads them."""
    for n in range(4):
        iot.create_thing(
            thingName=f"pump-{n}", attributePayload={"attributes": {"site": "north" if n < 2 else "south"}}
        )
    iot.create_thing_group(thingGroupName="eu")
    iot.add_thing_to_thing_group(thingGroupName="eu", thingName="pump-1")
    judge = iot_backends[simulator.account][simulator.region]

    for query in (
        "*",
        "thingName:pump-*",
        "thingName:pump-?",
        "attributes.site:north",
        "thingGroupNames:eu",
        "attributes.site:north AND thingGroupNames:eu",
        "thingName:pump-* AND NOT attributes.site:north",
        "thingName:pump-* AND -thingGroupNames:eu",
        "(thingName:pump-0 OR thingName:pump-3) AND attributes.site:south",
    ):
        assert found(iot, query) == sorted(thing["thingName"] for thing in judge.search_index(query)), query


def test_pages_lead_through_all(iot):
    """With the shadow as text in each thing."""
    first = iot.search_index(queryString="thingName:gate*", maxResults=4)
    second = iot.search_index(queryString="thingName:gate*", maxResults=4, nextToken=first["nextToken"])

    assert (len(first["things"]), len(second["things"]), "nextToken" in second) == (4, 2, False)
    shadow = json.loads(first["things"][1]["shadow"])["name"]["otabridge"]
    assert (shadow["reported"], shadow["version"], shadow["hasDelta"]) == ({"bucket": 1000, "model": "m1"}, 1, False)


def test_counts(iot):
    """Statistics of numbers, of text and of everything; values by frequency; how many there are."""
    numbers = iot.get_statistics(queryString="*", aggregationField=f"{REPORTED}.bucket")["statistics"]
    words = iot.get_statistics(queryString="*", aggregationField=f"{REPORTED}.model")["statistics"]
    kinds = iot.get_buckets_aggregation(
        queryString=f"{REPORTED}.bucket<=4000",
        aggregationField=f"{REPORTED}.model",
        bucketsAggregationType={"termsAggregation": {"maxBuckets": 1}},
    )

    assert (numbers["count"], numbers["minimum"], numbers["maximum"], numbers["average"]) == (6, 0.0, 5000.0, 2500.0)
    assert numbers["sum"] == 15_000.0
    assert words == {"count": 6}
    assert iot.get_statistics(queryString="thingName:gate-1")["statistics"]["count"] == 1
    assert (kinds["totalCount"], kinds["buckets"]) == (5, [{"keyValue": "m2", "count": 3}])
    assert iot.get_cardinality(queryString="*", aggregationField=f"{REPORTED}.model")["cardinality"] == 2
    assert refusal(iot.get_statistics, queryString="*", aggregationField=f"{REPORTED}.slot")[0] == (
        "InvalidAggregationException"
    )


def test_a_sum_is_of_the_things_that_match_and_have_the_number(simulator, iot):
    """A thing without it, or with something else in its place, is not counted; of none there is no sum."""
    simulator.populate({"gate-6": {"model": "m1"}, "gate-7": {"bucket": "many"}, "gate-8": {"bucket": True}})

    found = iot.get_statistics(queryString=f"{REPORTED}.model:m1", aggregationField=f"{REPORTED}.bucket")["statistics"]
    none = iot.get_statistics(queryString=f"{REPORTED}.bucket>9000", aggregationField=f"{REPORTED}.bucket")

    assert (found["count"], found["sum"]) == (3, 9000.0)
    assert none["statistics"] == {"count": 0}


def test_a_dynamic_group_is_built_in_time(simulator, iot):
    """Empty at first; once ACTIVE it follows its query, and its members are listed like those of any group."""
    simulator.build_groups_after(60)
    made = iot.create_dynamic_thing_group(
        thingGroupName="first",
        queryString=f"{REPORTED}.bucket<2000",
        thingGroupProperties={"thingGroupDescription": "x"},
    )
    before = iot.describe_thing_group(thingGroupName="first")
    assert iot.list_things_in_thing_group(thingGroupName="first")["things"] == []

    simulator.clock.advance(61)
    after = iot.describe_thing_group(thingGroupName="first")

    assert (before["status"], after["status"]) == ("BUILDING", "ACTIVE")
    assert (after["queryString"], after["thingGroupArn"]) == (made["queryString"], made["thingGroupArn"])
    assert iot.list_things_in_thing_group(thingGroupName="first")["things"] == ["gate-0", "gate-1"]
    assert found(iot, "thingGroupNames:first") == ["gate-0", "gate-1"]
    simulator.populate({"gate-6": {"bucket": 1999, "model": "m1"}})
    assert "gate-6" in iot.list_things_in_thing_group(thingGroupName="first")["things"]


def test_a_job_for_a_dynamic_group_reaches_its_members(simulator, iot):
    """A SNAPSHOT job those of its start; a CONTINUOUS one those that come later too."""
    iot.create_dynamic_thing_group(thingGroupName="first", queryString=f"{REPORTED}.bucket<2000")
    target = [simulator.group_arn("first")]
    iot.create_job(jobId="once", targets=target, document="{}")
    iot.create_job(jobId="always", targets=target, document="{}", targetSelection="CONTINUOUS")
    simulator.populate({"gate-6": {"bucket": 1999, "model": "m1"}})

    assert simulator.wait_until(lambda: len(simulator.executions("always")) == 3)
    assert {each.thing for each in simulator.executions("once")} == {"gate-0", "gate-1"}


def test_a_thing_in_ten_groups_is_left_out(iot):
    """The command succeeds all the same, as the guide warns."""
    for number in range(10):
        iot.create_thing_group(thingGroupName=f"g{number}")
        iot.add_thing_to_thing_group(thingGroupName=f"g{number}", thingName="gate-0")
    iot.create_dynamic_thing_group(thingGroupName="first", queryString=f"{REPORTED}.bucket<2000")

    assert iot.list_things_in_thing_group(thingGroupName="first")["things"] == ["gate-1"]


def test_each_kind_of_group_is_deleted_in_its_own_way(iot):
    """And indexing stays on while there is a dynamic one."""
    iot.create_dynamic_thing_group(thingGroupName="dynamic", queryString="thingName:*")
    iot.create_thing_group(thingGroupName="static")
    off = {"thingIndexingMode": "OFF"}

    assert refusal(iot.create_dynamic_thing_group, thingGroupName="dynamic", queryString="*")[0] == (
        "ResourceAlreadyExistsException"
    )
    assert refusal(iot.delete_thing_group, thingGroupName="dynamic")[0] == "InvalidRequestException"
    assert refusal(iot.delete_dynamic_thing_group, thingGroupName="static")[0] == "InvalidRequestException"
    assert "dynamic thing groups" in refusal(iot.update_indexing_configuration, thingIndexingConfiguration=off)[1]

    iot.delete_dynamic_thing_group(thingGroupName="dynamic")
    iot.delete_dynamic_thing_group(thingGroupName="dynamic")
    iot.delete_thing_group(thingGroupName="static")
    iot.update_indexing_configuration(thingIndexingConfiguration=off)
    assert iot.list_thing_groups()["thingGroups"] == []


def test_an_account_has_a_hundred_dynamic_groups(iot):
    """The hundred and first is refused."""
    for number in range(100):
        iot.create_dynamic_thing_group(thingGroupName=f"g{number}", queryString="thingName:x")

    assert refusal(iot.create_dynamic_thing_group, thingGroupName="more", queryString="thingName:x")[0] == (
        "LimitExceededException"
    )

"""A resource's life without a cloud, and what is refused before it."""

from __future__ import annotations

import msgspec
import pytest

from tests.infra.provider.checks import problems
from tests.infra.provider.document import Block, Knowledge, Rule
from tests.infra.provider.lifecycle import SUBSCRIPTION, applied, planned, replacing
from tests.infra.provider.values import UNKNOWN, decode, encode, is_unknown, placeholder

STORE = msgspec.convert(
    {
        "attributes": {
            "id": {"type": "string", "optional": True, "computed": True},
            "name": {"type": "string", "required": True},
            "resource_group_name": {"type": "string", "required": True},
            "endpoint": {"type": "string", "computed": True},
            "principal_id": {"type": "string", "computed": True},
            "zones": {"type": ["set", "string"], "computed": True},
            "tags": {"type": ["map", "string"], "optional": True},
        },
        "block_types": {
            "rule": {
                "nesting_mode": "list",
                "block": {"attributes": {"state": {"type": "string", "optional": True, "computed": True}}},
            }
        },
    },
    Block,
)
CONFIG = {"name": "acme", "resource_group_name": "rg", "tags": None, "rule": [{"state": None}, {"state": "on"}]}
KNOWN = Knowledge(computed={"store": {"id": "{root}/stores/{name}", "endpoint": "https://{name}.example/{missing}"}})


def test_a_plan_leaves_open_what_the_cloud_will_tell():
    """Computed attributes without a value are unknown, in blocks too; optional ones stay empty."""
    plan = planned(STORE, CONFIG)

    assert plan["id"] == plan["endpoint"] == plan["rule"][0]["state"] == UNKNOWN
    assert (plan["name"], plan["tags"], plan["rule"][1]["state"]) == ("acme", None, "on")


def test_an_apply_leaves_nothing_open():
    """Every unknown value is replaced, by its format where one is known, by a value of its type elsewhere."""
    state = applied("store", STORE, planned(STORE, CONFIG), KNOWN)

    assert state["id"] == f"{SUBSCRIPTION}/resourceGroups/rg/stores/acme"
    assert state["endpoint"] == "https://acme.example/"
    assert len(state["principal_id"]) == 36
    assert state["zones"] == []
    assert [each["state"] for each in state["rule"]] == ["acme.state", "on"]


def test_the_same_configuration_becomes_the_same_resource():
    """What is invented depends on the configuration alone, so that a second plan finds no change."""
    first, second = (applied("store", STORE, planned(STORE, CONFIG), KNOWN) for _ in range(2))

    assert first == second
    assert planned(STORE, first) == first


@pytest.mark.parametrize(("change", "replaced"), [({"name": "other"}, ["name"]), ({"tags": {"a": "b"}}, [])])
def test_another_name_is_another_resource(change, replaced):
    """Name, place and group cannot be changed; tags can."""
    assert replacing(STORE, CONFIG, planned(STORE, CONFIG | change)) == replaced


def test_nothing_is_replaced_that_is_new():
    """What is made for the first time has nothing before it."""
    assert replacing(STORE, None, CONFIG) == []


@pytest.mark.parametrize(
    ("rule", "value", "refused"),
    [
        (Rule(enum=("on", "off")), "on", False),
        (Rule(enum=("on", "off")), "up", True),
        (Rule(pattern="[a-z]{2,3}"), "up", False),
        (Rule(pattern="[a-z]{2,3}"), "upper", True),
        (Rule(enum=("1", "2")), 1, False),
        (Rule(enum=("on",)), UNKNOWN, False),
        (Rule(enum=("on",)), None, False),
    ],
)
def test_rules_judge_what_is_known(rule, value, refused):
    """A value that its rule does not take is named by its path; an open one is not judged."""
    found = problems(STORE, {"name": "acme", "rule": [{"state": value}]}, {"rule.state": rule})

    assert [each.path for each in found] == [("rule", "state")] * refused


def test_what_the_cloud_decides_cannot_be_configured():
    """As Terraform's library for providers says it; the core leaves that to the provider."""
    (found,) = problems(STORE, {"name": "acme", "endpoint": "mine"}, {})

    assert found.path == ("endpoint",)
    assert "decided by the cloud" in found.detail


def test_values_outlive_the_wire():
    """What Terraform sends comes back as it was, unknown values too."""
    value = {"name": "acme", "size": 3, "tags": {"a": "b"}, "id": UNKNOWN}

    assert decode(encode(value)) == value
    assert is_unknown(decode(encode(UNKNOWN)))
    assert (decode(b"", b'{"a": 1}'), decode(b"")) == ({"a": 1}, None)


@pytest.mark.parametrize(
    ("type_", "value"),
    [
        ("string", "x"),
        ("number", 1),
        ("bool", False),
        (["list", "string"], []),
        (["map", "string"], {}),
        (["object", {"a": "string", "b": ["set", "number"]}], {"a": "x.a", "b": []}),
    ],
)
def test_placeholders_are_of_their_type(type_, value):
    """Terraform refuses a state whose values are not of the schema's types."""
    assert placeholder(type_, "x") == value

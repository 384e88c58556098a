"""The query language of fleet indexing, against the examples of the developer guide."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.aws.simulator.errors import ServiceError
from adapters.aws.simulator.query import parse

BATTERY = "shadow.name.otabridge.reported.battery"


class Thing:
    """Fields with their values."""

    def __init__(self, **fields):
        self.fields = {name.replace("__", "."): value for name, value in fields.items()}

    def values(self, field):
        """What the field holds."""
        held = self.fields.get(field)
        return held if isinstance(held, list) else [] if held is None else [held]

    def everything(self):
        """All values."""
        return [value for field in self.fields for value in self.values(field)]


PUMP = Thing(
    thingName="pump-7",
    thingTypeName="Pump",
    thingGroupNames=["eu", "test devices"],
    attributes__model="M-2",
    attributes__count="75",
    attributes__serial="abce",
    shadow__name__otabridge__reported__battery=78.0,
    shadow__name__otabridge__reported__proven=True,
)

MATCHING = [
    "*",
    "thingName:pump-7",
    "thingName:PUMP-7",
    "thingName:pump*",
    "thingName:p?mp-7",
    "thingName:*7",
    "thingTypeName:pump",
    "thingGroupNames:eu",
    'thingGroupNames:"test devices"',
    "attributes.count:75",
    "attributes.count:[75 TO 80]",
    "attributes.count:{70 TO 75]",
    "attributes.count : [75 TO *]",
    'attributes.serial:["abcd" TO "abcf"]',
    "attributes.count>74 attributes.count<=75",
    "attributes.model:(x OR m-2)",
    "thingName:(pump* AND -plasma)",
    "thingName:pump-7 NOT attributes.model:legacy",
    "NOT attributes.model:legacy",
    "-attributes.model:legacy",
    f"{BATTERY}:78",
    f"{BATTERY}:*",
    f"{BATTERY}>=78 AND {BATTERY}<79",
    "shadow.name.otabridge.reported.proven:true",
    "NOT (thingName:x OR thingName:y)",
    "thingName:x OR thingName:pump-7 AND attributes.count:75",
    "pump",
    r"thingName:pump\-7",
]
OTHERS = [
    "thingName:pump",
    "thingName:pump?",
    "thingGroupNames:e",
    "attributes.count:{75 TO 80]",
    "attributes.count<75",
    "attributes.missing:*",
    "attributes.missing>0",
    "NOT thingName:*",
    f"{BATTERY}:[70 TO 78}}",
    "thingName:pump-7 AND thingName:x",
    "thingName:(pump-7 AND -pump-7)",
    "connectivity.connected:true",
    "shadow.name.other.reported.battery:*",
]


@pytest.mark.parametrize("query", MATCHING)
def test_a_thing_matches(query):
    """Words, wildcards, ranges and operators of the guide's examples."""
    if query == "pump":
        assert parse(query).matches(Thing(thingTypeName="pump"))
    else:
        assert parse(query).matches(PUMP)


@pytest.mark.parametrize("query", OTHERS)
def test_a_thing_does_not_match(query):
    """What is missing never does, and bounds in braces are left out."""
    assert not parse(query).matches(PUMP)


BROKEN = {
    "thingGroupName:eu": "invalid field name, field name: thingGroupName",
    "thingName:": "it ends too early",
    "thingName:(a OR b": "it ends too early",
    "thingName:a)": "unexpected '\\)'",
    "thingName:AND": "unexpected 'AND'",
    "thingName:[1 2]": "unexpected '\\[1 2\\]'",
    'thingName:"a': "unexpected '\"a'",
    "thingName:a,b": "unsupported character ,",
    " OR ".join(["thingName:a"] * 13): "more than 12 terms",
    f"thingName:{'a' * 1000}": "longer than 1000 characters",
    "thingName:*a AND thingGroupNames:*b": "one leading wildcard",
    "(" * 60 + "thingName:a" + ")" * 60: "nested too deeply",
    "  ": "it is empty",
}


@pytest.mark.parametrize("query", BROKEN)
def test_a_broken_query_is_refused(query):
    """As InvalidQueryException, with the query and what is wrong with it."""
    with pytest.raises(ServiceError, match=BROKEN[query]) as refused:
        parse(query)
    assert refused.value.refusal.value.rest == "InvalidQueryException"


@given(st.text(alphabet='ab:()[]{}" *?-TOANDRN<>=\\.1', max_size=60))
def test_any_text_is_parsed_or_refused(text):
    """Never anything but the service's own refusal."""
    with suppress(ServiceError):
        parse(f"thingName:a {text}").matches(PUMP)

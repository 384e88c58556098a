"""Queries of fleet indexing: what is written, what AWS would refuse, and what another reader makes of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.aws.query import check_part, check_query, every, in_buckets, is_closed, merged, of_models, of_part, terms
from adapters.aws.query import unplaced as unplaced_query
from adapters.aws.simulator.query import MAX_TERMS, parse
from adapters.violations import BrokenLimits
from bridge.release.bucket import Buckets
from bridge.rollout.model import FleetPart

BUCKET = "shadow.name.otabridge.reported.bucket"
MODEL = "shadow.name.otabridge.reported.model"

PARTS = [
    (FleetPart("f"), "thingName:*"),
    (FleetPart("f", group="eu"), "thingGroupNames:eu"),
    (FleetPart("f", group="eu:north"), 'thingGroupNames:"eu:north"'),
    (FleetPart("f", group="AND"), 'thingGroupNames:"AND"'),
    (FleetPart("f", query="attributes.a:1 OR attributes.b:2"), "(attributes.a:1 OR attributes.b:2)"),
    (FleetPart("f", group="eu", query="attributes.a:1"), "thingGroupNames:eu AND (attributes.a:1)"),
]


@pytest.mark.parametrize(("part", "query"), PARTS)
def test_a_part_becomes_a_query(part, query):
    """What has a meaning of its own stands in quotes, a person's query in parentheses."""
    assert of_part(part) == query
    parse(query)


def test_ranges_and_models_become_conditions():
    """One range stands alone, several are alternatives; nothing asks for nothing."""
    assert in_buckets((Buckets(0, 99),)) == f"{BUCKET}:[0 TO 99]"
    assert in_buckets((Buckets(9900, 9999), Buckets(0, 99))) == f"({BUCKET}:[9900 TO 9999] OR {BUCKET}:[0 TO 99])"
    assert of_models(("gw 2", "gw-3")) == f'({MODEL}:"gw 2" OR {MODEL}:gw-3)'
    assert (in_buckets(()), of_models(())) == ("", "")
    assert unplaced_query(FleetPart("f", group="eu")) == f"thingGroupNames:eu AND NOT {BUCKET}:[0 TO 9999]"


RANGES = [
    ((Buckets(10, 19), Buckets(0, 9)), (Buckets(0, 19),)),
    ((Buckets(0, 9), Buckets(5, 7), Buckets(11, 12)), (Buckets(0, 9), Buckets(11, 12))),
    ((), ()),
]


@pytest.mark.parametrize(("ranges", "found"), RANGES)
def test_ranges_are_merged(ranges, found):
    """Neighbours and overlaps become one, so that all stages of a rollout take two terms at most."""
    assert merged(ranges) == found


REFUSED = [
    ("a" * 1001, r"query: 1001 characters; the limit is 1000"),
    (" OR ".join(["thingName:a"] * 13), r"query: 13 terms; the limit is 12"),
    ("thingName:a) OR (thingName:b", r"a quote, bracket or parenthesis has no other end"),
    ('thingName:"a', r"a quote, bracket or parenthesis has no other end"),
    ("attributes.count:[1 TO 5", r"a quote, bracket or parenthesis has no other end"),
    ("attributes.site:a/b", r"has /, which fleet indexing does not support"),
    (f"thingName:*a AND {' AND '.join(['attributes.site:north'] * 5)}", r"leading wildcard the limit is 100"),
]


@pytest.mark.parametrize(("query", "message"), REFUSED, ids=[row[1] for row in REFUSED])
def test_what_aws_would_refuse_is_named(query, message):
    """Also what would break out of the parentheses that it is put in."""
    with pytest.raises(BrokenLimits, match=message):
        check_query(query)
    with pytest.raises(BrokenLimits, match=message):
        check_part(FleetPart("f", query=query))


@pytest.mark.parametrize("model", ["gw/2", "gw*", 'gw"'])
def test_a_model_that_no_query_can_hold_is_named(model):
    """Before a group is made of it."""
    with pytest.raises(BrokenLimits, match="has a character that no query can hold") as refused:
        check_part(FleetPart("f"), ("gw-1", model))
    assert repr(model) in str(refused.value)


@given(
    st.from_regex(r"[A-Za-z0-9:_-]{1,12}", fullmatch=True),
    st.lists(st.text(alphabet="gw -2._+():[]", min_size=1, max_size=6), max_size=4),
    st.lists(st.integers(0, 9999), min_size=2, max_size=2),
)
def test_whatever_is_written_another_parser_reads(group, models, ends):
    """Names of groups and models never become operators, and terms are counted as the service counts them."""
    part = FleetPart("f", group=group, query="attributes.site:north OR attributes.floor>2")
    query = every(of_part(part), in_buckets((Buckets(min(ends), max(ends)),)), of_models(models))

    check_query(query)
    read = parse(query)

    assert read.fields >= {"thingGroupNames", "attributes.site", "attributes.floor", BUCKET}
    assert terms(query) == 4 + len(models) <= MAX_TERMS
    assert is_closed(query)

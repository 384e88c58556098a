"""The query language: what it finds, how it counts, how it pages, and what the hub refuses to read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.azure.simulator.hub import Hub
from adapters.azure.simulator.hub_errors import HubError
from adapters.azure.simulator.query_language import parse_condition, parse_query
from adapters.azure.simulator.query_tree import Comparison, Literal
from adapters.simulation.clock import VirtualClock

STAGE = "tags.otabridge.stage = 'S'"
STANDING = "properties.reported.otabridge.standing"


@pytest.fixture(scope="module")
def hub():
    """Four devices, three of stage S; the last report of `c` is an hour younger than the others."""
    made = Hub(VirtualClock(1_800_000_000, frozen=True))
    for name, tags in {"a": {"ADUGroup": "x", "n": 1}, "b": {"n": 2}, "c": {}, "d": {"odd": 'it\'s \\ "so"'}}.items():
        made.add_device(name, tags={**tags, **({} if name == "d" else {"otabridge": {"stage": "S", "was": None}})})
    for name, standing in {"a": "S/running", "b": "S/installed"}.items():
        made.report(name, {"otabridge": {"standing": standing}, "up": name == "a", "disks": [1, 2]})
    made.clock.advance(3600)
    made.report("c", {"otabridge": {"standing": "S/running"}, "none": {}})
    made.set_connected("c", connected=True)
    return made


def ids(hub, condition):
    """The devices that meet a condition."""
    return "".join(each["deviceId"] for each in hub.query(f"SELECT deviceId FROM devices WHERE {condition}").items)


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        ("deviceId = 'a'", "a"),
        ("deviceId != 'a'", "bcd"),
        ("deviceId <> 'a' AND NOT deviceId = 'b'", "cd"),
        ("deviceId IN ['a', 'd', 'nobody']", "ad"),
        ("deviceId NIN ['a', 'd']", "bc"),
        ("NOT deviceId IN ['a']", "bcd"),
        ("tags.ADUGroup = 'x'", "a"),
        # A comparison with what is not there is not true, and neither is its negation.
        ("tags.ADUGroup != 'x'", ""),
        ("NOT tags.ADUGroup = 'x'", ""),
        ("NOT (tags.ADUGroup = 'x' AND deviceId = 'a')", "bcd"),
        ("NOT is_defined(tags.ADUGroup)", "bcd"),
        ("deviceId IN ['a','b'] AND NOT is_defined(tags.ADUGroup)", "b"),
        ("IS_DEFINED(properties.reported.otabridge)", "abc"),
        ("tags.n > 1", "b"),
        ("tags.n >= 1 and tags.n <= 1.5e0", "a"),
        ("tags.n = '1'", ""),
        ("tags.n = 1 OR deviceId = 'd'", "ad"),
        ("tags.ADUGroup = 'x' OR deviceId = 'd'", "ad"),
        ("deviceId = 'a' OR deviceId = 'b' AND tags.n = 7", "a"),
        ("(deviceId = 'a' OR deviceId = 'b') AND tags.n = 2", "b"),
        ("properties.reported.up = true", "a"),
        ("properties.reported.up", "a"),
        ("NOT properties.reported.up", "b"),
        ("properties.reported.disks = 1", ""),
        ("tags.n.deeper = 1", ""),
        ("connectionState = 'Connected'", "c"),
        ("status = 'enabled' AND properties.desired.$version = 1", "abcd"),
        ("properties.reported.$metadata.otabridge.standing.$lastUpdated < '2027-01-15T08:30:00Z'", "ab"),
        ("tags.[[odd]] = 'it''s \\\\ \"so\"'", "d"),
        ('tags.odd = "it\\\'s \\\\ ""so"""', "d"),
        ("tags.odd = 'it\\u0027s \\\\ \\\"so\\\"'", "d"),
    ],
)
def test_conditions(hub, condition, found):
    """Each finds these devices and no others."""
    assert ids(hub, condition) == found


def test_a_stage_is_counted_in_one_query(hub):
    """GROUP BY one attribute with COUNT(), both under another name; a device without the attribute has its own row."""
    text = (
        f"SELECT {STANDING} AS standing, COUNT() AS devices FROM devices "
        f"WHERE {STAGE} OR deviceId = 'd' GROUP BY {STANDING}"
    )

    assert sorted(map(str, hub.query(text).items)) == sorted(
        map(
            str,
            [{"devices": 1}, {"standing": "S/installed", "devices": 1}, {"standing": "S/running", "devices": 2}],
        )
    )


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("SELECT COUNT() AS n FROM devices", [{"n": 4}]),
        ("select count() as n from devices where deviceId = 'nobody'", [{"n": 0}]),
        ("SELECT COUNT() FROM devices", [{"$1": 4}]),
        (
            "SELECT SUM(tags.n) AS s, AVG(tags.n) AS a, MIN(tags.n) AS l, MAX(tags.n) AS h FROM devices",
            [{"s": 3, "a": 1.5, "l": 1, "h": 2}],
        ),
        ("SELECT SUM(tags.nothing) AS s, COUNT() AS n FROM devices", [{"n": 4}]),
        ("SELECT COUNT() AS n, SUM(tags.n) AS s FROM devices WHERE tags.n > 0 AND tags.n <= 1", [{"n": 1, "s": 1}]),
        ("SELECT SUM(properties.reported.up) AS s, COUNT() AS n FROM devices", [{"n": 4}]),
        ("SELECT SUM(tags.odd) AS s FROM devices", [{}]),
        ("SELECT tags.n, deviceId AS id FROM devices WHERE tags.n = 1", [{"n": 1, "id": "a"}]),
        ("SELECT tags.n AS n FROM devices WHERE deviceId = 'c'", [{}]),
        ("SELECT TOP 2 deviceId FROM devices", [{"deviceId": "a"}, {"deviceId": "b"}]),
        ("SELECT * FROM devices.modules", []),
    ],
)
def test_columns(hub, text, rows):
    """Members that a device does not have are left out."""
    assert list(hub.query(text).items) == rows


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "SELECT expected, not 'the end'"),
        ("SELECT * FROM things", "FROM things: queries go to devices"),
        ("SELECT * FROM devices WHERE", "a name expected, not 'the end'"),
        ("SELECT * FROM devices ORDER BY deviceId", "the end of the query expected, not 'ORDER'"),
        ("SELECT * FROM devices WHERE deviceId % 2", "unexpected '%'"),
        ("SELECT * FROM devices WHERE deviceId LIKE 'a'", "the end of the query expected, not 'LIKE'"),
        ("SELECT * FROM devices WHERE STARTSWITH(deviceId, 'a')", "Function STARTSWITH at character 28"),
        ("SELECT UPPER(deviceId) FROM devices", "Function UPPER"),
        ("SELECT * FROM devices WHERE deviceId = 'a", 'unexpected "\'"'),
        ("SELECT * FROM devices WHERE deviceId = 'a\\n'", "Invalid escape \\n"),
        ("SELECT * FROM devices WHERE deviceId IN ('a')", "[ expected, not '('"),
        ("SELECT * FROM devices WHERE deviceId = 'a' # x", "unexpected '#'"),
        ("SELECT deviceId FROM devices GROUP BY tags.n", "deviceId is neither aggregated nor in GROUP BY"),
        ("SELECT COUNT() AS n, deviceId FROM devices", "deviceId is neither aggregated nor in GROUP BY"),
        ("SELECT * FROM devices GROUP BY tags.n", "GROUP BY needs columns"),
        ("SELECT COUNT() AS n FROM devices GROUP BY tags.n, tags.m", "GROUP BY takes one attribute"),
        ("SELECT COUNT(deviceId) AS n FROM devices", "COUNT takes no attribute"),
        ("SELECT * FROM devices.jobs", "does not play devices.jobs"),
        (f"SELECT * FROM devices WHERE deviceId = '{'x' * 8160}'", "characters; the limit is 8192"),
        (f"SELECT * FROM devices WHERE {'(' * 100}tags.a = 1{')' * 100}", "nested more than 64 levels deep"),
        (f"SELECT * FROM devices WHERE {'NOT ' * 100}tags.a = 1", "nested more than 64 levels deep"),
    ],
)
def test_what_the_hub_does_not_read(hub, text, said):
    """A refusal says where and what."""
    with pytest.raises(HubError) as caught:
        hub.query(text)

    assert said in caught.value.message


def test_8192_characters_are_read(hub):
    """The limit itself, as one condition of many devices."""
    start = "SELECT deviceId FROM devices WHERE deviceId IN ['a','"
    text = start + "x" * (8192 - len(start) - 2) + "']"

    assert len(text) == 8192
    assert [each["deviceId"] for each in hub.query(text).items] == ["a"]


@given(st.text(st.characters(exclude_categories=["Cs"])), st.sampled_from("'\""))
def test_every_text_can_be_asked_for(text, quote):
    """Quotes are doubled, backslashes too; what comes out is what went in."""
    written = quote + text.replace("\\", "\\\\").replace(quote, quote * 2) + quote
    if len(written) > 8000:
        return

    assert parse_condition(f"tags.x = {written}") == Comparison(parse_condition("tags.x = 1").left, "=", Literal(text))


WORDS = [
    "SELECT",
    "*",
    "FROM",
    "devices",
    "WHERE",
    "NOT",
    "(",
    ")",
    "[",
    "]",
    "a",
    "=",
    "'b'",
    "IN",
    ",",
    ".",
    "1",
    "AND",
]


@given(st.text(max_size=80) | st.lists(st.sampled_from(WORDS)).map(" ".join))
def test_no_text_breaks_the_parser(text):
    """It is read or refused with a message, never anything else."""
    for parse in (parse_query, parse_condition):
        try:
            parse(text)
        except HubError as refused:
            said = refused.message
        else:
            said = "read"
        assert said


@given(st.lists(st.sampled_from("abcdz"), min_size=1), st.sampled_from(["deviceId", "tags.ADUGroup"]))
def test_in_is_a_row_of_comparisons(hub, names, attribute):
    """IN and the OR of equalities find the same devices; NOT NIN too."""
    values = ", ".join(f"'{each}'" for each in names)
    either = " OR ".join(f"{attribute} = '{each}'" for each in names)

    found = ids(hub, f"{attribute} IN [{values}]")
    assert found == ids(hub, either) == ids(hub, f"NOT {attribute} NIN [{values}]")


@pytest.mark.parametrize("size", [1, 2, 3, 4, 100])
def test_pages_cover_everything_once(hub, size):
    """Each page says how to get the next; the last says nothing."""
    found, token = [], None
    while True:
        page = hub.query("SELECT deviceId FROM devices", size=size, continuation=token)
        found += [each["deviceId"] for each in page.items]
        assert len(page.items) <= size
        token = page.continuation
        if token is None:
            break

    assert found == ["a", "b", "c", "d"]


@pytest.mark.parametrize("token", ["x", "", "////", "MTIz"])
def test_a_strange_continuation_is_refused(hub, token):
    """One of another query, or none at all."""
    with pytest.raises(HubError, match="continuation token does not belong"):
        hub.query("SELECT * FROM devices", continuation=token)
    other = hub.query("SELECT deviceId FROM devices", size=1).continuation
    with pytest.raises(HubError, match="continuation token does not belong"):
        hub.query("SELECT * FROM devices", continuation=other)


def test_the_index_may_lag(hub):
    """While it does, queries see what was; a twin that is read is as it is."""
    with hub.stale_index():
        hub.patch_twin("d", {"tags": {"late": True}})
        assert ids(hub, "tags.late = true") == ""
        assert hub.tags("d")["late"] is True
    assert ids(hub, "tags.late = true") == "d"
    hub.patch_twin("d", {"tags": {"late": None}})

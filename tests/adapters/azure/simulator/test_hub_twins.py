"""Twins by themselves: how patches merge, what the hub remembers of them, and what it refuses."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.azure.simulator.hub import Hub
from adapters.azure.simulator.hub_errors import HubError, Refusal
from adapters.azure.simulator.twin_rules import Part, check_patch, check_size, size_of
from adapters.azure.simulator.twins import Members, merge
from adapters.simulation.clock import VirtualClock

KEYS = st.text(st.characters(min_codepoint=97, max_codepoint=104), min_size=1, max_size=3)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-99, 99) | st.text(max_size=5),
    lambda inner: st.dictionaries(KEYS, inner, max_size=4) | st.lists(st.integers(-99, 99), max_size=3),
    max_leaves=12,
)
PATCHES = st.dictionaries(KEYS, VALUES, max_size=5)


@pytest.fixture
def hub():
    """A hub at a fixed time, with one device."""
    made = Hub(VirtualClock(1_800_000_000, frozen=True))
    made.add_device("pump", tags={"site": "north"})
    return made


def nested(levels):
    """An object in an object in an object."""
    return {"x": 1} if levels == 1 else {"x": nested(levels - 1)}


def has_null(value):
    """Whether a document holds a null outside its arrays."""
    return value is None or (isinstance(value, dict) and any(has_null(each) for each in value.values()))


@given(PATCHES, PATCHES)
def test_a_patch_that_is_repeated_changes_nothing_more(first, second):
    """At-least-once delivery does no harm, and no null is ever stored."""
    once = merge(merge({}, first), second)

    assert merge(once, second) == once
    assert not has_null(once)


@given(PATCHES, PATCHES)
def test_a_patch_leaves_the_old_document_alone(first, second):
    """Snapshots never change."""
    before = merge({}, first)
    kept = merge({}, before)
    merge(before, second)

    assert before == kept


@given(PATCHES, PATCHES)
def test_metadata_has_the_shape_of_the_values(first, second):
    """Every member, at every level, has the time of its last change, and nothing else has."""
    members = Members().merged(Part.TAGS, first, 1.0).merged(Part.TAGS, second, 2.0)

    def agree(value, metadata):
        inner = value if isinstance(value, dict) else {}
        assert set(metadata) - {"$lastUpdated"} == set(inner)
        assert "$lastUpdated" in metadata
        for key, each in inner.items():
            agree(each, metadata[key])

    agree(members.values, members.metadata)


def test_a_change_touches_its_own_leaf(hub):
    """The hub's clock, not the device's, dates each member by itself."""
    hub.report("pump", {"ota": {"slot": "a", "standing": "S/running"}})
    hub.clock.advance(60)
    hub.report("pump", {"ota": {"slot": "b"}})

    ota = hub.device("pump").reported.annotated()["$metadata"]["ota"]

    assert ota["slot"]["$lastUpdated"] == "2027-01-15T08:01:00.0000000Z"
    assert ota["standing"]["$lastUpdated"] == "2027-01-15T08:00:00.0000000Z"
    assert ota["$lastUpdated"] == ota["slot"]["$lastUpdated"]


def test_each_part_counts_its_versions(hub):
    """Tags have none of their own; the ETag sees them all."""
    before = hub.device("pump")
    hub.patch_twin("pump", {"tags": {"a": 1}, "properties": {"desired": {"b": 2}}})
    hub.report("pump", {"c": 3})
    after = hub.device("pump")

    assert (after.desired.version - before.desired.version, after.reported.version - before.reported.version) == (1, 1)
    assert after.version == before.version + 3


def test_null_removes_and_replacement_forgets(hub):
    """PATCH merges, PUT does not; either leaves alone what it does not name."""
    hub.patch_twin("pump", {"tags": {"site": None, "row": 7}, "properties": {"desired": {"x": {"y": 1, "z": 2}}}})
    hub.patch_twin("pump", {"properties": {"desired": {"x": {"y": None}}}})
    assert (hub.tags("pump"), hub.desired("pump")) == ({"row": 7}, {"x": {"z": 2}})

    hub.replace_twin("pump", {"tags": {"site": "south"}})
    assert (hub.tags("pump"), hub.desired("pump")) == ({"site": "south"}, {"x": {"z": 2}})


@pytest.mark.parametrize(
    ("patch", "said"),
    [
        ({"a.b": 1}, "tags: the key 'a.b' holds"),
        ({"a": {"$b": 1}}, "tags.a: the key '$b' holds"),
        ({"a b": 1}, "the key 'a b' holds"),
        ({"a\x07": 1}, "holds a control character"),
        ({"": 1}, "a key has 1 to 1024 bytes"),
        ({"k" * 1025: 1}, "a key has 1 to 1024 bytes"),
        ({"a": "x" * 4097}, "tags.a: a string has at most 4096 bytes"),
        ({"a": "ä" * 2049}, "tags.a: a string has at most 4096 bytes"),
        ({"a": [1, "x" * 4097]}, "tags.a[1]: a string has"),
        ({"a": 2**52}, "an integer lies between -4503599627370496 and 4503599627370495"),
        (nested(12), "nested more than 10 levels deep"),
    ],
)
def test_what_a_twin_does_not_take(patch, said):
    """The path of what is wrong is in the message."""
    with pytest.raises(HubError) as caught:
        check_patch(Part.TAGS, patch)

    assert said in caught.value.message
    assert caught.value.refusal is Refusal.ARGUMENT_INVALID


@pytest.mark.parametrize("patch", [nested(11), {"a": "x" * 4096, "k" * 1024: 2**52 - 1, "b": -(2**52)}, {"_-~": []}])
def test_what_a_twin_just_takes(patch):
    """The limits themselves are allowed."""
    check_patch(Part.TAGS, patch)


def test_how_the_hub_counts():
    """Characters of keys and strings without control characters, 8 for a number, 4 for a boolean, 0 for null."""
    assert size_of({"ab": "c\nd", "e": 1.5, "f": True, "g": {"h": None}}) == 2 + 2 + 1 + 8 + 1 + 4 + 1 + 1


@pytest.mark.parametrize(("part", "limit"), [(Part.TAGS, 8192), (Part.DESIRED, 32768), (Part.REPORTED, 32768)])
def test_the_size_of_a_part(part, limit):
    """One character more than the limit is refused as too large."""
    full = {f"{index:04}": "x" * 1020 for index in range(limit // 1024)}
    check_size(part, full)

    with pytest.raises(HubError, match=f"{part} would take {limit + 8} bytes; the limit is {limit}") as caught:
        check_size(part, {**full, "more": True})
    assert caught.value.refusal is Refusal.TOO_LARGE


def test_a_refused_patch_changes_nothing(hub):
    """Not even the part that was fine."""
    before = hub.device("pump")
    with pytest.raises(HubError):
        hub.patch_twin("pump", {"tags": {"fine": 1}, "properties": {"desired": {"not fine": 1}}})

    assert hub.device("pump") == before


def test_what_the_hub_writes_itself_is_ignored(hub):
    """A twin that was read can be written back."""
    hub.patch_twin("pump", {"properties": {"desired": {"$version": 99, "$metadata": {"x": 1}, "a": 1}}})

    assert hub.desired("pump") == {"a": 1}
    assert hub.device("pump").desired.version == 2


def test_listeners_hear_what_changed(hub):
    """After the change, so that they can ask for it."""
    heard = []
    hub.listen(lambda device, part: heard.append((device, part, dict(hub.reported(device)))))
    hub.report("pump", {"a": 1})
    hub.patch_twin("pump", {"tags": {"t": 1}})
    hub.set_connected("pump", connected=True, model_id="dtmi:x;1")

    assert heard == [("pump", "reported", {"a": 1}), ("pump", "tags", {"a": 1}), ("pump", "connection", {"a": 1})]
    assert hub.model_id("pump") == "dtmi:x;1"


@pytest.mark.parametrize("name", ["", "a b", "a/b", "ä", "x" * 129])
def test_device_ids(hub, name):
    """The registry names what it does not take."""
    with pytest.raises(HubError, match="is no device id"):
        hub.add_device(name)


def test_a_device_is_registered_once(hub):
    """The second is refused, and an unknown one is not found."""
    with pytest.raises(HubError, match="A device with ID 'pump' is already registered"):
        hub.add_device("pump")
    hub.remove_device("pump")
    with pytest.raises(HubError, match="Device pump not registered"):
        hub.tags("pump")


def test_waiting_ends_when_it_holds_or_never_does(hub):
    """`wait_until` is asked after each change; without one it gives up."""
    assert hub.wait_until(lambda: hub.knows("pump"))
    assert not hub.wait_until(lambda: hub.knows("nobody"), timeout=0.01)

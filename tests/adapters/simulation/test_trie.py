"""Topic filters match as section 4.7 of MQTT 5 wants, and the tree forgets what it is told to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.simulation.mqtt.trie import FilterTrie, is_valid_filter, is_valid_topic

LEVEL = st.sampled_from(["a", "b", "", "$x"])
TOPIC = st.lists(LEVEL, min_size=1, max_size=4).map("/".join)
FILTER = st.lists(st.sampled_from(["a", "b", "", "$x", "+"]), min_size=1, max_size=4).flatmap(
    lambda levels: st.sampled_from(["/".join(levels), "/".join([*levels, "#"]), "#"])
)

CASES = [
    ("a/b", "a/b", True),
    ("a/b", "a/c", False),
    ("a/+", "a/b", True),
    ("a/+", "a/b/c", False),
    ("a/#", "a/b/c", True),
    ("a/#", "a", True),
    ("#", "a/b", True),
    ("#", "$aws/x", False),
    ("+/x", "$aws/x", False),
    ("$aws/+", "$aws/x", True),
    ("$aws/#", "$aws/things/t/jobs", True),
    ("+/+", "/b", True),
    ("+", "/b", False),
]


@pytest.mark.parametrize(("topic_filter", "topic", "matches"), CASES)
def test_a_filter_matches_as_the_standard_says(topic_filter, topic, matches):
    """The examples of the specification."""
    trie = FilterTrie()
    trie.add(topic_filter, "me")

    assert trie.match(topic) == ({"me"} if matches else set())


def by_scanning(topic_filter, topic):
    """The rules of section 4.7, level by level, without a tree."""
    wanted, given_levels = topic_filter.split("/"), topic.split("/")
    if topic.startswith("$") and wanted[0] in ("+", "#"):
        return False
    for index, level in enumerate(wanted):
        if level == "#":
            return True
        if index >= len(given_levels) or level not in ("+", given_levels[index]):
            return False
    return len(wanted) == len(given_levels)


@given(st.sets(FILTER, max_size=6), TOPIC)
def test_the_tree_agrees_with_a_scan(filters, topic):
    """The index finds exactly the filters that a level by level comparison finds."""
    trie = FilterTrie()
    for topic_filter in filters:
        trie.add(topic_filter, topic_filter)

    assert trie.match(topic) == {each for each in filters if by_scanning(each, topic)}


@given(st.lists(FILTER, max_size=6))
def test_an_emptied_tree_keeps_nothing(filters):
    """Discarding every filter prunes every branch, so that sessions leave no litter."""
    trie = FilterTrie()
    for topic_filter in filters:
        trie.add(topic_filter, "me")
    for topic_filter in filters:
        trie.discard(topic_filter, "me")

    assert not trie


@pytest.mark.parametrize("bad", ["", "a/#/b", "a#", "a/b+", "+a", "/".join("a" * 65)])
def test_an_invalid_filter_is_known(bad):
    """Wildcards inside a level, `#` before the end and endless depth are not filters."""
    assert not is_valid_filter(bad)


@pytest.mark.parametrize(("topic", "valid"), [("a/b", True), ("", False), ("a/+", False), ("#", False)])
def test_a_message_goes_to_a_topic_without_wildcards(topic, valid):
    """PUBLISH names one topic."""
    assert is_valid_topic(topic) is valid

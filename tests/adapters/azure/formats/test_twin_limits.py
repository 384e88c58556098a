"""The limits of a twin: refused here, by the name of the field, before the hub refuses."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.azure.formats.twin_limits import MOST_VIOLATIONS, check_twin_patch, shorten, twin_size
from adapters.violations import BrokenLimits
from tests.adapters.azure.formats.hostile import values


def nested(levels: int) -> dict[str, object]:
    """So many objects, one in the other, below the properties themselves."""
    value: dict[str, object] = {"end": 1}
    for level in range(levels, 0, -1):
        value = {f"level{level}": value}
    return value


@pytest.mark.parametrize(
    "patch",
    [
        {},
        {"a": None, "b": {"c": [True, 1.5, {"d": "x"}]}},
        {"text": "\u00fc" * 2048},
        {"step_0": {"__t": "c"}},
        {"least": -(2**52), "most": 2**52 - 1},
        {"k" * 1024: 1},
        nested(10),
    ],
)
def test_what_the_hub_takes_passes(patch):
    """Up to each limit."""
    check_twin_patch(patch)


@pytest.mark.parametrize(
    ("patch", "said"),
    [
        ({"a": {"b": "x" * 4097}}, "a.b: 'xxxx"),
        ({"a": {"b": "x" * 4097}}, "4097 bytes; the limit of one string is 4096"),
        ({"a": ["\u00fc" * 2049]}, "a[0]: "),
        ({"a": "\ud800"}, "a: '\\ud800'; half of a surrogate pair is no text"),
        ({"a.b": 1}, "no dots, dollars, spaces or control characters"),
        ({"x": {"$version": 1}}, "x.$version: '$version'; a name has no"),
        ({"a b": 1}, "a b: 'a b'; a name has no"),
        ({"a\x00": 1}, "a?: 'a\\x00'; a name has no"),
        ({"": 1}, "named by text"),
        ({"k" * 1025: 1}, "a name has at most 1024 bytes"),
        ({"n": 2**52}, "n: int; an integer lies between"),
        ({"n": 10**5000}, "n: int; an integer lies between"),
        ({"n": float("nan")}, "n: float; JSON has no such number"),
        ({"n": b"x"}, "n: bytes; JSON has no bytes"),
        (nested(11), "the limit is 10 levels of objects"),
        (nested(900), "the limit is 10 levels of objects"),
        ({f"p{n}": "x" * 4000 for n in range(9)}, "reported properties: 36018 bytes with this patch"),
    ],
)
def test_what_the_hub_refuses_is_refused_by_name(patch, said):
    """The message names the field, the value and the limit."""
    with pytest.raises(BrokenLimits, match=re.escape(said)):
        check_twin_patch(patch)


def test_the_limit_is_of_everything_reported():
    """What is there counts, what the patch removes does not, and neither does the hub's own `$version`."""
    current = {"old": {"a": "x" * 4000, **{f"b{n}": "x" * 4000 for n in range(7)}}, "$version": 7}

    check_twin_patch({"old": {"a": None}, "new": "y" * 4000}, current=current)
    with pytest.raises(BrokenLimits, match="36021 bytes"):
        check_twin_patch({"new": "y" * 4000}, current=current)


def test_the_size_is_the_hubs():
    """Characters of names and strings, 8 for a number, 4 for a boolean, nothing for null (documentation of IoT Hub)."""
    assert twin_size({"a": "\u00fcb", "c": 1, "d": True, "e": None, "f": {"g": [1.5]}, "$version": 3}) == 28


def test_only_the_first_faults_are_told():
    """A patch of a thousand bad names makes no page of errors."""
    with pytest.raises(BrokenLimits) as caught:
        check_twin_patch({f"$ {n}": 1 for n in range(1000)})
    assert len(caught.value.violations) == MOST_VIOLATIONS


@given(st.text() | st.just("\ud800\x1b[2J" * 500))
def test_any_text_becomes_details(text):
    """One line that every twin takes."""
    short = shorten(text)

    assert len(short) <= 1000
    check_twin_patch({"resultDetails": short})


@given(st.dictionaries(st.text(max_size=5), values, max_size=4))
def test_any_json_passes_or_is_refused(patch):
    """And what passes can be written as JSON."""
    try:
        check_twin_patch(patch, current=patch)
    except BrokenLimits as error:
        assert 1 <= len(error.violations) <= MOST_VIOLATIONS  # noqa: PT017 - passing is as good
    else:
        assert len(json.dumps(patch)) <= 32_768 * 6

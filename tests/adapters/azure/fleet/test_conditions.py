"""Conditions that people write: what could leave its parentheses is refused, and the rest means what it meant alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.azure.fleet.conditions import MOST_CHARACTERS, fault
from adapters.azure.simulator.hub_errors import HubError
from adapters.azure.simulator.query_language import parse_condition, parse_query

GOOD = [
    "tags.site = 'Köln'",
    "properties.reported.battery < 20 AND NOT is_defined(tags.spare)",
    "(tags.a = 1 OR tags.b != -2.5) AND tags.site IN ['x', 'it''s']",
    "tags.[[from]] = \"here (or there)\"\n  AND tags.x <> 'SELECT'",
]


@pytest.mark.parametrize("condition", GOOD)
def test_what_the_hub_reads_is_taken(condition):
    """Words and parentheses within a string are text."""
    assert fault(condition) is None
    parse_condition(f"({condition})")


BAD = [
    ("", "is empty"),
    (" \n", "is empty"),
    ("a = 1" + " " * MOST_CHARACTERS, "has 405 characters, at most 400 are taken"),
    ("a = 1) OR (b = 2", "has a parenthesis at character 6 that closes nothing"),
    ("(a = 1", "has a parenthesis that is never closed"),
    ("(" * 40 + "a", "more than 32 deep"),
    ("a = 'x", 'has "\'" at character 5, which is a quote that never ends'),
    ("a = 'x\\' OR b = '", 'has "\'" at character 5'),
    ("a = 1 -- b", "has '-' at character 7"),
    ("a = 1; b", "has ';' at character 6"),
    ("a = 1 group by b", "has the word group at character 7: it is a condition, not a whole query"),
    ("SELECT * FROM devices", "has the word SELECT at character 1"),
]


@pytest.mark.parametrize(("condition", "words"), BAD)
def test_what_could_break_out_is_refused(condition, words):
    """With the place, for the person who wrote it."""
    assert words in (fault(condition) or "")


@given(st.text(st.sampled_from("a1 =()'\"\\[]<>.,-") | st.characters(max_codepoint=255), max_size=40))
def test_what_is_taken_stays_in_its_parentheses(condition):
    """Whatever is written: the hub reads exactly what it would read of the condition alone, or nothing at all."""
    if fault(condition) is not None:
        return
    try:
        alone = parse_condition(condition)
        together = parse_query(f"SELECT deviceId FROM devices WHERE x = 1 AND ({condition})").condition
    except HubError:
        return
    assert alone in getattr(together, "conditions", ())

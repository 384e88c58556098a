"""A fleet set in the text of a configuration: nothing else in it changes, comments neither."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import UsageError
from bridge.fleet_table import Change, changes, replaced, with_fleet

TEXT = """\
# Ours, not the vendor's.
[store]
path = "state.db"  # on the local disk

[fleets.plant]  # the first line
cloud = "aws"
region = "eu-west-1" # moved in spring
per_minute = 50
# what the carrier bills
cost_a_gigabyte = 0.12

[trust]
folder = "trust"

[fleets.depot]
cloud = "azure"
"""
SETTINGS = {"cloud": "aws", "region": "eu-central-1", "by_bucket": True, "tags": {"otabridge:fleet": 'a "b"'}}
WORD = st.from_regex(r"[a-z][a-z0-9_]{0,9}", fullmatch=True)
VALUE = (
    st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
    | st.integers(-(2**63), 2**63 - 1)
    | st.booleans()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=9), st.text(max_size=9), max_size=3)
)


def test_a_new_fleet_goes_to_the_end():
    """What is there stays, to the byte."""
    edited = with_fleet(TEXT, "yard", SETTINGS)

    assert edited.startswith(TEXT)
    assert edited[len(TEXT) :] == (
        '\n[fleets.yard]\ncloud = "aws"\nregion = "eu-central-1"\nby_bucket = true\n'
        'tags = {"otabridge:fleet" = "a \\"b\\""}\n'
    )


def test_a_changed_fleet_changes_by_its_lines_alone():
    """Comments stay where they are, also in the fleet itself and when other tables stand between the fleets."""
    edited = with_fleet(TEXT, "plant", {"cloud": "aws", "region": "eu-central-1", "cost_a_gigabyte": 0.12})

    assert edited == TEXT.replace("eu-west-1", "eu-central-1").replace("per_minute = 50\n", "")


def test_what_terraform_does_not_name_stays_in_the_same_cloud():
    """A person wrote it; the settings of another cloud would be wrong in this one."""
    held = {"cloud": "aws", "region": "eu-west-1", "cost_a_gigabyte": 0.12}

    assert replaced(held, {"cloud": "aws", "region": "eu-central-1"}) == {**held, "region": "eu-central-1"}
    assert replaced(held, {"cloud": "azure", "hub": "x"}) == {"cloud": "azure", "hub": "x"}


def test_changes_are_told_one_a_line():
    """As diffs are read."""
    told = changes({"region": "a", "old": 1, "same": True}, {"region": "b", "same": True, "tags": {"x": "y"}})

    assert told == (Change("region", "a", "b"), Change("old", 1, None), Change("tags", None, {"x": "y"}))
    assert [str(each) for each in told] == ['~ region = "a" -> "b"', "- old = 1", '+ tags = {x = "y"}']


FORMS = {
    "nothing": "",
    "only a comment": "# later",
    "Windows lines": "[store]\r\npath = 'x'\r\n",
    "no last line end": "[fleets.depot]\ncloud = 'azure'",
    "dotted keys": "fleets.depot.cloud = 'azure'\n",
    "a table of tables": "[fleets]\ndepot = { cloud = 'azure' }\n",
    "dotted keys in a table": "[fleets]\ndepot.cloud = 'azure'\n[trust]\n",
    "one line": "fleets = { depot = { cloud = 'azure' } }\n",
}


@pytest.mark.parametrize("text", FORMS.values(), ids=FORMS)
def test_every_way_to_write_fleets_is_edited(text):
    """Never is another configuration made of it than was asked for."""
    before = tomllib.loads(text)
    for name in ("depot", "yard") if text != FORMS["one line"] else ("depot",):
        after = tomllib.loads(with_fleet(text, name, SETTINGS))

        assert after == {**before, "fleets": {**before.get("fleets", {}), name: SETTINGS}}


def test_what_cannot_be_edited_safely_is_given_to_the_person():
    """TOML lets nobody add to a table that was written in one line."""
    with pytest.raises(UsageError, match="cannot be edited safely; write it by hand") as refused:
        with_fleet(FORMS["one line"], "yard", SETTINGS)

    assert '\n\n[fleets.yard]\ncloud = "aws"\nregion = "eu-central-1"\n' in str(refused.value)


@given(st.dictionaries(WORD, VALUE, min_size=1, max_size=5), st.sampled_from(["plant", "depot", "yard"]))
def test_any_settings_come_back_as_they_were(settings, name):
    """And the other tables as they were, with every comment outside the fleet."""
    edited = with_fleet(TEXT, name, {"cloud": "aws", **settings})

    before = tomllib.loads(TEXT)
    assert tomllib.loads(edited) == {**before, "fleets": {**before["fleets"], name: {"cloud": "aws", **settings}}}
    assert edited.startswith('# Ours, not the vendor\'s.\n[store]\npath = "state.db"  # on the local disk\n')

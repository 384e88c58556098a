"""The rollout file with which a newcomer begins: it is a rollout, and so is whatever is taken into use in it."""

from __future__ import annotations

import re

import msgspec
import pytest
import yaml
from msgspec import inspect

from bridge.errors import UsageError
from bridge.rollout.file import parse_rollout
from bridge.rollout.model import FleetPart, Stage
from bridge.rollout.shape import rollout_type
from bridge.rollout.template import render_rollout, rollout_template

FLEETS = ("factory", "depot")
TEXT = rollout_template("gates-2-4", "releases/2.4.0", FLEETS)
BLOCKS = [block for block in TEXT.split("\n\n") if re.search(r"(?m)^# ", block)]


def in_use(text: str) -> str:
    """`text` with one `# ` taken away from every line that is not in use."""
    return re.sub(r"(?m)^( *)# ", r"\1", text)


def structs(kind: inspect.Type) -> set[type]:
    """All structs of the model."""
    found = set()
    if isinstance(kind, inspect.StructType):
        found = {kind.cls}.union(*(structs(field.type) for field in kind.fields))
    elif isinstance(kind, inspect.Metadata):
        found = structs(kind.type)
    elif isinstance(kind, inspect.UnionType):
        found = set().union(*map(structs, kind.types))
    elif isinstance(kind, inspect.VarTupleType):
        found = structs(kind.item_type)
    return found


def test_the_template_is_read_as_what_was_asked_for():
    """Name, release and fleets; stages of one, ten and a hundred per cent; nothing else."""
    rollout = parse_rollout(TEXT, "rollout.yaml", FLEETS)

    assert (rollout.name, rollout.release) == ("gates-2-4", "releases/2.4.0")
    assert rollout.parts == (FleetPart("factory"), FleetPart("depot"))
    assert rollout.stages == (Stage(1), Stage(10), Stage(100))
    assert msgspec.structs.replace(rollout, budget=rollout.budget) == rollout


def test_the_template_with_everything_in_use_is_a_rollout():
    """What is not in use shows defaults and examples that hold together."""
    rollout = parse_rollout(in_use(TEXT), "rollout.yaml", FLEETS)

    assert rollout.parts[1].group == "pilot"
    assert [len(stage.devices or ()) for stage in rollout.stages] == [1, 0, 0, 0, 0]
    assert [stage.count for stage in rollout.stages] == [None, 100, None, None, None]
    assert rollout.gates.health[0].queries.keys() == {"factory"}
    assert rollout.approvals.threshold == 2


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: re.search(r"(?m)^# (\w+)", block)[1])
def test_each_block_can_be_taken_into_use_alone(block):
    """A newcomer needs one thing at a time."""
    used = in_use(block)
    (name,) = yaml.safe_load(used)

    rollout = parse_rollout(TEXT.replace(block, used), "rollout.yaml", FLEETS)

    assert hasattr(rollout, name)


def test_every_field_of_the_model_is_in_the_template():
    """Nothing has to be looked up elsewhere to be found."""
    fields = {field for struct in structs(rollout_type()) for field in struct.__struct_fields__}

    assert {field for field in fields if not re.search(rf"(?m)^[ #-]*{field}:", TEXT)} == set()


def test_defaults_are_shown_as_they_are():
    """Taking a default into use changes nothing."""
    text = TEXT
    for line in ("# on_breach: abort", "# timeout_minutes: 60", "# late_joiners: ignore", "    # enough: 100"):
        assert f"\n{line}\n" in text
        text = text.replace(f"\n{line}\n", f"\n{in_use(line)}\n")

    assert parse_rollout(text, "r", FLEETS) == parse_rollout(TEXT, "r", FLEETS)


def test_the_schema_is_named_for_editors_where_there_is_one():
    """The first line, as the YAML language server looks for it."""
    text = rollout_template("gates", "releases/1", ["depot"], schema="rollout.schema.json")

    assert text.splitlines()[0] == "# yaml-language-server: $schema=rollout.schema.json"
    assert "yaml-language-server" not in TEXT


@pytest.mark.parametrize(
    ("name", "fleets", "message"),
    [
        ("Gates 2", ["depot"], r"rollout\.yaml:\d+: name: must be lower-case letters"),
        ("gates", [], r"a rollout needs a fleet; add one to otabridge\.toml"),
        ("gates", ["depot", "depot"], "fleet depot is named twice"),
    ],
)
def test_what_no_rollout_can_be_is_refused(name, fleets, message):
    """Rather than written for the reader to refuse."""
    with pytest.raises(UsageError, match=message):
        rollout_template(name, "releases/1", fleets)


@pytest.mark.parametrize("release", ["2.10", "no", "a: b # c", "ünï\u2028code", "{x}", "0x10", "1e3", "x" * 1000])
def test_values_that_yaml_would_take_for_something_else_are_quoted(release):
    """A release is where it is, whatever it looks like."""
    text = rollout_template("2024", release, ["on", "1"])

    rollout = parse_rollout(text, "rollout.yaml", ["on", "1"])

    assert (rollout.name, rollout.release, [part.name for part in rollout.parts]) == ("2024", release, ["on", "1"])
    assert parse_rollout(render_rollout(rollout), "rollout.yaml", ["on", "1"]) == rollout

"""The published JSON Schema of rollout files: it takes what the reader takes, and refuses what a schema can."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from jsonschema import Draft202012Validator

from bridge.rollout.file import parse_rollout
from bridge.rollout.schema import rollout_schema
from bridge.rollout.template import render_rollout, rollout_template
from docs.rollout_page import rollout_page, schema_text
from tests.bridge.contradictory_rollouts import BEYOND, EXCLUSIVE
from tests.bridge.rollouts import FLEETS, GOOD, rollouts
from tests.bridge.wrong_rollouts import SHAPE

ROOT = Path(__file__).parents[3]
REFERENCE = ROOT / "docs/reference"
SCHEMA = rollout_schema()
VALIDATOR = Draft202012Validator(SCHEMA)
EXAMPLES = {
    f"{page.name} {number}": block
    for page in sorted((ROOT / "docs").rglob("*.md"))
    for number, block in enumerate(re.findall(r"(?s)```yaml\n(.*?)```", page.read_text()), start=1)
    if re.search("(?m)^stages:", block)
}


def problems(text: str) -> list[str]:
    """What the schema has against the YAML `text`."""
    return [error.message for error in VALIDATOR.iter_errors(yaml.safe_load(text))]


def named_fields() -> Iterator[tuple[str, dict[str, object]]]:
    """Every field of the schema, by its name in the file."""
    definitions = {"rollout": SCHEMA, **SCHEMA["$defs"]}
    for name, definition in definitions.items():
        for field, about in definition.get("properties", {}).items():
            yield f"{name}.{field}", about


FIELDS = dict(named_fields())


def test_the_schema_is_one():
    """Valid by its own dialect, with a name, and without an address that an editor would fetch."""
    Draft202012Validator.check_schema(SCHEMA)

    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert SCHEMA["$id"] == "urn:otabridge:rollout:1"
    assert SCHEMA["description"].startswith("`rollout.yaml`: one release")


@pytest.mark.parametrize("field", FIELDS)
def test_every_field_says_what_it_means_and_what_absence_means(field):
    """Editors show the description, the default and an example; who leaves a field out knows what that does."""
    about = FIELDS[field]
    definition = SCHEMA if field.startswith("rollout.") else SCHEMA["$defs"][field.split(".")[0]]
    required = field.split(".")[1] in definition["required"]

    assert about["description"]
    assert about["examples"]
    assert required != ("default" in about)
    assert required != ("Absent: " in about["description"])


@pytest.mark.parametrize("field", FIELDS)
def test_every_example_and_default_keeps_its_own_limits(field):
    """What is shown may be written."""
    about = FIELDS[field]
    own = VALIDATOR.evolve(schema={"$defs": SCHEMA["$defs"], **about})

    for value in [*about["examples"], *([about["default"]] if "default" in about else [])]:
        assert [error.message for error in own.iter_errors(value)] == [], field


def test_patterns_are_those_of_every_dialect():
    r"""ECMA-262, which JSON Schema follows, has no \Z."""
    patterns = re.findall(r"'pattern': '([^']*)'", str(SCHEMA))

    assert patterns
    assert not [pattern for pattern in patterns if "Z" in pattern]


@pytest.mark.parametrize("case", SHAPE | EXCLUSIVE)
def test_the_schema_refuses_what_the_reader_refuses(case):
    """An editor marks the mistake while it is made."""
    text, _ = (SHAPE | EXCLUSIVE)[case]

    assert problems(text)


@pytest.mark.parametrize("case", BEYOND)
def test_the_schema_is_never_stricter_than_the_reader(case):
    """Mistakes that need the configuration, a calendar or the sum of the stages are left to the reader."""
    text, _ = BEYOND[case]

    assert problems(text) == []


@pytest.mark.parametrize("example", EXAMPLES)
def test_examples_in_the_documentation_are_rollouts(example):
    """They are taken by the schema, and by the reader where their fleets are configured."""
    text = EXAMPLES[example]
    fleets = [each if isinstance(each, str) else each["name"] for each in yaml.safe_load(text)["fleets"]]

    assert problems(text) == []
    assert parse_rollout(text, example, fleets)


def test_the_documentation_has_examples():
    """At least the reference page's own."""
    assert "rollout-file.md 1" in EXAMPLES


def test_the_published_pages_are_current():
    """The reference and the schema in docs/ say what the code does; `make docs` writes them."""
    assert (REFERENCE / "rollout.schema.json").read_text() == schema_text()
    assert (REFERENCE / "rollout-file.md").read_text().endswith(rollout_page())


def test_the_template_is_a_rollout():
    """As it is written for a newcomer."""
    assert problems(GOOD) == []
    assert problems(rollout_template("gates-2-4", "releases/2.4.0", FLEETS)) == []


@settings(max_examples=60)
@given(rollouts())
def test_every_rollout_that_is_written_is_valid_and_read_back_the_same(rollout):
    """Whatever the fields: the YAML of a rollout is that rollout."""
    text = render_rollout(rollout)

    assert problems(text) == []
    assert parse_rollout(text, "rollout.yaml", FLEETS) == rollout

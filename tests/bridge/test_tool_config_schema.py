"""The published JSON Schema of `tool_config`: what it lets pass, otabridge takes."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from adapters.clouds import stated_facts
from bridge.errors import UsageError
from bridge.tool_config import parse_tool_config
from bridge.tool_config_schema import SCHEMA_FILE
from docs.tool_config_page import tool_config_text
from tests.bridge.tool_configs import AWS, AZURE, bare, changed

PUBLISHED = Path(__file__).parents[2] / "docs/reference" / SCHEMA_FILE


@pytest.fixture(scope="module")
def schema():
    """The schema as people get it."""
    return jsonschema.Draft202012Validator(json.loads(PUBLISHED.read_text()))


def takes(config) -> bool:
    """Whether otabridge would make a fleet of it."""
    try:
        settings = dict(parse_tool_config(bare(config), "fleet.json").settings)
        stated_facts(settings.pop("cloud"), "plant", settings)
    except UsageError:
        return False
    return True


def test_the_published_schema_is_current_and_is_one(schema):
    """It is made from the code."""
    assert PUBLISHED.read_text() == tool_config_text()
    jsonschema.Draft202012Validator.check_schema(schema.schema)


GOOD = {
    "aws": AWS,
    "azure": AZURE,
    "nulls": changed(AWS, tags=None, per_minute=None, prefix=None),
    "without resources": {name: value for name, value in AZURE.items() if name != "resources"},
}


@pytest.mark.parametrize("config", GOOD.values(), ids=GOOD)
def test_what_the_modules_say_passes_both(schema, config):
    """Schema and reader."""
    assert list(schema.iter_errors(config)) == []
    assert takes(config)


WRONG = {
    "a null where a value must be": changed(AWS, region=None),
    "a missing setting": {**AWS, "fleet": {"cloud": "aws", "region": "eu-central-1"}},
    "a setting of the other cloud": changed(AWS, hub="plant-hub.azure-devices.net"),
    "settings of the other cloud": {**AWS, "fleet": AZURE["fleet"]},
    "an unknown setting": changed(AZURE, hubb="x"),
    "a value beyond its limits": changed(AWS, url_minutes=61),
    "a value of another type": changed(AZURE, by_bucket="true"),
    "a line more": changed(AWS, bucket="plant\nartifacts"),
    "another version": {**AWS, "schema_version": 0},
    "another provider": {**changed(AWS, cloud="gcp"), "provider": "gcp"},
    "an unknown member": {**AWS, "extra": {}},
    "a resource too deep": {**AWS, "resources": {"a": {"b": {"c": {}}}}},
}


@pytest.mark.parametrize("config", WRONG.values(), ids=WRONG)
def test_what_is_wrong_passes_neither(schema, config):
    """A pipeline may rely on the schema alone."""
    assert not schema.is_valid(config)
    assert not takes(config)

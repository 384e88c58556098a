"""What is taken of Terraform's output, and in which words the rest is refused."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import UsageError
from bridge.tool_config import MAX_BYTES, parse_tool_config
from tests.bridge.tool_configs import AWS, AZURE, bare, changed, wrapped

SECRET = "HostName=x;SharedAccessKeyName=owner;SharedAccessKey=c2VjcmV0"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize("config", [AWS, AZURE], ids=["aws", "azure"])
@pytest.mark.parametrize("shape", [bare, wrapped])
def test_both_shapes_are_taken(config, shape):
    """What one output prints, and what all outputs print."""
    assert parse_tool_config(shape(config), "fleet.json").settings == config["fleet"]


def test_a_null_is_a_setting_that_is_not_given():
    """Terraform has no other way to leave an attribute of an object out."""
    given_null = parse_tool_config(bare(changed(profile=None)), "fleet.json")

    assert given_null.settings == AWS["fleet"]


def test_an_output_of_another_name_is_taken_when_it_is_named():
    """A root module of two clouds has two of them."""
    data = wrapped(AZURE, "azure_tool_config")

    assert parse_tool_config(data, "fleet.json", "azure_tool_config").provider == "azure"


REFUSED = {
    "no state": (b"{}", "Terraform knows no outputs. Either nothing was applied yet, or this is another folder"),
    "no such output": (
        wrapped(AWS, "aws_tool_config"),
        "there is no output tool_config among aws_tool_config, stack. Add it to the root module",
    ),
    "not JSON": (b"No outputs found", "not what `terraform output -json` prints: JSON is malformed"),
    "a list": (b"[]", "not what `terraform output -json` prints: an object is expected"),
    "nested without end": (b"[" * 100_000, "not what `terraform output -json` prints: "),
    "too long": (b" " * MAX_BYTES + b"{}", f"larger than {MAX_BYTES} bytes"),
    "of a later version": (
        bare({**AWS, "schema_version": 2}),
        "schema_version is 2; this otabridge reads 1: upgrade otabridge",
    ),
    "without a version": (
        bare({"provider": "aws", "fleet": AWS["fleet"]}),
        "tool_config: object missing required field `schema_version`",
    ),
    "a null output": (wrapped(None), "tool_config: expected `object`, got `null`"),
    "an unknown member": (bare({**AWS, "secrets": {}}), "tool_config: object contains unknown field `secrets`"),
    "a version as text": (bare({**AWS, "schema_version": "1"}), "schema_version: expected `int`, got `str`"),
    "two clouds": (
        bare({**AWS, "provider": "azure"}),
        "fleet.cloud is 'aws' and provider is 'azure'; they must be one",
    ),
    "a setting that is a list": (bare(changed(region=["eu-central-1"])), "fleet[...]: expected `"),
    "a setting that is no word": (bare(changed(**{"a = 1\n[trust]": "x"})), "fleet: expected `str` matching regex"),
    "a long text": (bare(changed(region="x" * 3000)), "fleet[...]: expected `str` of length <= 2048"),
    "too many settings": (
        bare(changed(**{f"a{number}": 1 for number in range(99)})),
        "fleet: expected `object` of length <= 64",
    ),
    "resources too deep": (bare({**AWS, "resources": {"a": {"b": {"c": {"d": 1}}}}}), "resources[...]"),
}


@pytest.mark.parametrize(("data", "words"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused_says_what_to_do(data, words):
    """In one sentence that names the source."""
    with pytest.raises(UsageError) as refused:
        parse_tool_config(data, "fleet.json")

    assert str(refused.value).startswith("fleet.json: ")
    assert words in str(refused.value)


@pytest.mark.parametrize(
    "config",
    [
        changed(AZURE, hub=SECRET),
        changed(AWS, tags={"key": SECRET}),
        {**AWS, "resources": {"hub": {"connection": {"string": SECRET}}}},
        {**AWS, "resources": {"links": ["https://x.blob.core.windows.net/a?sv=1&sig=abc"]}},
        {**AWS, "resources": {"pem": "-----BEGIN PRIVATE KEY-----"}},
    ],
    ids=["a setting", "a tag", "a resource", "a signed link", "a key"],
)
def test_a_secret_is_refused_and_not_shown(config):
    """It would end in a file that people share, or in a pipeline's log."""
    with pytest.raises(UsageError, match="looks like a secret, which has no place here") as refused:
        parse_tool_config(bare(config), "fleet.json")

    assert "c2VjcmV0" not in str(refused.value)


@given(JSON)
def test_any_json_is_taken_or_refused_in_a_sentence(document):
    """Whoever wrote the file."""
    for part in (document, {**AWS, "fleet": document}, {**AWS, "resources": document}):
        assert refusal(json.dumps(part).encode()).startswith(("fleet.json: ", "taken"))


def refusal(data) -> str:
    """What is said of it."""
    try:
        parse_tool_config(data, "fleet.json")
    except UsageError as refused:
        return str(refused)
    return "taken"

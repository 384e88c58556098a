"""Schemas from the prebuilt bindings, on a sample that has the shape of what their generator writes."""

from __future__ import annotations

import base64
import io
import json
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.infra.extraction.blocks import block
from tests.infra.extraction.package import typescript
from tests.infra.extraction.source import Source
from tests.infra.provider.document import Nesting

SAMPLE = (Path(__file__).parent / "sample.ts").read_text()


@pytest.fixture
def thing():
    """The block of the sample's only type."""
    return block(Source(SAMPLE), "Thing")


def test_a_type_is_known_with_its_version():
    """The type's name and the provider's version stand in the class."""
    assert list(Source(SAMPLE).types("TerraformResource")) == [("cloud_thing", "7.1.0", "Thing")]


@pytest.mark.parametrize(
    ("name", "type_"),
    [
        ("zones", ["set", "string"]),
        ("tags", ["map", "string"]),
        ("matrix", ["list", ["list", "number"]]),
        ("metrics", ["list", ["map", "string"]]),
        ("endpoint", ["set", ["object", {"host": "string"}]]),
    ],
)
def test_attributes_keep_their_types(thing, name, type_):
    """Sets, maps, lists of lists, and computed objects, which are attributes and not blocks."""
    assert thing.attributes[name].type == type_


def test_attributes_keep_what_they_are(thing):
    """Whether an attribute is asked for, may be given, or is told by the cloud."""
    tags, endpoint = thing.attributes["tags"], thing.attributes["endpoint"]

    assert (tags.required, tags.optional, tags.computed) == (False, True, False)
    assert (endpoint.required, endpoint.optional, endpoint.computed) == (False, False, True)


def test_blocks_keep_their_bounds(thing):
    """A list of blocks has no bounds; a single one that is required is there exactly once."""
    rule, sku = thing.block_types["rule"], thing.block_types["sku"]

    assert (rule.nesting_mode, rule.min_items, rule.max_items) == (Nesting.LIST, 0, 0)
    assert rule.block.attributes["label"].required
    assert (sku.nesting_mode, sku.min_items, sku.max_items) == (Nesting.LIST, 1, 1)
    assert sku.block.attributes["capacity"].type == "number"


def test_the_source_is_found_in_a_wheel(tmp_path):
    """A wheel holds a package of JavaScript, whose source maps hold TypeScript; a type's files belong together."""
    wheel = tmp_path / "cdktn_provider_cloud-1.0.0.whl"
    parts = {"lib/thing/index.js": "first", "lib/thing/index-structs/structs0.js": "second", "lib/other/index.js": "x"}
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("cdktn_provider_cloud/_jsii/provider-cloud@1.0.0.jsii.tgz", packed(parts))

    assert typescript(wheel) == {"thing": "first\nsecond", "other": "x"}


def test_another_wheel_is_refused(tmp_path):
    """A wheel that is no prebuilt provider is named."""
    wheel = tmp_path / "other-1.0.0.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("other/__init__.py", "")

    with pytest.raises(ValueError, match="holds 0 packages"):
        typescript(wheel)


def packed(parts):
    """A package of JavaScript files, each with its TypeScript in a source map."""
    octets = io.BytesIO()
    with tarfile.open(fileobj=octets, mode="w:gz") as package:
        for path, text in parts.items():
            mapped = base64.b64encode(json.dumps({"sourcesContent": [text]}).encode()).decode()
            code = f"exports.x = 1;\n//# sourceMappingURL=data:application/json;base64,{mapped}\n".encode()
            member = tarfile.TarInfo(f"package/{path}")
            member.size = len(code)
            package.addfile(member, io.BytesIO(code))
    return octets.getvalue()

"""A provider's schema as `terraform providers schema -json` tells it, and what we know besides: rules and ids."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

import msgspec

Type = str | list[object]
"""A type as Terraform writes it in JSON: `"string"`, `["list", "string"]`, `["object", {"name": "string"}]`."""


class Nesting(StrEnum):
    """How blocks of one name lie in the one around them."""

    SINGLE = "single"
    LIST = "list"
    SET = "set"
    MAP = "map"
    GROUP = "group"


class Attribute(msgspec.Struct, frozen=True, omit_defaults=True):
    """An argument, an exported attribute, or both."""

    type: Type
    required: bool = False
    optional: bool = False
    computed: bool = False
    sensitive: bool = False


class Nested(msgspec.Struct, frozen=True, omit_defaults=True):
    """Blocks of one name within another; `max_items` 0 is no bound."""

    nesting_mode: Nesting
    block: Block
    min_items: int = 0
    max_items: int = 0


class Block(msgspec.Struct, frozen=True, omit_defaults=True):
    """What stands between braces."""

    attributes: dict[str, Attribute] = {}
    block_types: dict[str, Nested] = {}


class Entry(msgspec.Struct, frozen=True, omit_defaults=True):
    """A resource type, a data source, or the provider's own configuration."""

    block: Block
    version: int = 0


class Schemas(msgspec.Struct, frozen=True):
    """All of one provider."""

    provider: Entry
    resource_schemas: dict[str, Entry] = {}
    data_source_schemas: dict[str, Entry] = {}


class Document(msgspec.Struct, frozen=True):
    """One provider's schemas under its address; `provider_version` is ours, Terraform does not write it."""

    provider_version: str
    provider_schemas: dict[str, Schemas]

    @property
    def address(self) -> str:
        """Such as `hashicorp/azurerm`."""
        return next(iter(self.provider_schemas))

    @property
    def schemas(self) -> Schemas:
        """The one provider's."""
        return self.provider_schemas[self.address]


class Rule(msgspec.Struct, frozen=True):
    """What a real provider's validator asks of one argument: a value of `enum`, or a text that `pattern` matches."""

    enum: tuple[str, ...] = ()
    pattern: str = ""


class Knowledge(msgspec.Struct, frozen=True):
    """What no schema says. `rules`: type, then the argument's path, dots between. `computed`: type, then the attribute:
    a format whose fields are other attributes of the resource, and `root`, the id of its group, or of its subscription.
    """

    rules: dict[str, dict[str, Rule]] = {}
    computed: dict[str, dict[str, str]] = {}


def read_document(path: Path) -> Document:
    """The schemas in `path`. Raises: msgspec.ValidationError."""
    return msgspec.json.decode(path.read_bytes(), type=Document)


def read_knowledge(path: Path) -> Knowledge:
    """The rules in `path`. Raises: msgspec.ValidationError."""
    return msgspec.json.decode(path.read_bytes(), type=Knowledge)

"""The TypeScript of one folder, as far as it tells a schema. Pure.

`TerraformResource` and the like hold a type's attributes, `...OutputReference` those of a block, `...List` and `...Map`
say what lies in a collection, and `...HclTerraform` functions how a value is written in Terraform's language.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

CLASS = re.compile(r"^export class (\w+) extends cdkt[fn]\.(\w+) \{$(.*?)^\}", re.MULTILINE | re.DOTALL)
FIELD = re.compile(
    r"^  // (\w+) - computed: (true|false), optional: (true|false), required: (true|false)\n"
    r"(.*?)(?=^  // \w+ - computed|^  // =====|\Z)",
    re.MULTILINE | re.DOTALL,
)
WRITTEN = re.compile(
    r'^\s+(\w+): \{\s*value: .*?isBlock: (?:true|false),\s*type: "(\w+)",\s*storageClassType: "([^"]*)"',
    re.MULTILINE | re.DOTALL,
)
FUNCTION = re.compile(r"^export function (\w+)ToHclTerraform\(.*?^\}", re.MULTILINE | re.DOTALL)
ITEM = re.compile(r"return new (\w+)\(this\.terraformResource")
TYPE_NAME = re.compile(r'tfResourceType = "(\w+)"')
VERSION = re.compile(r"providerVersion: '([^']+)'")
REFERENCE = "OutputReference"


@dataclass(frozen=True, slots=True)
class Written:
    """How a field is written: `mode` is simple, list, set, map or struct, `kind` its type or class."""

    mode: str
    kind: str


@dataclass(frozen=True, slots=True)
class Field:
    """An attribute or a block; `text` is the code that belongs to it."""

    name: str
    computed: bool
    optional: bool
    required: bool
    text: str
    written: Written | None


@dataclass(frozen=True, slots=True)
class Class:
    """A class: its base, such as `ComplexList`, and its body."""

    base: str
    body: str

    @property
    def item(self) -> str | None:
        """The class of a collection's items; None where it is no collection."""
        found = ITEM.search(self.body)
        return found[1] if found else None


class Source:
    """One folder's TypeScript."""

    def __init__(self, text: str) -> None:
        self._text = text
        self.classes: Mapping[str, Class] = {name: Class(base, body) for name, base, body in CLASS.findall(text)}

    def types(self, base: str) -> Iterator[tuple[str, str, str]]:
        """Type, version of the provider and class, of each class on `base`."""
        for name, each in self.classes.items():
            kind, version = TYPE_NAME.search(each.body), VERSION.search(each.body)
            if each.base == base and kind and version:
                yield kind[1], version[1], name

    def fields(self, name: str) -> Iterator[Field]:
        """What the class `name` holds, in its order."""
        own = self.classes[name]
        written = written_in(own.body) if own.base.startswith("Terraform") else self.written(name)
        for field, computed, optional, required, text in FIELD.findall(own.body):
            yield Field(field, computed == "true", optional == "true", required == "true", text, written.get(field))

    def written(self, name: str) -> Mapping[str, Written]:
        """How the fields of a block are written; `name` is that of its class, with or without `OutputReference`."""
        stem = name.removesuffix(REFERENCE)
        return self._functions.get(stem[:1].lower() + stem[1:], {})

    @cached_property
    def _functions(self) -> Mapping[str, Mapping[str, Written]]:
        return {found[1]: written_in(found[0]) for found in FUNCTION.finditer(self._text)}


def written_in(text: str) -> Mapping[str, Written]:
    """How fields are written, by their names."""
    return {name: Written(mode, kind) for name, mode, kind in WRITTEN.findall(text)}

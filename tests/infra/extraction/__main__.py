"""Makes the committed schemas anew: `python -m tests.infra.extraction WHEEL SCHEMA.json`.

WHEEL is a prebuilt provider, as `pip download --no-deps cdktn-provider-azurerm==16.1.0` fetches it. Taken from it are
the types that the modules in infra/ use. schemas/README.md says which wheel made which file.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from tests.infra.extraction.blocks import block, configuration
from tests.infra.extraction.package import PROVIDER, typescript
from tests.infra.extraction.source import Source, written_in
from tests.infra.extraction.usage import used
from tests.infra.provider.document import Attribute, Block, Document, Entry, Schemas

RESOURCE, DATA = "TerraformResource", "TerraformDataSource"
SECRET = re.compile(r"(connection_string(_alias)?|(^|_)(access|shared|primary|secondary)_?(access_|shared_)?key)$")
"""Which names are secret in azurerm; the bindings do not tell. Of a type's own, not of its blocks' names."""


def document(sources: Mapping[str, Source]) -> Document:
    """The schemas of what is used."""
    resources = dict(_entries(sources, RESOURCE, used("resource")))
    data = dict(_entries(sources, DATA, used("data")))
    provider = sources[PROVIDER]
    own = next(each for each in provider.classes.values() if each.base == "TerraformProvider")
    config = Entry(configuration(provider, dict(written_in(own.body))))
    name = {kind.partition("_")[0] for kind in resources}.pop()
    schemas = Schemas(config, dict(sorted(resources.items())), dict(sorted(data.items())))
    return Document(_version(sources), {f"hashicorp/{name}": schemas})


def _entries(sources: Mapping[str, Source], base: str, wanted: set[str]) -> Iterator[tuple[str, Entry]]:
    for source in sources.values():
        for kind, _, name in source.types(base):
            if kind in wanted:
                yield kind, Entry(_with_secrets(block(source, name)))


def _with_secrets(given: Block) -> Block:
    attributes = {name: _with_secrecy(name, each) for name, each in given.attributes.items()}
    nested = {
        name: msgspec.structs.replace(each, block=_with_secrets(each.block)) for name, each in given.block_types.items()
    }
    return Block(attributes, nested)


def _with_secrecy(name: str, attribute: Attribute) -> Attribute:
    return msgspec.structs.replace(attribute, sensitive=SECRET.search(name) is not None)


def _version(sources: Mapping[str, Source]) -> str:
    return next(version for source in sources.values() for _, version, _ in source.types(RESOURCE))


def rendered(made: Document) -> str:
    """JSON with a line for each type, so that changes can be read."""
    schemas = made.schemas
    parts = [f'"provider": {_json(schemas.provider)}']
    for section, entries in (
        ("resource_schemas", schemas.resource_schemas),
        ("data_source_schemas", schemas.data_source_schemas),
    ):
        lines = ",\n".join(f'"{name}": {_json(entry)}' for name, entry in entries.items())
        parts.append(f'"{section}": {{\n{lines}\n}}')
    body = ",\n".join(parts)
    return (
        f'{{"provider_version": "{made.provider_version}", "provider_schemas": {{"{made.address}": {{\n{body}\n}}}}}}\n'
    )


def _json(entry: Entry) -> str:
    return msgspec.json.encode(entry, order="deterministic").decode()


def main() -> int:
    """Read the wheel, write the schema."""
    parser = argparse.ArgumentParser(prog="python -m tests.infra.extraction", description=__doc__)
    parser.add_argument("wheel", type=Path)
    parser.add_argument("schema", type=Path)
    given = parser.parse_args()
    made = document({folder: Source(text) for folder, text in typescript(given.wheel).items()})
    given.schema.write_text(rendered(made))
    found = len(made.schemas.resource_schemas)
    sys.stdout.write(f"{given.schema}: {made.address} {made.provider_version}, {found} resource types\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

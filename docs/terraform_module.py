"""A Terraform module as its files say, by python-hcl2: what it takes, makes and gives.

python-hcl2 leaves quotes around texts and `${...}` around expressions, and adds keys of its own that begin with `__`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hcl2

ABSENT = object()
"""In the place of an argument that a block does not have; None is one that is null."""
Body = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Block:
    """A block at the top of a file: `resource "aws_s3_bucket" "artifacts"` is of kind `resource`, with two labels."""

    file: Path
    kind: str
    labels: tuple[str, ...]
    body: Body

    def argument(self, name: str) -> object:
        """An argument, texts and expressions as they are written but for `${}`; ABSENT, there is none."""
        return written(self.body[name]) if name in self.body else ABSENT

    @property
    def address(self) -> str:
        """Such as `variable.name`, to name it by in a message."""
        return ".".join((self.kind, *self.labels))


@dataclass(frozen=True, slots=True)
class Module:
    """All blocks of the files in one folder, in their order."""

    folder: Path
    blocks: tuple[Block, ...]

    def of(self, kind: str) -> list[Block]:
        """The blocks of one kind."""
        return [block for block in self.blocks if block.kind == kind]


def read_module(folder: Path) -> Module:
    """The module in `folder`. Raises: ValueError naming a file that is no HCL."""
    return Module(folder, tuple(block for file in sorted(folder.glob("*.tf")) for block in _blocks(file)))


def modules(infra: Path) -> list[Path]:
    """The folders of all modules and examples below `infra`."""
    found = {file.parent for file in infra.rglob("*.tf") if ".terraform" not in file.parts}
    return sorted(found)


def written(value: object) -> object:
    """A value without python-hcl2's marks: texts bare, expressions without `${}`."""
    if isinstance(value, str) and value.startswith("${") and value.endswith("}"):
        return value[2:-1]
    return value.strip('"') if isinstance(value, str) else value


def _blocks(file: Path) -> Iterator[Block]:
    try:
        document = hcl2.loads(file.read_text())
    except Exception as error:  # whatever its parser raises
        raise ValueError(f"{file} is not HCL: {error}") from error
    for kind, found in document.items():
        if not kind.startswith("__"):
            for each in found:
                yield from _labelled(file, kind, (), each)


def _labelled(file: Path, kind: str, labels: tuple[str, ...], found: Body) -> Iterator[Block]:
    """Go down through the labels, which python-hcl2 shows as objects with quoted names."""
    quoted = [name for name in found if name.startswith('"')]
    if not quoted:
        yield Block(file, kind, labels, found)
    for name in quoted:
        yield from _labelled(file, kind, (*labels, name.strip('"')), found[name])

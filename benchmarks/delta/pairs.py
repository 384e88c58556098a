"""What is compared: pairs of images, and how each image comes from packages. The declarations are `pairs.toml`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from pathlib import Path

import msgspec

DECLARED = Path(__file__).with_name("pairs.toml")


class Mark(StrEnum):
    """What was known of a pair while the maker was written."""

    TUNED = "tuned"
    """Settings of the maker were chosen on it."""
    RESEARCH = "research"
    """Its sizes under earlier prototypes were known."""
    HELD_OUT = "held out"
    """Nothing was known of it."""
    GIVEN = "given"
    """Named on the command line."""


class Declaration(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The base of what a table of the file holds: an unknown key is an error."""


class Closure(Declaration, frozen=True):
    """Packages of a root file system; the versions of all that they depend on stand in `locks/NAME.tsv`."""

    architecture: str
    packages: tuple[str, ...]


class ClosureTree(Declaration, frozen=True, tag_field="from", tag="closure"):
    """All packages of a closure unpacked over each other, each in the version of one column of the lock."""

    closure: str
    column: str
    drop: tuple[str, ...] = ()


class PackageTree(Declaration, frozen=True, tag_field="from", tag="package"):
    """Packages `NAME:ARCHITECTURE=VERSION` unpacked over each other."""

    packages: tuple[str, ...]


class WheelTree(Declaration, frozen=True, tag_field="from", tag="wheel"):
    """Wheels unpacked over each other."""

    wheels: tuple[str, ...]


Tree = ClosureTree | PackageTree | WheelTree


class Member(Declaration, frozen=True, tag_field="recipe", tag="member"):
    """One file of a tree; `path` is a pattern that exactly one file matches."""

    tree: str
    path: str


class Head(Declaration, frozen=True, tag_field="recipe", tag="head"):
    """The first bytes of another image."""

    image: str
    length: int


class UnpackedKernel(Declaration, frozen=True, tag_field="recipe", tag="unpacked kernel"):
    """The ELF file inside an x86 bzImage that is packed with LZ4."""

    image: str


class Ext4(Declaration, frozen=True, tag_field="recipe", tag="ext4"):
    """A file system of `mib` MiB from the folder `under` of a tree; `built` is what its times of change say."""

    tree: str
    mib: int
    built: int
    under: str = "."
    label: str = ""
    inodes: int = 0
    uuid: str = "11111111-2222-3333-4444-555555555555"
    hash_seed: str = "11111111-2222-3333-4444-555555555556"
    options: str = "^has_journal,^resize_inode"


class Squashfs(Declaration, frozen=True, tag_field="recipe", tag="squashfs"):
    """A squashfs of a tree; `arguments` go to mksquashfs."""

    tree: str
    arguments: tuple[str, ...]
    under: str = "."


class Cpio(Declaration, frozen=True, tag_field="recipe", tag="cpio"):
    """A newc archive, as an initramfs is, of the paths of a tree that match one of the patterns."""

    tree: str
    patterns: tuple[str, ...] = ("**/*",)


class Gzipped(Declaration, frozen=True, tag_field="recipe", tag="gzip"):
    """Another image through `gzip -9 -n`."""

    image: str


class Tar(Declaration, frozen=True, tag_field="recipe", tag="tar"):
    """A tar of a tree, sorted, without owners and times."""

    tree: str
    under: str = "."


class Sqlite(Declaration, frozen=True, tag_field="recipe", tag="sqlite"):
    """A database with one indexed row for each file of a folder of a tree: its path and its content."""

    tree: str
    under: str


Recipe = Member | Head | UnpackedKernel | Ext4 | Squashfs | Cpio | Gzipped | Tar | Sqlite


class Wheel(Declaration, frozen=True):
    """A file of the package index, by its digest. `platform` is a tag that pip knows, or empty for any."""

    sha256: str
    platform: str = ""


class Pair(Declaration, frozen=True):
    """Two images, by name, and what they stand for; `quick` ones take every tool seconds."""

    name: str
    mark: Mark
    kind: str
    old: str
    new: str
    quick: bool = False


class Declared(Declaration, frozen=True):
    """The whole file."""

    closure: Mapping[str, Closure]
    tree: Mapping[str, Tree]
    wheel: Mapping[str, Wheel]
    image: Mapping[str, Recipe]
    pair: tuple[Pair, ...]

    def chosen(self, names: frozenset[str]) -> Iterator[Pair]:
        """The pairs of those names, or all for no name.

        Raises: KeyError for a name that no pair has.
        """
        unknown = names - {pair.name for pair in self.pair}
        if unknown:
            raise KeyError(", ".join(sorted(unknown)))
        return (pair for pair in self.pair if not names or pair.name in names)


def declared(path: Path = DECLARED) -> Declared:
    """Raises: msgspec.ValidationError naming the key that is wrong."""
    return msgspec.toml.decode(path.read_bytes(), type=Declared)

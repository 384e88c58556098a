"""Builds the images of a pair into a cache folder and uses again what is there."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from benchmarks.delta.images import make
from benchmarks.delta.packages import Gone, Packages
from benchmarks.delta.pairs import Declared, Gzipped, Head, Pair, UnpackedKernel
from benchmarks.delta.trees import Trees
from benchmarks.delta.wheels import Wheels


class Unbuilt(Exception):
    """An image cannot be made here: what it says is why."""


@dataclass(frozen=True, slots=True)
class Cache:
    """Images by name in `folder/images`, each beside the digest of what declared it."""

    folder: Path
    declared: Declared
    trees: Trees

    @classmethod
    def at(cls, folder: Path, declared: Declared) -> Cache:
        wheels = Wheels(folder, declared.wheel)
        return cls(folder, declared, Trees(folder, declared.tree, declared.closure, Packages(folder), wheels))

    def pair(self, pair: Pair) -> tuple[Path, Path]:
        """The old and the new image.

        Raises: Unbuilt.
        """
        return self.image(pair.old), self.image(pair.new)

    def image(self, name: str) -> Path:
        """Raises: Unbuilt."""
        path = self.folder / "images" / name
        stamp = path.with_name(f"{name}.made-of")
        wanted = hashlib.sha256(b"".join(self._ancestry(name))).hexdigest()
        if not (path.exists() and stamp.exists() and stamp.read_text() == wanted):
            self._build(name, path)
            stamp.write_text(wanted)
        return path

    def _build(self, name: str, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".{name}")
        recipe = self.declared.image[name]
        try:
            if isinstance(recipe, Head | UnpackedKernel | Gzipped):
                make(recipe, self.image(recipe.image), partial)
            else:
                make(recipe, self.trees.get(recipe.tree), partial)
        except Gone as gone:
            raise Unbuilt(str(gone)) from gone
        except FileNotFoundError as error:
            raise Unbuilt(f"no {error.filename}: it makes {name}") from error
        except subprocess.CalledProcessError as error:
            raise Unbuilt(f"{error.cmd[0]} ended with code {error.returncode} while it made {name}") from error
        partial.replace(path)

    def _ancestry(self, name: str) -> Iterator[bytes]:
        """What an image's bytes follow from, as far as it is declared."""
        recipe = self.declared.image[name]
        yield msgspec.json.encode(recipe)
        if isinstance(recipe, Head | UnpackedKernel | Gzipped):
            yield from self._ancestry(recipe.image)
        else:
            yield msgspec.json.encode(self.declared.tree[recipe.tree])

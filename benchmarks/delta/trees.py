"""Folders that images are made of, unpacked from packages and wheels."""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
import time
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import assert_never

from benchmarks.delta.packages import Packages, Reference
from benchmarks.delta.pairs import Closure, ClosureTree, PackageTree, Tree, WheelTree
from benchmarks.delta.wheels import Wheels

LOCKS = Path(__file__).with_name("locks")
EPOCH = 1750000000
"""Seconds: the time of whatever has no time of its own, so that a tree is the same whenever it is made."""


@dataclass(frozen=True, slots=True)
class Trees:
    """Unpacks trees by name into `folder/trees` and keeps them."""

    folder: Path
    declared: Mapping[str, Tree]
    closures: Mapping[str, Closure]
    packages: Packages
    wheels: Wheels

    def get(self, name: str) -> Path:
        """The folder of a tree.

        Raises: Gone.
        """
        target = self.folder / "trees" / name
        if not target.exists():
            partial = target.with_name(f".{name}")
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir(parents=True)
            started = time.time()
            self._unpack(self.declared[name], partial)
            _settle(partial, started)
            partial.replace(target)
        return target

    def _unpack(self, tree: Tree, target: Path) -> None:
        match tree:
            case ClosureTree():
                _extract(self.packages.fetch(self._locked(tree)), target)
                for dropped in tree.drop:
                    shutil.rmtree(target / dropped, ignore_errors=True)
            case PackageTree():
                _extract(self.packages.fetch([Reference.parse(text) for text in tree.packages]), target)
            case WheelTree():
                for wheel in tree.wheels:
                    zipfile.ZipFile(self.wheels.fetch(wheel)).extractall(target)
            case _:
                assert_never(tree)

    def _locked(self, tree: ClosureTree) -> list[Reference]:
        architecture = self.closures[tree.closure].architecture
        with (LOCKS / f"{tree.closure}.tsv").open(newline="") as file:
            rows = csv.DictReader(file, delimiter="\t")
            return [Reference(row["package"], architecture, row[tree.column]) for row in rows]


def _extract(debs: Sequence[Path], target: Path) -> None:
    for deb in debs:
        subprocess.run(["dpkg-deb", "-x", str(deb), str(target)], check=True)


def _settle(target: Path, started: float) -> None:
    """Gives what unpacking made or touched a fixed time; the rest keeps the time of its package."""
    for path in (*target.rglob("*"), target):
        if path.lstat().st_mtime >= started - 1:
            os.utime(path, (EPOCH, EPOCH), follow_symlinks=False)

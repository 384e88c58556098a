"""Writes the versions of a closure: what a release, its last update and the newest security fix of each package are."""

from __future__ import annotations

import csv
import subprocess
from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import cmp_to_key

from benchmarks.delta.packages import Packages, Row
from benchmarks.delta.pairs import Closure
from benchmarks.delta.trees import LOCKS

COLUMNS = ("package", "main", "oldest", "newest")


def lock(name: str, closure: Closure, packages: Packages) -> int:
    """Write `locks/NAME.tsv` from what the archive has now; gives the number of packages."""
    names = packages.closure(closure.architecture, closure.packages)
    versions = _versions(packages.rows(closure.architecture, names))
    with (LOCKS / f"{name}.tsv").open("w", newline="") as file:
        writer = csv.writer(file, delimiter="\t", lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(_columns(package, versions[package]) for package in names)
    return len(names)


def _versions(rows: Iterable[Row]) -> Mapping[str, dict[str, set[str]]]:
    found: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for row in rows:
        found[row.name][row.version].add(row.suite)
    return found


def _columns(package: str, found: Mapping[str, set[str]]) -> tuple[str, str, str, str]:
    """A release without updates is the suite whose name has no dash."""
    ordered = sorted(found, key=cmp_to_key(_compare))
    released = [version for version in ordered if any("-" not in suite.split("/")[0] for suite in found[version])]
    return package, (released or ordered)[-1], ordered[0], ordered[-1]


def _compare(one: str, other: str) -> int:
    if one == other:
        return 0
    return 1 if subprocess.run(["dpkg", "--compare-versions", one, "gt", other], check=False).returncode == 0 else -1

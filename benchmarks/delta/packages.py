"""Debian packages by exact version, through apt with a root of its own: it takes no privileges."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

CONFIGURATION = """
APT::Architecture "{architecture}";
APT::Architectures {{ "{architecture}"; }};
APT::Install-Recommends "false";
APT::Sandbox::User "";
Dir::State "{root}/state";
Dir::State::status "{root}/status";
Dir::Cache "{root}/cache";
Acquire::Languages "none";
"""
REFERENCE = re.compile(r"(?P<name>[a-z0-9][a-z0-9+.-]*):(?P<architecture>[a-z0-9]+)=(?P<version>[A-Za-z0-9.+:~-]+)")
ARGUMENTS = 200
"""Packages in one command."""


class Gone(Exception):
    """A package cannot be had: what it says is why, and which versions there are instead."""


@dataclass(frozen=True, slots=True)
class Reference:
    """One build of a package, written `NAME:ARCHITECTURE=VERSION`."""

    name: str
    architecture: str
    version: str

    @classmethod
    def parse(cls, text: str) -> Reference:
        """Raises: ValueError."""
        if (match := REFERENCE.fullmatch(text)) is None:
            raise ValueError(f"{text!r} is no NAME:ARCHITECTURE=VERSION")
        return cls(**match.groupdict())


@dataclass(frozen=True, slots=True)
class Row:
    """One build that the archive has, and the suite that has it, as `bookworm-security/main`."""

    name: str
    version: str
    suite: str


@dataclass(slots=True)
class Packages:
    """Keeps what it fetched in `folder/debs`, for good: an archive drops old versions."""

    folder: Path
    _ready: set[str] = field(default_factory=set)

    def fetch(self, references: Sequence[Reference]) -> list[Path]:
        """The files of those builds, in order.

        Raises: Gone.
        """
        for architecture in sorted({reference.architecture for reference in references}):
            missing = [each for each in references if each.architecture == architecture and self._held(each) is None]
            self._download(architecture, missing)
        return [self._required(reference) for reference in references]

    def rows(self, architecture: str, names: Sequence[str]) -> Iterator[Row]:
        """Every build of those packages that the archive has now."""
        for part in _parts(names):
            for line in self._apt(architecture, "apt-cache", "madison", *part).splitlines():
                name, version, source = (column.strip() for column in line.split("|"))
                yield Row(name.partition(":")[0], version, source.split()[1])

    def closure(self, architecture: str, names: Sequence[str]) -> list[str]:
        """Those packages and all that they depend on, sorted."""
        said = self._apt(architecture, "apt-get", "--print-uris", "-qq", "install", *names)
        return sorted(set(re.findall(r"^'[^']*' ([^_]+)_", said, re.MULTILINE)))

    def _held(self, reference: Reference) -> Path | None:
        version = reference.version.replace(":", "%3a")
        debs = self.folder / "debs"
        names = (f"{reference.name}_{version}_{kind}.deb" for kind in (reference.architecture, "all"))
        return next((debs / name for name in names if (debs / name).exists()), None)

    def _required(self, reference: Reference) -> Path:
        held = self._held(reference)
        if held is None:
            now = sorted({row.version for row in self.rows(reference.architecture, [reference.name])})
            raise Gone(f"{reference.name} {reference.version} left the archive, which has {', '.join(now) or 'none'}")
        return held

    def _download(self, architecture: str, missing: Iterable[Reference]) -> None:
        """One that fails must not keep the others: `_required` says which are missing."""
        debs = self.folder / "debs"
        debs.mkdir(parents=True, exist_ok=True)
        known = {(row.name, row.version) for row in self.rows(architecture, [each.name for each in missing])}
        there = [f"{each.name}={each.version}" for each in missing if (each.name, each.version) in known]
        for part in _parts(there):
            self._apt(architecture, "apt-get", "-q", "download", *part, folder=debs)

    def _apt(self, architecture: str, *command: str, folder: Path | None = None) -> str:
        root = self.folder / "apt" / architecture
        if architecture not in self._ready:
            self._ready.add(architecture)
            _prepare(root, architecture)
            _run(root, "apt-get", "-qq", "update")
        return _run(root, *command, folder=folder)


def _prepare(root: Path, architecture: str) -> None:
    for name in ("state/lists/partial", "cache/archives/partial"):
        (root / name).mkdir(parents=True, exist_ok=True)
    (root / "status").touch()
    (root / "apt.conf").write_text(CONFIGURATION.format(architecture=architecture, root=root.resolve()))


def _run(root: Path, *command: str, folder: Path | None = None) -> str:
    """An index that cannot be had is no end: what is missing for it is named later."""
    environment = {**os.environ, "APT_CONFIG": str((root / "apt.conf").resolve()), "LC_ALL": "C.UTF-8"}
    try:
        ended = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise Gone(f"no program {command[0]}: packages come through apt") from None
    return ended.stdout


def _parts(names: Sequence[str]) -> Iterator[Sequence[str]]:
    return (names[start : start + ARGUMENTS] for start in range(0, len(names), ARGUMENTS))

"""Packages of a Debian for another machine, unpacked into a folder: no installation, no emulation, no root.

apt works on a private state in the cache, with the mirror of this machine and the architecture of the other.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from tests.boot.cache import cache_folder
from tests.boot.programs import KEYRING, ProgramFailed, run

SUITE = "bookworm"
FOLDERS = ("state/lists/partial", "cache/archives/partial", "etc")


class Debian:
    """Packages for `architecture`, in apt's name of it."""

    def __init__(self, architecture: str) -> None:
        self._architecture = architecture
        self._root = cache_folder() / f"apt-{architecture}"

    def unpack(self, packages: Sequence[str], tree: Path) -> None:
        """Fetch `packages`, not what they depend on, and unpack them into `tree`. Raises: ProgramFailed."""
        self._prepare()
        archives = self._root / "archives"
        archives.mkdir(exist_ok=True)
        self._apt("apt-get", "update")
        run("env", "-C", archives, "apt-get", *self._options(), "download", *packages)
        tree.mkdir(parents=True, exist_ok=True)
        for archive in sorted(archives.glob("*.deb")):
            if archive.name.partition("_")[0] in packages:
                run("dpkg-deb", "--extract", archive, tree)

    def depends_on(self, package: str, pattern: str) -> str:
        """The package that the newest `package` depends on and whose name matches. Raises: ProgramFailed."""
        self._prepare()
        self._apt("apt-get", "update")
        found = re.search(rf"Depends: ({pattern})$", self._apt("apt-cache", "depends", package), re.MULTILINE)
        if found is None:
            raise ProgramFailed(f"{package} of Debian {SUITE} depends on nothing like {pattern}")
        return found[1]

    def _prepare(self) -> None:
        for folder in FOLDERS:
            (self._root / folder).mkdir(parents=True, exist_ok=True)
        (self._root / "status").touch()
        line = f"deb [arch={self._architecture} signed-by={KEYRING}] {mirror()} {SUITE} main\n"
        (self._root / "etc" / "sources.list").write_text(line)

    def _apt(self, program: str, *arguments: str) -> str:
        return run(program, *self._options(), *arguments)

    def _options(self) -> list[str]:
        settings = {
            "APT::Architecture": self._architecture,
            "APT::Architectures": self._architecture,
            "APT::Sandbox::User": "",
            "Dir::State": self._root / "state",
            "Dir::State::status": self._root / "status",
            "Dir::Cache": self._root / "cache",
            "Dir::Etc::sourcelist": self._root / "etc" / "sources.list",
            "Dir::Etc::sourceparts": "/dev/null",
            "Acquire::Languages": "none",
        }
        return [part for name, value in settings.items() for part in ("-o", f"{name}={value}")]


def mirror() -> str:
    """Where this machine has its packages of the same Debian from. Raises: ProgramFailed."""
    words = ("--format", "$(REPO_URI) $(RELEASE) $(COMPONENT)", "Created-By: Packages")
    sources = [line.split() for line in run("apt-get", "indextargets", *words).splitlines()]
    found = next((place for place, *of in sources if of == [SUITE, "main"]), None)
    if found is None:
        raise ProgramFailed(
            f"apt knows no source of Debian {SUITE}: run `apt-get update`, or add one to /etc/apt/sources.list"
        )
    return found

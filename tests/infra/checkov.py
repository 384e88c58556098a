"""checkov, a scanner of Terraform with rules of its own, and the list of what it says and we leave as it is.

It brings a hundred packages, so that it lives in an environment of its own: in PATH, or in `.checkov` in the checkout.
"""

from __future__ import annotations

import re
import shutil
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from tests.infra import processes
from tests.infra.absent import Absent
from tests.infra.terraform import INFRA

OWN = INFRA.parent / ".checkov" / "bin" / "checkov"
SKIPS = INFRA / "checkov.toml"
SECONDS = 300.0
FAILED = 1
"""checkov's exit code where it found something."""
PLACE = re.compile(r"module\.\w+(\[[^\]]*\])?\.|\[[^\]]*\]")
"""Parts of an address that say in which module or instance a resource is."""


class Finding(NamedTuple):
    """A check that a resource fails."""

    resource: str
    check: str


class Skip(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Checks that a resource may fail, and why."""

    resource: str
    checks: list[str]
    reason: str


class _Skips(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    skip: list[Skip]


def binary() -> str:
    """The path of checkov. Raises: Absent."""
    found = shutil.which("checkov") or (str(OWN) if OWN.exists() else None)
    if found is None:
        raise Absent("checkov is neither in PATH nor in .checkov: `make .checkov/stamp` installs it")
    return found


def read_skips(path: Path = SKIPS) -> list[Skip]:
    """The list. Raises: msgspec.ValidationError."""
    return msgspec.convert(tomllib.loads(path.read_text()), _Skips).skip


def scan(folder: Path, home: Path) -> set[Finding]:
    """What checkov finds in a module and its examples; nothing is fetched. Raises: Absent, Failed."""
    arguments = ["--directory", str(folder), "--framework", "terraform", "--skip-path", "/tests/"]
    told = ["--skip-download", "--compact", "--output", "json"]
    environment = {"PATH": str(Path(binary()).parent), "HOME": str(home), "LOG_LEVEL": "ERROR"}
    run = processes.run([binary(), *arguments, *told], folder, environment, seconds=SECONDS, codes=(0, FAILED))
    return set(_findings(run.json()))


def excused(skips: list[Skip]) -> set[Finding]:
    """What the list allows."""
    return {Finding(skip.resource, check) for skip in skips for check in skip.checks}


def _findings(report: Mapping[str, Any]) -> Iterator[Finding]:
    if report["summary"]["parsing_errors"] or not report["summary"]["passed"]:
        raise processes.Failed(f"checkov could not read {report['results'].get('parsing_errors')}, or read nothing")
    for each in report["results"]["failed_checks"]:
        yield Finding(PLACE.sub("", each["resource"]), each["check_id"])

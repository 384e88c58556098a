"""Where Terraform's providers come from: folders on this machine, as Terraform's own mirrors, never a registry.

A mirror is a folder with `HOST/hashicorp/aws/5.100.0/linux_amd64/terraform-provider-aws_v5.100.0_x5`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.infra.absent import Absent

REGISTRY = "registry.terraform.io"
"""How Terraform itself begins the full name of a provider, and so the folders of a mirror; nothing is asked there."""
FOLDERS = "OTABRIDGE_TERRAFORM_MIRRORS"
"""Variable with mirrors of the person's own, separated as PATH is; they go first."""
USUAL = ("~/.terraform.d/plugins", "~/.local/share/terraform/plugins", "/usr/local/share/terraform/plugins")
"""Terraform's implied mirrors on Linux (CLI configuration, implied local mirror directories)."""
VERSION = re.compile(r"\d+\.\d+\.\d+")


@dataclass(frozen=True, slots=True)
class Mirror:
    """A provider in a folder: `source` such as `hashicorp/aws`, its version, and the mirror that it lies in."""

    folder: Path
    source: str
    version: str

    @property
    def address(self) -> str:
        """Its full name, as Terraform writes it."""
        return f"{REGISTRY}/{self.source}"


def installed(source: str) -> Mirror:
    """The newest version of the provider `source` on this machine, as its makers built it.

    Raises: Absent.
    """
    found = [mirror for folder in _folders() for mirror in _versions(folder, source)]
    if not found:
        raise Absent(
            f"the provider {source} is not on this machine: put a mirror of it into {USUAL[0]}, or name the mirror's "
            f"folder in {FOLDERS} (`terraform providers mirror FOLDER` makes one)"
        )
    return max(found, key=lambda mirror: tuple(map(int, mirror.version.split("."))))


def platform() -> str:
    """This machine, as Terraform names it."""
    system = os.uname()
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(system.machine, system.machine)
    return f"{system.sysname.lower()}_{machine}"


def _folders() -> Iterator[Path]:
    for folder in os.environ.get(FOLDERS, "").split(os.pathsep):
        if folder:
            yield Path(folder)
    for folder in USUAL:
        yield Path(folder).expanduser()
    yield from _beside()


def _beside() -> Iterator[Path]:
    """Mirrors that came with the machine."""
    return (registry.parent for registry in sorted(Path("/opt").glob(f"*/{REGISTRY}")))


def _versions(folder: Path, source: str) -> Iterator[Mirror]:
    for package in (folder / REGISTRY / source).glob(f"*/{platform()}"):
        version = package.parent.name
        if VERSION.fullmatch(version) and any(package.glob("terraform-provider-*")):
            yield Mirror(folder, source, version)

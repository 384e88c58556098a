"""Whoever installs: what the measuring needs of each, and what the tables say of it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Spent:
    """Seconds by the clock, and of processors."""

    wall: float = 0.0
    cpu: float = 0.0


@dataclass(frozen=True, slots=True)
class Checks:
    """What a tool verifies before it writes, while it writes, and of what is in the slot after; "" for nothing.

    `synced`: whether it makes the slot durable itself.
    """

    before: str = ""
    meanwhile: str = ""
    after: str = ""
    synced: bool = True

    @property
    def verifies(self) -> bool:
        """Whether it looks at all of the image that it writes."""
        return bool(self.before or self.meanwhile)


@dataclass(frozen=True, slots=True)
class Facts:
    """A row of the table of tools. `delivery` says whence the image comes, `packing` how it is compressed."""

    name: str
    version: str
    delivery: str
    packing: str
    checks: Checks
    is_peer: bool = True


@dataclass(frozen=True, slots=True)
class Session:
    """A tool ready to install. `residents` are its processes that run already; `install` returns when it is done, with
    the part of the work that read the slot back, where that can be told. `install` raises Unavailable."""

    install: Callable[[], Spent]
    residents: tuple[int, ...] = field(default=())


class Contestant(Protocol):
    """One way to install an image."""

    @property
    def facts(self) -> Facts:
        """What it is."""

    @property
    def artifact(self) -> Path:
        """The file that carries the image."""

    @property
    def sources(self) -> tuple[Path, ...]:
        """All large files that it reads."""

    @property
    def slot(self) -> Path:
        """The file that is to hold the image."""

    def session(self) -> AbstractContextManager[Session]:
        """The tool as on its first day: nothing installed yet, and what runs all the time running.

        Raises: Unavailable.
        """

"""What can be checked in a trial boot, as its owner writes it down: each check is of exactly one kind."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

import msgspec

Seconds = Annotated[float, msgspec.Meta(ge=0, le=86400)]
CheckName = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$")]
Word = Annotated[str, msgspec.Meta(max_length=4096)]
Command = Annotated[tuple[Word, ...], msgspec.Meta(max_length=64)]
SYSTEM = "system"
"""In place of a unit: all of them. No unit is named so; their names end in their type."""
Unit = Annotated[str, msgspec.Meta(pattern=r"^(system|[A-Za-z0-9:_.\\@][A-Za-z0-9:_.\\@-]{0,254}\.[a-z]{4,9})$")]
KINDS = ("command", "unit", "http", "cloud")


class HttpCheck(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A GET of `url` that must be answered with `status`, and with `contains` among the first 64 KiB of the body.

    `ca_file` is a PEM file of the authorities that an https server is judged by, None for the system's.
    """

    url: Annotated[str, msgspec.Meta(pattern=r"^https?://[^\s/]+", max_length=2048)]
    status: Annotated[int, msgspec.Meta(ge=100, le=599)] = 200
    contains: Annotated[str, msgspec.Meta(min_length=1, max_length=1024)] | None = None
    ca_file: Path | None = None

    def __post_init__(self) -> None:
        try:
            parts = urlsplit(self.url)
            _ = (parts.hostname, parts.port)
        except ValueError as error:
            raise ValueError(f"url {self.url!r} is no URL: {error}") from error


class Check(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A part of the device that must be well: a command that exits with 0, a systemd unit that is active (or "system",
    when none has failed and the machine has come up), an answer over HTTP, or the answer of a cloud: `true` or "any"
    for one of the device's clouds, "all" for each.

    While the device comes up it is tried again `retries` times, `interval_seconds` apart.
    """

    name: CheckName
    command: Annotated[tuple[Word, ...], msgspec.Meta(min_length=1, max_length=64)] | None = None
    unit: Unit | None = None
    http: HttpCheck | None = None
    cloud: bool | Literal["any", "all"] | None = None
    retries: Annotated[int, msgspec.Meta(ge=0, le=1000)] = 12
    interval_seconds: Seconds = 5.0
    timeout_seconds: Annotated[float, msgspec.Meta(gt=0, le=3600)] = 30.0

    def __post_init__(self) -> None:
        kinds = [kind for kind in KINDS if getattr(self, kind) is not None]
        if len(kinds) != 1:
            has = " and ".join(kinds) or "none"
            raise ValueError(f"check {self.name!r} needs exactly one of {', '.join(KINDS)}; it has {has}")
        if self.cloud is False:
            raise ValueError(f'check {self.name!r}: cloud = false checks nothing; write true, "any" or "all"')

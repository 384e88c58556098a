"""What cloud side and device say to each other through Device Update and the device's twin. Pure.

`docs/reference/azure-wire.md` describes it field by field. Device Update carries a release as files of one update:
`release.json`, `roots.json` where there are later roots, and the artifacts, all in one step of our own handler. Beside
Device Update's own component, the twin holds one of ours, `otabridge`: desired, the stage that a device belongs to;
reported, how it stands in that stage, as one string, so that a stage is counted with one `GROUP BY`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Annotated

import msgspec
from packaging.version import InvalidVersion, Version

from adapters.violations import BrokenLimits, Violation
from bridge.release.details import parse_details, progress_details, report_details
from bridge.release.errors import FailureCode, ReleaseError
from bridge.release.manifest import MAX_ARTIFACTS
from bridge.release.report import Outcome, Progress, Report
from bridge.release.trust import MAX_ROOT_BYTES, MAX_ROOTS

HANDLER = "otabridge/release:1"
"""The handler of our one step; `otabridge/release:2` would be one that this program must not read."""
RELEASE_FILE = "release.json"
ROOTS_FILE = "roots.json"
RESERVED_FILES = frozenset({RELEASE_FILE, ROOTS_FILE})
MAX_FILES = 10
"""Files of one update, artifacts and metadata together (Device Update limits)."""
MAX_ROOTS_FILE = MAX_ROOTS * (MAX_ROOT_BYTES * 4 // 3 + 8)
MAX_UPDATE_PART = 2**31 - 1
MAX_UPDATE_PARTS = 4
COMPONENT = "otabridge"
"""Our own part of desired and reported properties."""

_NAME = re.compile(r"[a-zA-Z0-9.-]{1,64}")
_STANDING = re.compile(r"(?P<stage>[a-z0-9-]{1,128})/(?P<word>[a-z-]{1,16})")


class ForeignUpdate(ReleaseError):
    """An update that some other program wrote for some other agent."""

    code = FailureCode.FOREIGN


class MalformedUpdate(ReleaseError):
    """An update that claims our handler and does not keep its form."""


class Word(StrEnum):
    """How a device stands in its stage; a device that has not begun says nothing of it."""

    RUNNING = "running"
    WITHDRAWN = "withdrawn"
    INSTALLED = "installed"
    REJECTED = "rejected"
    FAILED = "failed"
    FELL_BACK = "fell-back"


@dataclass(frozen=True, slots=True)
class Standing:
    """`word` of `stage`, which is the stage's native name; "" outside any stage of otabridge's."""

    stage: str
    word: Word

    def __str__(self) -> str:
        return f"{self.stage or NO_STAGE}/{self.word}"


NO_STAGE = "none"
"""Stands for the stage where an update was deployed without otabridge."""


def standing_of(stage: str, outcome: Outcome) -> Standing:
    """Where a device stands once its installation has ended."""
    return Standing(stage, Word(outcome.value))


def parse_standing(text: object) -> Standing | None:
    """Inverse to `str(standing)`; None for anything else."""
    match = _STANDING.fullmatch(text) if isinstance(text, str) else None
    if match is None or match["word"] not in set(Word):
        return None
    return Standing("" if match["stage"] == NO_STAGE else match["stage"], Word(match["word"]))


@dataclass(frozen=True, slots=True)
class UpdateId:
    """What Device Update calls one imported update; immutable once imported."""

    provider: str
    name: str
    version: str

    def __str__(self) -> str:
        """JSON with its members in the order that the service compares (`installedUpdateId`)."""
        members = {"provider": self.provider, "name": self.name, "version": self.version}
        return json.dumps(members, separators=(",", ":"))


def update_id(provider: str, name: str, version: str) -> UpdateId:
    """The update that carries release `version` of `name`. Raises: BrokenLimits where they have no such form.

    A release's version becomes two to four whole numbers: those of its release segment (PEP 440), with `.0` after a
    lone one. Versions with an epoch, a pre-, post-, development or local part are none: Device Update could not order
    them as their owner does.
    """
    broken = [*_broken_name("provider", provider), *_broken_name("release.name", name), *_broken_version(version)]
    if broken:
        raise BrokenLimits(tuple(broken))
    numbers = Version(version).release
    return UpdateId(provider, name, ".".join(map(str, numbers if len(numbers) > 1 else (*numbers, 0))))


def step_properties(release_sha256: str, roots_sha256: str) -> dict[str, str]:
    """`handlerProperties` of our step: what the update holds, for whoever looks at it without its files."""
    return {"releaseSha256": release_sha256, "rootsSha256": roots_sha256}


def render_roots(roots: Sequence[bytes]) -> bytes:
    """`roots.json`: the later versions of the root, in order, each byte for byte."""
    return msgspec.json.encode(_Roots(tuple(roots)))


def parse_roots(text: bytes) -> tuple[bytes, ...]:
    """Inverse to `render_roots`. Raises: MalformedUpdate."""
    try:
        return msgspec.json.decode(text, type=_Roots).roots
    except (msgspec.DecodeError, RecursionError) as error:
        raise MalformedUpdate(f"{ROOTS_FILE}: {error}") from error


def artifact_files(names: Sequence[str]) -> tuple[str, ...]:
    """The files of an update, by name, without the metadata. Raises: MalformedUpdate where there are too many."""
    artifacts = tuple(name for name in names if name not in RESERVED_FILES)
    if not 0 < len(artifacts) <= MAX_ARTIFACTS:
        raise MalformedUpdate(f"the update has {len(artifacts)} artifacts, a release has 1 to {MAX_ARTIFACTS}")
    return artifacts


def desired_stage(desired: Mapping[str, object]) -> str:
    """The stage that desired properties put a device into; "" where they name none."""
    component = desired.get(COMPONENT)
    stage = component.get("stage") if isinstance(component, Mapping) else None
    return stage if isinstance(stage, str) and parse_standing(f"{stage}/{Word.RUNNING}") else ""


def reported_standing(standing: Standing, report: Report | None = None) -> dict[str, object]:
    """The reported properties of our component where an attempt begins or ends; what was said before is removed."""
    pairs = {} if report is None else report_details(report)
    return {COMPONENT: {"standing": str(standing), "said": {**_NOTHING_SAID, **pairs}}}


def reported_progress(said: Progress) -> dict[str, object]:
    """The reported properties of our component while an attempt goes on.

    Without the standing: the hub's time of that says when the attempt began, and a repeated one would renew it.
    """
    return {COMPONENT: {"said": {**_NOTHING_SAID, **progress_details(said)}}}


def parse_reported(reported: Mapping[str, object]) -> tuple[Standing | None, Progress | Report | None]:
    """What a device reported in our component, as far as it makes sense."""
    component = reported.get(COMPONENT)
    if not isinstance(component, Mapping):
        return None, None
    said = component.get("said")
    pairs = {str(name): str(value) for name, value in said.items()} if isinstance(said, Mapping) else {}
    return parse_standing(component.get("standing")), parse_details(pairs)


_NOTHING_SAID: Mapping[str, None] = MappingProxyType(
    dict.fromkeys(
        ("phase", "percent", "outcome", "code", "detail", "slot", "version", "fallbacks", "artifact", "saved")
    )
)
"""A null removes a member of a twin."""


class _Roots(msgspec.Struct, frozen=True):
    """msgspec spells bytes as base64."""

    roots: Annotated[
        tuple[Annotated[bytes, msgspec.Meta(min_length=1, max_length=MAX_ROOT_BYTES)], ...],
        msgspec.Meta(min_length=1, max_length=MAX_ROOTS),
    ]


def _broken_name(field: str, value: str) -> list[Violation]:
    if _NAME.fullmatch(value):
        return []
    return [Violation(field, repr(value)[:80], "Device Update takes 1 to 64 letters, digits, dots and dashes")]


def _broken_version(value: str) -> list[Violation]:
    try:
        version = Version(value)
    except InvalidVersion:
        return [Violation("release.version", repr(value)[:80], "must be a version such as 2.1.0")]
    plain = str(version) == ".".join(map(str, version.release))
    fits = len(version.release) <= MAX_UPDATE_PARTS and max(version.release) <= MAX_UPDATE_PART
    if plain and fits:
        return []
    limit = f"Device Update takes 1 to {MAX_UPDATE_PARTS} whole numbers up to {MAX_UPDATE_PART} and nothing after them"
    return [Violation("release.version", repr(value)[:80], limit)]

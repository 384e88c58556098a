"""Reads the steps of a release, of which each changes one thing on a device, from TOML.

    [[steps]]
    name = "boot"
    handler = "script"          # one that the devices' configuration names
    place = "device"
    file = "boot-2.1.sh"        # handed to the handler as it is
    [steps.settings]
    board = "rev-b"

    [[steps]]
    name = "rootfs"
    handler = "image"           # otabridge's own: writes the image of `release build --image` into the slot

    [[steps]]
    name = "application"
    handler = "package"
    place = "device"
    file = "application_4.2_arm64.deb"
    [steps.settings]
    package = "application"

Steps are done in this order: those before the step of the slot on the system that runs, those after it in the trial
boot. Paths count from the file's folder.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import inspect

from bridge.errors import UsageError
from bridge.files import read_bounded
from bridge.handler_files import StepSource
from bridge.release.errors import MalformedRelease
from bridge.release.rules import require_order
from bridge.release.step import (
    HANDLER_NAME,
    IMAGE,
    MAX_SETTING,
    MAX_SETTINGS,
    MAX_STEPS,
    SETTING,
    SETTING_NAME,
    STEP_NAME,
    Place,
    Step,
)
from bridge.rollout.mistake import MAX_TOLD, Mistake, in_place, shown
from bridge.rollout.shape import misfits

MAX_FILE_BYTES = 64 * 1024
_WORDS = {"words": "lower-case letters, digits and dashes, at most 32 characters"}
_TEXT = {"words": f"text in quotes, one line of at most {MAX_SETTING} characters"}

NameText = Annotated[
    str, msgspec.Meta(pattern=STEP_NAME, description="how reports and messages call this step", extra=_WORDS)
]
HandlerText = Annotated[
    str,
    msgspec.Meta(
        pattern=HANDLER_NAME,
        description=f"who does it: one that the devices' configuration names, or `{IMAGE}`, which writes `--image`",
        extra=_WORDS,
    ),
]
PathText = Annotated[str, msgspec.Meta(min_length=1, max_length=4096)]
SettingText = Annotated[str, msgspec.Meta(max_length=MAX_SETTING, pattern=SETTING, extra=_TEXT)]


class StepEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One step: what one handler does with one file. Steps are done in the order of the file."""

    name: NameText
    handler: HandlerText
    place: Annotated[
        Place | None,
        msgspec.Meta(
            description="what it changes: the `slot` that does not run, which one step may, or what both slots share, "
            f"the `device`; only `{IMAGE}` need not say it"
        ),
    ] = None
    file: Annotated[
        PathText | None, msgspec.Meta(description=f"what the handler is handed, as it is; `{IMAGE}` takes none")
    ] = None
    image: Annotated[
        PathText | None,
        msgspec.Meta(
            description=f"where another handler than `{IMAGE}` writes the slot: the raw image that the slot holds "
            "afterwards, which devices read back"
        ),
    ] = None
    restart: Annotated[
        bool,
        msgspec.Meta(
            description="whether it is only in effect after a restart; a step from that of the slot on cannot be so"
        ),
    ] = False
    settings: Annotated[
        dict[str, SettingText],
        msgspec.Meta(
            max_length=MAX_SETTINGS, description=f"the handler's own words, at most {MAX_SETTINGS}, all texts"
        ),
    ] = {}


class StepsDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file."""

    steps: Annotated[
        tuple[StepEntry, ...],
        msgspec.Meta(min_length=1, max_length=MAX_STEPS, description="write each as [[steps]]"),
    ]


def read_steps(file: Path) -> tuple[StepSource, ...]:
    """The steps in `file`, in their order. Raises: UsageError naming file, field and value."""
    entries = _convert(_decode(file), file).steps
    if found := [mistake for number, entry in enumerate(entries) for mistake in _misuses(number, entry)]:
        raise _refused(file, found)
    sources = tuple(_source(entry, file.parent) for entry in entries)
    try:
        require_order([source.step for source in sources])
    except MalformedRelease as error:
        raise UsageError(f"{file}: {error}") from error
    return sources


def _decode(file: Path) -> Mapping[str, object]:
    data = read_bounded(file, MAX_FILE_BYTES, "steps")
    if len(data) > MAX_FILE_BYTES:
        raise UsageError(f"{file}: larger than {MAX_FILE_BYTES} bytes")
    try:
        return tomllib.loads(data.decode())
    except (ValueError, RecursionError) as error:  # tomllib's errors are ValueErrors
        raise UsageError(f"{file}: not valid TOML: {error}") from error


def _convert(document: Mapping[str, object], file: Path) -> StepsDocument:
    if isinstance(document.get("steps"), Mapping):
        raise UsageError(f"{file}: steps: begin each step with [[steps]], in two pairs of brackets")
    try:
        return msgspec.convert(document, StepsDocument)
    except msgspec.ValidationError as error:
        mistakes = list(misfits(document, inspect.type_info(StepsDocument)))
        raise _refused(file, mistakes or [Mistake((), str(error))]) from error


def _refused(file: Path, mistakes: list[Mistake]) -> UsageError:
    return UsageError("\n".join(f"{file}: {in_place(mistake)}" for mistake in mistakes[:MAX_TOLD]))


def _misuses(number: int, entry: StepEntry) -> Iterator[Mistake]:
    """What no type can tell: fields that only go with others."""
    found = _misuses_of_ours(entry) if entry.handler == IMAGE else _misuses_of_others(entry)
    for field, what in (*found, *_misnamed(entry)):
        yield Mistake(("steps", number, field), f"step {entry.name}: {what}")


def _misuses_of_ours(entry: StepEntry) -> Iterator[tuple[str, str]]:
    given = {"file": entry.file, "image": entry.image, "settings": entry.settings}
    for field, value in given.items():
        if value:
            yield field, f"is {shown(value)}, but the handler {IMAGE} takes none: it writes the image of --image"


def _misuses_of_others(entry: StepEntry) -> Iterator[tuple[str, str]]:
    handler = f"the handler {entry.handler}"
    if entry.file is None:
        yield "file", f"is missing: what {handler} is handed"
    if entry.place is None:
        yield "place", f'is missing: "{Place.SLOT}" if {handler} writes the slot that does not run, or "{Place.DEVICE}"'
    if entry.place is Place.SLOT and entry.image is None:
        yield "image", f"is missing: the raw image that the slot holds once {handler} is done; devices read it back"
    if entry.place is Place.DEVICE and entry.image is not None:
        yield "image", f'goes with place = "{Place.SLOT}" alone: nothing but a slot is read back'


def _misnamed(entry: StepEntry) -> Iterator[tuple[str, str]]:
    for name in entry.settings:
        if not re.search(SETTING_NAME, name):
            yield "settings", f"{shown(name)} must be lower-case letters, digits and underscores, at most 32 characters"


def _source(entry: StepEntry, folder: Path) -> StepSource:
    place = entry.place or Place.SLOT
    step = Step(entry.name, entry.handler, place, entry.settings, entry.restart)
    return StepSource(
        step,
        file=None if entry.file is None else folder / entry.file,
        image=None if entry.image is None else folder / entry.image,
    )

"""One step of a release: one thing that it changes on a device, and who there knows how. By itself, as handlers need it
and nothing else of a release.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import msgspec

MAX_STEPS = 8
IMAGE = "image"
"""The handler that every device has: the agent itself writes an image into the slot that does not run."""
SETTING = r"^[^\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]*\Z"
"""One line without control or direction marks: settings end in arguments, environments and on terminals."""

STEP_NAME = r"^[a-z0-9][a-z0-9-]{0,31}\Z"
HANDLER_NAME = r"^[a-z][a-z0-9-]{0,31}\Z"
SETTING_NAME = r"^[a-z][a-z0-9_]{0,31}\Z"
MAX_SETTINGS = 16
MAX_SETTING = 256
"""Characters of one setting."""

StepName = Annotated[str, msgspec.Meta(pattern=STEP_NAME)]
ForStep = Annotated[str, msgspec.Meta(pattern=r"^([a-z0-9][a-z0-9-]{0,31})?\Z")]
"""The name of a step, or nothing."""
HandlerName = Annotated[str, msgspec.Meta(pattern=HANDLER_NAME)]
SettingName = Annotated[str, msgspec.Meta(pattern=SETTING_NAME)]
Setting = Annotated[str, msgspec.Meta(max_length=MAX_SETTING, pattern=SETTING)]


class Place(StrEnum):
    """What a step changes."""

    SLOT = "slot"
    """The slot that does not run: nothing of it is in effect before the switch, and a fallback undoes it."""
    DEVICE = "device"
    """What both slots share: a boot loader, an application, another chip. Its handler has to undo it."""


class Step(msgspec.Struct, frozen=True):
    """What one handler does with one artifact. Steps are done in their order: those before the step of the slot on the
    running system, those after it in the trial boot, so that what they need of the new system is there.

    `handler` is one of those that the device's configuration names, or IMAGE; `settings` are the handler's own words.
    `restart`: the step is only in effect after a restart of the device.
    """

    name: StepName
    handler: HandlerName = IMAGE
    place: Place = Place.SLOT
    settings: Annotated[dict[SettingName, Setting], msgspec.Meta(max_length=MAX_SETTINGS)] = {}
    restart: bool = False

"""Whether there is room for what the new release is going to write beside the slots, such as a migrated database."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import msgspec

from agent.permit.permission import ALLOWED, Answer, Facts, Later, Moment

RETRY_SECONDS = 300.0


class SpaceSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`least_bytes` must be free in the file system of `directory`."""

    directory: Path
    least_bytes: Annotated[int, msgspec.Meta(ge=1, le=2**60)]


class SpaceGate:
    """Lets an update go on while there is room."""

    def __init__(self, settings: SpaceSettings) -> None:
        self._settings = settings

    def ask(self, moment: Moment, facts: Facts) -> Answer:  # noqa: ARG002 - the port's face
        """See Permission. A trial boot is committed in any case."""
        if moment is Moment.COMMIT:
            return ALLOWED
        directory, least = self._settings.directory, self._settings.least_bytes
        try:
            found = os.statvfs(directory)
        except OSError as error:
            return Later("space", f"{directory} cannot be looked at: {error.strerror}", RETRY_SECONDS)
        free = found.f_bavail * found.f_frsize
        if free >= least:
            return ALLOWED
        return Later("space", f"{free} bytes are free in {directory}, {least} are needed", RETRY_SECONDS)

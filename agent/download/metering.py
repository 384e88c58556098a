"""Whether each byte over the link costs money, as the owner's command tells it at the moment."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from agent.command import run
from agent.pace import Timing

logger = logging.getLogger(__name__)

METERED = 0
UNMETERED = 1
TIMEOUT_SECONDS = 30.0


class CommandMeter:
    """Asks a command: exit status 0 means metered, 1 not. Anything else is taken for metered, as that costs nothing."""

    def __init__(self, command: Sequence[str], timing: Timing) -> None:
        self._command = command
        self._timing = timing

    def __call__(self) -> bool:
        """Whether the link is metered now."""
        try:
            ended = run(self._command, TIMEOUT_SECONDS, self._timing)
        except OSError as error:
            return self._suspect(f"cannot be started: {error.strerror}")
        if ended.status in (METERED, UNMETERED):
            return ended.status == METERED
        if ended.status is None:
            return self._suspect(f"did not end within {TIMEOUT_SECONDS:g} seconds")
        return self._suspect(f"ended with status {ended.status}, neither 0 nor 1: {ended.tail}")

    def _suspect(self, why: str) -> bool:
        logger.warning("the link is taken for metered: download.metered_command %s %s", self._command[0], why)
        return True

"""Whether a hardware watchdog caused this boot, by what the kernel's watchdog drivers found when they started.

Source: Linux, Documentation/watchdog/watchdog-api.rst and ABI/testing/sysfs-class-watchdog. Many drivers cannot tell;
they say 0.
"""

from __future__ import annotations

import logging
from itertools import islice
from pathlib import Path

WATCHDOGS = Path("/sys/class/watchdog")
CARD_RESET = 0x20
"""WDIOF_CARDRESET: the last restart was by this watchdog."""
MAX_WATCHDOGS = 16
MAX_DIGITS = 16

logger = logging.getLogger(__name__)


def caused_by_watchdog(folder: Path = WATCHDOGS) -> bool:
    """Whether one of the watchdogs in `folder` says that it caused this boot; one that cannot be read says nothing."""
    return any(
        _status(path) & CARD_RESET for path in islice(sorted(folder.glob("watchdog*/bootstatus")), MAX_WATCHDOGS)
    )


def _status(path: Path) -> int:
    """A decimal number in a line of its own."""
    try:
        with path.open("rb") as file:
            return int(file.read(MAX_DIGITS))
    except (OSError, ValueError) as error:
        logger.debug("%s says nothing of this boot: %s", path, error)
        return 0

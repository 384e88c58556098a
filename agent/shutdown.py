"""Whether the machine goes down because somebody wants it to.

Source: systemctl(1), `is-system-running`: "stopping" while the manager is shutting down. A hang, a panic or a cut of
power never gets as far.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from agent.command import run
from agent.pace import Timing

QUESTION = ("systemctl", "is-system-running")
STOPPING = "stopping"
TIMEOUT_SECONDS = 10.0

logger = logging.getLogger(__name__)


def is_going_down(question: Sequence[str] = QUESTION) -> bool:
    """Whether the service manager stops the whole machine, and not just the agent; False where it cannot be asked."""
    try:
        # The agent is being stopped: its own timing would stop this question, too.
        return run(question, TIMEOUT_SECONDS, Timing()).tail == STOPPING
    except OSError as error:
        logger.info("nobody knows whether the machine goes down: %s: %s", question[0], error.strerror)
        return False

"""For all tests: a slow machine is no failure, and folders are in memory where there is room for them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from hypothesis import HealthCheck, settings

MEMORY = Path("/dev/shm")
ROOM = 2 << 30
"""Bytes that must be free there; all folders of a run take a tenth of it."""
TEMPORARY = "PYTEST_DEBUG_TEMPROOT"
"""Where pytest makes the folders of tests; whoever sets it is obeyed."""

settings.register_profile("patient", parent=settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


def pytest_configure() -> None:
    """A store syncs its file at every change: on a disk that takes longer than the rest of most tests.

    What outlives a loss of power is the subject of the simulated kernel in tests/agent/power.py, not of a disk.
    """
    if os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > ROOM:
        os.environ.setdefault(TEMPORARY, str(MEMORY))

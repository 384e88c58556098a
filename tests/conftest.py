"""For all tests: a slow machine is no failure, folders are in memory where there is room for them, and coverage is not
measured of what is done over and over again.
"""

from __future__ import annotations

import gc
import os
import shutil
from collections import Counter
from collections.abc import Generator
from pathlib import Path

import pytest
from coverage import Coverage
from hypothesis import HealthCheck, is_hypothesis_test, settings

MEMORY = Path("/dev/shm")
ROOM = 2 << 30
"""Bytes that must be free there; all folders of a run take a tenth of it."""
TEMPORARY = "PYTEST_DEBUG_TEMPROOT"
"""Where pytest makes the folders of tests; whoever sets it is obeyed."""
TESTS = Path(__file__).parent.name
WATCHED = 1
"""Cases of one table of which coverage is measured: the others are of the same lines, or nearly so, and watching
them all would cost a third of the time of all tests."""
REPEATED = (
    "adapters/aws/test_crash.py",
    "adapters/azure/test_crash.py",
    "adapters/azure/fleet/test_taking_over_crash.py",
    "agent/writer/test_power.py",
    "bridge/engine/test_controller_crashes.py",
    "bridge/gates/test_health.py::test_looking_at_the_same_devices_again_and_again_keeps_the_stated_error",
    "bridge/rehearsal/test_run.py::test_the_same_seed_deals_the_same_fates",
    "bridge/release/test_alteration.py",
    "conformance/",
    "kills/",
    "sweep/",
)
"""Files, folders and tests that do the same over and over again, as the properties do, or once for each cloud: watching
them would double their time, and the tests of each behaviour have been on the same lines."""

settings.register_profile("patient", parent=settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


def pytest_configure() -> None:
    """A store syncs its file at every change: on a disk that takes longer than the rest of most tests.

    What outlives a loss of power is the subject of the simulated kernel in tests/agent/power.py, not of a disk.
    """
    if os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > ROOM:
        os.environ.setdefault(TEMPORARY, str(MEMORY))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Repetitions run as fast as they can; the tests in them are the same."""
    seen: Counter[tuple[Path, str]] = Counter()
    for item in items:
        test = (item.path, getattr(item, "originalname", item.name))
        seen[test] += 1
        if seen[test] > WATCHED or is_hypothesis_test(getattr(item, "obj", None)) or _is_repeated(item):
            item.add_marker("unwatched")


def pytest_collection_finish() -> None:
    """What has been collected stays to the end: it is not looked through for garbage again and again."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None]:
    """Coverage pauses in tests that are marked so, which pytest-cov's own marker does not bring about in the processes
    of pytest-xdist: there a second measurement lies below the one that it stops, and goes on."""
    paused: list[Coverage] = []
    while item.get_closest_marker("unwatched") and (running := Coverage.current()):
        running.stop()
        paused.append(running)
    try:
        yield
    finally:  # a test that fails, or skips itself half-way, is no reason not to watch the next
        for each in reversed(paused):
            each.start()


def _is_repeated(item: pytest.Item) -> bool:
    where = item.nodeid.removeprefix(f"{TESTS}/")
    return where.startswith(REPEATED)

"""Kills controllers everywhere: `python -m tests.kills [--every N]`.

Every call that leaves a controller (to a fleet, to the store, for the lock) is the last of its process once, before and
after it: on SQLite, and on a real PostgreSQL, where also every connection is cut at each call. Then three controllers
share a database and die at random. The last line counts the blows; violations make it exit with 1.
"""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from bridge.store.store import Store
from tests.kills.crowd import CONTROLLERS, ROLLOUTS, Crowd
from tests.kills.databases import Databases
from tests.kills.scenarios import SCENARIOS, Scenario
from tests.kills.sweep import Finding, cut_off, killed
from tests.postgres import NoPostgres, server

MEMORY = Path("/dev/shm")
"""Deaths are simulated, so that nothing needs a disk."""
CROWDS = 4
BATCH = 8
"""Blows that one process takes at a time."""

Strike = Callable[[Scenario, int], Finding]


def on_sqlite(scenario: Scenario, at: int) -> Finding:
    """A kill, on a store in a file of its own."""
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        return killed(scenario, Path(folder) / "otabridge.db", at)


def on_postgres(databases: Databases, scenario: Scenario, at: int) -> Finding:
    """A kill, on a database of its own."""
    with databases.new() as url:
        return killed(scenario, url, at)


def cut_on_postgres(databases: Databases, scenario: Scenario, at: int) -> Finding:
    """The loss of every connection, on a database of its own."""
    with databases.new() as url:
        return cut_off(scenario, url, at, partial(databases.cut, url))


class Sweep:
    """Counts what was struck, and tells what it did."""

    def __init__(self, every: int, pool: ProcessPoolExecutor) -> None:
        self._every = every
        self._pool = pool
        self.blows = 0
        self.violations = 0

    def strike(self, title: str, blow: Strike) -> None:
        """Every `every`th call of every scenario."""
        for scenario in SCENARIOS:
            calls = blow(scenario, 0).calls
            places = range(1, calls + 1, self._every)
            findings = list(self._pool.map(partial(blow, scenario), places, chunksize=BATCH))
            self.count(f"{title}: {scenario.name}", len(findings), _told(findings))

    def count(self, title: str, blows: int, violations: list[str]) -> None:
        """Add up, and tell."""
        self.blows += blows
        self.violations += len(violations)
        sys.stdout.write(f"{title}: {blows}, {len(violations)} violations\n")
        sys.stdout.writelines(f"  {violation}\n" for violation in violations)
        sys.stdout.flush()


def _told(findings: list[Finding]) -> list[str]:
    return [f"{each.at} ({each.call}): {violation}" for each in findings for violation in each.violations]


@contextmanager
def _databases() -> Iterator[Databases]:
    with server() as running:
        model = running.database()
        Store(model).close()
        yield Databases(str(running.socket.parent), model.partition("?")[0].rpartition("/")[2])


def _crowds(sweep: Sweep, databases: Databases) -> None:
    for seed in range(CROWDS):
        with databases.new() as url:
            crowd = Crowd(url, seed)
            crowd.admit()
            crowd.play()
            shared = sum(len(by) > 1 for by in crowd.stepped.values())
            title = f"{CONTROLLERS} controllers, {ROLLOUTS} rollouts ({shared} of them stepped by several), deaths"
            sweep.count(title, crowd.deaths, list(crowd.violations()))


def main() -> int:
    """Everything; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.kills")
    parser.add_argument("--every", type=int, default=1, help="strike at every Nth call only")
    every = parser.parse_args().every
    with ProcessPoolExecutor() as pool:
        sweep = Sweep(every, pool)
        sweep.strike("killed on SQLite", on_sqlite)
        try:
            with _databases() as databases:
                sweep.strike("killed on PostgreSQL", partial(on_postgres, databases))
                sweep.strike("cut off from PostgreSQL", partial(cut_on_postgres, databases))
                _crowds(sweep, databases)
        except NoPostgres as error:
            sys.stdout.write(f"PostgreSQL: skipped, {error}\n")
    sys.stdout.write(f"kills: {sweep.blows}, violations: {sweep.violations}\n")
    return 1 if sweep.violations else 0


if __name__ == "__main__":
    logging.disable()  # thousands of deaths, each of them told
    sys.exit(main())

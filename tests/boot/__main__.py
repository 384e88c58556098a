"""The boot tests as a program: `python -m tests.boot`. First what boot loaders decide, then a device's life in
QEMU, then replays of what it wrote.

The last line counts the boots; violations make it exit with 1.
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.boot import programs
from tests.boot.bench import Case, SomeBench, WrongSlot, judge
from tests.boot.cache import cache_folder, sole_use
from tests.boot.decision_table import CASES as DECISIONS_OF_UBOOT
from tests.boot.decisions import UBootBench, make_template
from tests.boot.grub_decisions import GrubBench
from tests.boot.grub_decisions import make_template as make_grub_template
from tests.boot.grub_table import CASES as DECISIONS_OF_GRUB
from tests.boot.life import live
from tests.boot.machine import NotSeen
from tests.boot.programs import missing
from tests.boot.replays import Replays
from tests.boot.scenarios import SCENARIOS
from tests.boot.tally import Tally

UBOOT, GRUB, REPLAYS = "uboot-decisions", "grub-decisions", "replays"
NAMES = (UBOOT, GRUB, *(scenario.name for scenario in SCENARIOS), REPLAYS)
USAGE = 2
ENDED = 128 + signal.SIGTERM


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what was chosen; the exit code."""
    chosen = _parser().parse_args(arguments)
    absent = missing(_needed(chosen.only))
    if absent:
        sys.stderr.write(f"missing here: apt-get install --no-install-recommends {' '.join(absent)}\n")
        return USAGE
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(ENDED))  # and not without ending QEMU
    tally = Tally()
    try:
        with sole_use(), _work_folder(chosen.keep) as folder:
            _boot(folder, chosen.only, tally)
    except programs.ProgramFailed as error:
        sys.stderr.write(f"{error}\n")
        return 1
    tally.say(f"boots: {tally.boots}, violations: {tally.violations}")
    return 1 if tally.violations else 0


def _boot(folder: Path, names: Sequence[str], tally: Tally) -> None:
    if UBOOT in names:
        _decide_by_uboot(folder / UBOOT, tally)
    if GRUB in names:
        _decide_by_grub(folder / GRUB, tally)
    _live(folder, names, tally)


def _needed(names: Sequence[str]) -> dict[str, str]:
    """Programs of others, with their packages, for the tests that were chosen."""
    by_grub = programs.GRUB if GRUB in names else {}
    by_uboot = programs.DECIDING if UBOOT in names else {}
    return {**by_grub, **by_uboot, **(programs.BOOTING if {*names} - {UBOOT, GRUB} else {})}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.boot", description="Boots devices in QEMU.")
    parser.add_argument("--only", nargs="+", choices=NAMES, default=NAMES, help="some of the tests, not all")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="leave disks and consoles in the new folder DIR")
    return parser


@contextmanager
def _work_folder(keep: Path | None) -> Iterator[Path]:
    """On the disk of the cache: QEMU goes past the page cache, which a file system in memory does not allow."""
    if keep is not None:
        keep.mkdir(parents=True)
        yield keep.resolve()
        return
    with tempfile.TemporaryDirectory(dir=cache_folder(), prefix="run-") as folder:
        yield Path(folder)


def _decide(name: str, cases: Sequence[Case[SomeBench]], bench_in: Callable[[Path], SomeBench], tally: Tally) -> None:
    """Each case on a board of its own, which `bench_in` makes in an empty folder."""
    for case in cases:
        with tempfile.TemporaryDirectory(dir=cache_folder()) as folder:
            bench = bench_in(Path(folder))
            try:
                violations = judge(case, bench)
            except (NotSeen, WrongSlot) as error:
                violations = [str(error)]
            tally.add(f"{name}: {case.name}", bench.powers_on, violations, f"slots {case.slots}")


def _decide_by_uboot(folder: Path, tally: Tally) -> None:
    folder.mkdir()
    template = make_template(folder)
    _decide("U-Boot", DECISIONS_OF_UBOOT, lambda own: UBootBench(template, own), tally)


def _decide_by_grub(folder: Path, tally: Tally) -> None:
    folder.mkdir()
    template = make_grub_template(folder)
    _decide("GRUB", DECISIONS_OF_GRUB, lambda own: GrubBench(template, own), tally)


def _live(folder: Path, names: Sequence[str], tally: Tally) -> None:
    scenarios = [each for each in SCENARIOS if each.name in names]
    log = folder / "writes.log" if REPLAYS in names else None
    if scenarios or log is not None:
        environment = live(folder, scenarios, tally, log)
        if log is not None:
            Replays(folder, log, environment, [each for each in scenarios if not each.troubles]).judge(tally)


if __name__ == "__main__":
    sys.exit(main())

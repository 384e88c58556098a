"""The boot tests as a program: `python -m tests.boot`. First what boot loaders decide, then lives of devices in QEMU,
and replays of what one of them wrote.

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

from tests.boot.bench import Case, SomeBench, WrongSlot, judge
from tests.boot.cache import cache_folder, sole_use
from tests.boot.counting_board import CountingBoard
from tests.boot.counting_table import CASES as DECISIONS_OF_COUNTING
from tests.boot.decision_table import CASES as DECISIONS_OF_UBOOT
from tests.boot.decisions import UBootBench, make_template
from tests.boot.grub_decisions import GrubBench
from tests.boot.grub_decisions import make_template as make_grub_template
from tests.boot.grub_table import CASES as DECISIONS_OF_GRUB
from tests.boot.kinds import COUNTING, GRUB, KINDS, NEEDED, REPLAYS, UBOOT, UBOOT_LIFE, Kind, absent
from tests.boot.life import BEGINNING
from tests.boot.lives import Work, live_side_by_side, make_images
from tests.boot.machine import NotSeen
from tests.boot.programs import ProgramFailed
from tests.boot.replays import Replays
from tests.boot.scenarios import Scenario
from tests.boot.tally import Tally

USAGE = 2
ENDED = 128 + signal.SIGTERM
BESIDE = 2
DESCRIPTION = """\
Boots devices in QEMU, always emulated. Everything takes about %s on two cores that have nothing else to do,
after downloads of some 200 MB at first. What cannot be run here is skipped by name.
"""
TIME = "15 minutes"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what was chosen; the exit code."""
    chosen = _parser().parse_args(arguments)
    tally = Tally()
    names = _runnable(chosen.only, tally)
    if names is None:
        return USAGE
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(ENDED))  # and not without ending QEMU
    try:
        with sole_use(), _work_folder(chosen.keep) as folder:
            _boot(folder, names, chosen.beside, tally)
    except ProgramFailed as error:
        sys.stderr.write(f"{error}\n")
        return 1
    tally.say(f"boots: {tally.boots}, violations: {tally.violations}")
    return 1 if tally.violations else 0


def _runnable(only: Sequence[str] | None, tally: Tally) -> list[str] | None:
    """What is to be run: all that was asked for, or all that can be run here. None where what was asked for cannot."""
    wanted = only or list(NEEDED)
    packages = {name: absent(name) for name in wanted}
    missing = sorted({package for each in packages.values() for package in each})
    if missing and only:
        sys.stderr.write(f"missing here: apt-get install --no-install-recommends {' '.join(missing)}\n")
        return None
    for name, each in packages.items():
        if each:
            tally.say(f"{name}: skipped, apt-get install --no-install-recommends {' '.join(each)}")
    return [name for name in wanted if not packages[name]]


def _boot(folder: Path, names: Sequence[str], beside: int, tally: Tally) -> None:
    if UBOOT in names:
        _decide_by_uboot(folder / UBOOT, tally)
    if COUNTING in names:
        _decide_by_counting(folder / COUNTING, tally)
    if GRUB in names:
        _decide_by_grub(folder / GRUB, tally)
    for kind in KINDS:
        scenarios = kind.chosen(names)
        if kind is UBOOT_LIFE and REPLAYS in names:
            _live_recorded(folder / "lives", scenarios, tally)
        elif scenarios:
            _live(folder / f"{kind.make.name}lives", kind, scenarios, beside, tally)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.boot", description=DESCRIPTION % TIME)
    parser.add_argument("--only", nargs="+", choices=NEEDED, metavar="NAME", help=f"some of: {', '.join(NEEDED)}")
    parser.add_argument("--beside", type=_count, default=BESIDE, metavar="N", help="devices side by side, %(default)s")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="leave disks and consoles in the new folder DIR")
    return parser


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of devices")
    return int(text)


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


def _decide_by_counting(folder: Path, tally: Tally) -> None:
    folder.mkdir()
    template = make_template(folder, kind=CountingBoard)
    _decide("U-Boot that counts", DECISIONS_OF_COUNTING, lambda own: UBootBench(template, own), tally)


def _decide_by_grub(folder: Path, tally: Tally) -> None:
    folder.mkdir()
    template = make_grub_template(folder)
    _decide("GRUB", DECISIONS_OF_GRUB, lambda own: GrubBench(template, own), tally)


def _live(folder: Path, kind: Kind, scenarios: Sequence[Scenario], beside: int, tally: Tally) -> None:
    make_images(kind.make.platform, scenarios)
    live_side_by_side(folder, [Work(kind.make, scenarios)] * min(beside, len(scenarios)), tally)


def _live_recorded(folder: Path, scenarios: Sequence[Scenario], tally: Tally) -> None:
    """What has no power cuts is one device's recorded life, and is replayed with power cuts afterwards."""
    make_images(UBOOT_LIFE.make.platform, scenarios)
    log = folder / "writes.log"
    calm = Work(UBOOT_LIFE.make, [each for each in scenarios if not each.troubles], log)
    cut = Work(UBOOT_LIFE.make, [each for each in scenarios if each.troubles])
    live_side_by_side(folder, [calm, cut] if cut.scenarios else [calm], tally)
    beginning = (folder / "life-1" / BEGINNING).read_bytes()
    Replays(folder, log, beginning, calm.scenarios).judge(tally)


if __name__ == "__main__":
    sys.exit(main())

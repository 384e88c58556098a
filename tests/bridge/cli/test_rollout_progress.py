"""What a person sees while a rollout runs: short lines, and in full what fleets refuse."""

from __future__ import annotations

import io
import re
from dataclasses import replace

import pytest
from rich.console import Console

from bridge.cli import rollout_progress as progress
from bridge.controller import Pass
from bridge.decide import Sight, decide
from bridge.fleet import FleetError
from bridge.rollout import Place
from bridge.tally import Tally
from tests.bridge.worlds import ROOTS, new_request

ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
FACTORY, DEPOT = Place(0, "factory"), Place(0, "depot")


@pytest.fixture
def terminal(monkeypatch):
    """A terminal of 60 columns."""
    console = Console(file=io.StringIO(), force_terminal=True, width=60)
    monkeypatch.setattr(progress, "messages", console)
    return console


@pytest.fixture
def record(world):
    """A rollout to 40 devices in two fleets; its first stage has two in each."""
    return world.process().admit(new_request(), ROOTS)


def seen(record, sight: Sight, *troubles: FleetError) -> Pass:
    """A pass that found `sight`."""
    return Pass(replace(record, tallies=sight.tallies), decide(record.plan, 0, sight), troubles)


def lines(console: Console) -> list[str]:
    """All that was ever shown, without colours."""
    plain = ESCAPE.sub("", console.file.getvalue())
    return [line.rstrip() for line in re.split(r"[\r\n]+", plain) if line.strip()]


def test_a_line_fits_60_columns_with_all_its_figures(terminal, record):
    """Bytes, and a stage at its busiest: installed, running and failed."""
    with progress.rollout_progress() as bars:
        bars.bytes.read(15_400_000)
        bars.bytes.sent("factory", 15_400_000)
        bars.watch(seen(record, Sight({FACTORY: Tally(installed=1, running=1), DEPOT: Tally(running=1, failed=1)})))

    shown = lines(terminal)
    assert max(map(len, shown)) <= 60
    assert [line.split("━")[0].strip() for line in shown[-3:]] == ["verify", "publish to factory", "stage 1 of 3"]
    assert shown[-2].endswith("15.4 MB")
    assert shown[-1].endswith("1/4 installed, 2 running, 1 failed")


def test_what_a_fleet_refuses_is_told_in_full_and_once(terminal, record):
    """A fleet that cannot be asked, in three passes on end; then it can, and cannot again."""
    silent = Sight({DEPOT: Tally(running=2)}, {FACTORY: "fleet factory: no network [eth0]"})
    trouble = FleetError("fleet factory: no network [eth0]", retryable=True)
    with progress.rollout_progress() as bars:
        for _ in range(3):
            bars.watch(seen(record, silent, trouble))
        bars.watch(seen(record, Sight({DEPOT: Tally(running=2), FACTORY: Tally(running=2)})))
        bars.watch(seen(record, silent, trouble))

    told = " ".join(lines(terminal))
    assert told.count("warning:") == 2
    assert "warning: fleet factory: no network [eth0]" in re.sub(r"\s+", " ", told)


def test_without_a_terminal_there_are_warnings_but_no_bars(monkeypatch, record):
    """A log file shows why nothing moves, on one line."""
    console = Console(file=io.StringIO(), width=60)
    monkeypatch.setattr(progress, "messages", console)

    with progress.rollout_progress() as bars:
        bars.bytes.read(15_400_000)
        trouble = FleetError("fleet depot: Could not connect to the endpoint: timeout")
        bars.watch(seen(record, Sight({FACTORY: Tally(running=2)}, {DEPOT: str(trouble)}), trouble))

    assert console.file.getvalue() == "warning: fleet depot: Could not connect to the endpoint: timeout\n"

"""What a person sees while a rollout runs: short lines, and in full what fleets refuse."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from rich.console import Console

from bridge.cli import rollout_progress as progress
from bridge.engine.controller import Pass
from bridge.engine.decide import decide
from bridge.engine.record import Material, Parcel, Record
from bridge.engine.sight import Sight
from bridge.fleet import FleetError
from bridge.tally import Tally
from tests.bridge.plans import DEPOT, FACTORY, NOW, new_plan, running

ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
PLAN = new_plan((2, 2), (8, 8), budget={"failures": 1})


@pytest.fixture
def terminal(monkeypatch):
    """A terminal of 60 columns."""
    console = Console(file=io.StringIO(), force_terminal=True, width=60)
    monkeypatch.setattr(progress, "messages", console)
    return console


def seen(factory: Tally, depot: Tally, *troubles: FleetError) -> Pass:
    """A pass that found these tallies in the first stage."""
    found = running(PLAN, {FACTORY: factory, DEPOT: depot})
    decision = decide(PLAN, found, Sight(), NOW)
    record = Record(PLAN, Material(Parcel(b"", Path()), ()), NOW, NOW, decision.progress, decision.reason)
    return Pass(record, decision, troubles)


def lines(console: Console) -> list[str]:
    """All that was ever shown, without colours."""
    plain = ESCAPE.sub("", console.file.getvalue())
    return [line.rstrip() for line in re.split(r"[\r\n]+", plain) if line.strip()]


def test_a_line_fits_60_columns_with_all_its_figures(terminal):
    """Bytes, and a stage at its busiest: installed, running and failed."""
    with progress.rollout_progress() as bars:
        bars.bytes.read(15_400_000)
        bars.bytes.sent("factory", 15_400_000)
        bars.watch(seen(Tally(installed=1, running=1), Tally(running=1, failed=1)))

    shown = lines(terminal)
    assert max(map(len, shown)) <= 60
    assert [line.split("━")[0].strip() for line in shown[-3:]] == ["verify", "publish to factory", "stage 1 of 2"]
    assert shown[-2].endswith("15.4 MB")
    assert shown[-1].endswith("1/4 installed, 2 running, 1 failed")


def test_what_a_fleet_refuses_is_told_in_full_and_once(terminal):
    """A fleet that cannot be asked, in three passes on end; then it can, and cannot again."""
    busy = Tally(running=2)
    trouble = FleetError("fleet factory: no network [eth0]", retryable=True)
    with progress.rollout_progress() as bars:
        for _ in range(3):
            bars.watch(seen(busy, busy, trouble))
        bars.watch(seen(busy, busy))
        bars.watch(seen(busy, busy, trouble))

    told = " ".join(lines(terminal))
    assert told.count("warning:") == 2
    assert "warning: fleet factory: no network [eth0]" in re.sub(r"\s+", " ", told)


def test_without_a_terminal_there_are_warnings_but_no_bars(monkeypatch):
    """A log file shows why nothing moves, on one line."""
    console = Console(file=io.StringIO(), width=60)
    monkeypatch.setattr(progress, "messages", console)

    with progress.rollout_progress() as bars:
        bars.bytes.read(15_400_000)
        trouble = FleetError("fleet depot: Could not connect to the endpoint: timeout")
        bars.watch(seen(Tally(running=2), Tally(running=2), trouble))

    assert console.file.getvalue() == "warning: fleet depot: Could not connect to the endpoint: timeout\n"

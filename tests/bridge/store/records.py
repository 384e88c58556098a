"""Rollouts and ledger entries to keep in stores, and ways behind a store's back."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import sqlalchemy as sa

from bridge.engine.progress import Order, OrderKind, Orders, Progress, State
from bridge.engine.record import Material, Parcel, Record
from bridge.ledger import Act, Entry, Fact
from bridge.planning.planned import Cohort, Facts, Plan, PlannedFleet, PlannedRelease, PlannedStage
from bridge.rollout.model import FleetPart, Rollout
from bridge.store.store import Store
from bridge.tally import Tally

ROOT = Path(__file__).parents[3]
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
MATERIAL = Material(Parcel(b"release.json", Path("/releases/2")), (b"root 2", b"root 3"))
BACK = Parcel(b"the one before", Path("/releases/1"))


def new_plan(name: str = "gates", devices: Iterable[str] = ("factory-1", "factory-2", "factory-3")) -> Plan:
    """Two stages over one fleet, the first of one device."""
    rollout = {"name": name, "release": "r", "fleets": ["factory"], "stages": [{"count": 1}, {"percent": 100}]}
    listed = tuple(devices)
    return Plan(
        rollout=msgspec.convert(rollout, Rollout),
        release=PlannedRelease("ab" * 32, "2.0.0"),
        fleets=(PlannedFleet(FleetPart("factory"), Facts("aws"), {"box": len(listed)}),),
        stages=(
            PlannedStage((Cohort("factory", listed[:1]),)),
            PlannedStage((Cohort("factory", listed[1:]),)),
        ),
        digest=name.encode().hex().ljust(64, "0"),
    )


def new_record(name: str = "gates") -> Record:
    """A planned rollout."""
    return Record(new_plan(name), MATERIAL, NOW, NOW, reason="recorded")


def new_entry(what: Act = Act.PLANNED, rollout: str = "gates") -> Entry:
    """An entry with evidence."""
    return Entry(NOW, rollout, "ada@desk", what, "because", (Fact("devices", 3), Fact("plan", "ab")))


def progress_of(state: State = State.RUNNING, *, closed: bool = False) -> Progress:
    """The first stage under way: its order was made, and its device has installed the release."""
    order = Order(OrderKind.STAGE, 1, NOW, 1, tally=Tally(installed=1), closing=closed, closed=closed)
    return Progress(state=state, begun=NOW, orders=(Orders(0, "factory", (order,)),), waiting="pending")


def edit(store: Store, *statements: sa.Executable) -> None:
    """Change rows as somebody with a console would."""
    with store._transactions.dialect.engine.begin() as connection:
        for statement in statements:
            connection.execute(statement)


def in_a_process(program: str, where: object) -> subprocess.CompletedProcess[str]:
    """Run `program` on the store at `where`, in a process of its own: `store`, `where` and some modules are there."""
    command = [sys.executable, "-c", HEADER + program, type(where).__name__, str(where)]
    return subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True, timeout=120)


def start_process(program: str, where: object) -> subprocess.Popen[str]:
    """The same, without waiting for its end; it can be talked to."""
    command = [sys.executable, "-c", HEADER + program, type(where).__name__, str(where)]
    return subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


HEADER = """
import os, resource, sys
from dataclasses import replace
from pathlib import Path
from bridge.store.store import Outdated, Store
from bridge.errors import RolloutBusy
where = sys.argv[2] if sys.argv[1] == "str" else Path(sys.argv[2])
"""

"""`otabridge rollout watch`: a view for people, a line for logs, a document for programs; it changes nothing."""

from __future__ import annotations

import io
import re
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest
from rich.console import Console

from bridge.cli import rollout_watch
from bridge.cli.watch_view import live_view
from bridge.config import read_config
from bridge.engine.progress import State
from bridge.engine.record import Material, Parcel, Record
from bridge.engine.status import describe
from bridge.ledger import GENESIS, Act, Entry, follow
from bridge.release.report import Outcome
from bridge.tally import Tally
from bridge.wiring import open_controller
from tests.bridge.cli.desk import ROLLOUT
from tests.bridge.fakes import Refuse
from tests.bridge.plans import DEPOT, FACTORY, NOW, new_plan, running

ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@pytest.fixture
def controller(desk, monkeypatch):
    """While somebody watches, each rest of theirs is a pass of another process."""

    def rest(_: float) -> None:
        open_controller(read_config()).step("gates")

    monkeypatch.setattr("bridge.cli.rollout_watch.time.sleep", rest)
    return desk


def test_a_log_gets_a_line_for_each_change(controller):
    """From where it stands to the end, none twice; exit code 0 once it is completed."""
    controller.apply("--no-wait")

    watched = controller.rollout("watch", "gates", "--interval", "0.1")

    lines = [line.partition("UTC  ")[2] for line in watched.out.splitlines()]
    assert watched.code == 0
    assert lines[-1].startswith("completed, stage 3 of 3: stage 3 ended: 20 of 20 devices installed")
    assert len(lines) == len(set(lines)) >= 4


def test_programs_get_a_document_for_each_change(controller):
    """One a line, each as `status` prints it; the end is the exit code of apply."""
    controller.factory.outcomes = dict.fromkeys(controller.factory.ids, Outcome.FELL_BACK)
    controller.apply("--no-wait")

    watched = controller.rollout("watch", "gates", "-o", "json")

    assert watched.code == 20
    assert [each["state"] for each in watched.lines][-1] == "stopped"
    assert {each["schema"] for each in watched.lines} == {2}
    told = [{**each, "updated": ""} for each in watched.lines]
    assert all(before != after for before, after in pairwise(told))


@pytest.mark.parametrize(("control", "code"), [("abort", 21), ("rollback", 30)])
def test_watching_what_has_ended_ends_with_its_code(desk, control, code):
    """At once, as often as one likes."""
    desk.write_release("previous", version="1.9.0", sequence=1)
    desk.write(f"{ROLLOUT}roll_back: {{release: previous}}\n")
    desk.apply("--no-wait")
    desk.rollout(control, "gates", "--reason", "heat wave")
    desk.apply()

    codes = [desk.rollout("watch", "gates").code for _ in range(2)]

    assert codes == [code, code]


def test_no_cloud_is_asked_and_nothing_is_changed(desk):
    """Any number of people may watch."""
    desk.apply()
    for fleet in desk.fleets.values():
        fleet.hook = Refuse(("",), retryable=False)
    before = desk.store.ledger_head(), desk.store.revision("gates")

    watched = desk.rollout("watch", "gates")

    assert (watched.code, watched.err) == (0, "")
    assert (desk.store.ledger_head(), desk.store.revision("gates")) == before


def test_ctrl_c_ends_the_watching_alone(desk, monkeypatch):
    """130; the rollout stays as it is."""
    desk.stall()
    desk.apply("--no-wait")

    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("bridge.cli.rollout_watch.time.sleep", interrupt)
    watched = desk.rollout("watch", "gates")

    assert watched.code == 130
    assert "running" in desk.rollout("list").out


def test_on_a_terminal_of_60_columns_the_view_is_whole(controller, monkeypatch):
    """Drawn until the end, with budget, fleets and the newest entries of the ledger."""
    terminal = Console(file=io.StringIO(), force_terminal=True, width=60, height=50)
    monkeypatch.setattr(rollout_watch, "results", terminal)
    controller.apply("--no-wait")

    watched = controller.rollout("watch", "gates")

    shown = ESCAPE.sub("", terminal.file.getvalue())
    assert watched.code == 0
    assert "budget" in shown
    assert "completed: stage 3 ended: 20 of 20" in re.sub(r"\s+", " ", shown)
    assert max(map(len, re.split(r"[\r\n]+", shown))) <= 60


def drawn(width: int, state: State = State.RUNNING, entries: int = 1, **changes) -> list[str]:
    """The lines of a view in the middle of its second stage."""
    plan = new_plan((2, 2), (8, 8), (10, 10), gates={"fallbacks": 2}, budget={"failures": 3}, **changes)
    done = Tally(installed=2, open=False)
    progress = running(plan, {FACTORY: done, DEPOT: done}, {FACTORY: Tally(3, 1, 3, 1), DEPOT: Tally(waiting=8)})
    progress = msgspec.structs.replace(progress, state=state, waiting="pending")
    reason = "stage 2: 4 of 16 devices ended, 3 installed, 11 have not taken the offer"
    record = Record(plan, Material(Parcel(b"", Path()), ()), NOW, NOW, progress, reason)
    entry = Entry(NOW, "gates", "controller", Act.ADVANCED, "stage 1 ended: 4 of 4 devices installed, 0 bad of 3")
    links = (follow(0, GENESIS, entry),) * entries
    console = Console(file=io.StringIO(), force_terminal=True, width=width, height=60)
    console.print(live_view(describe(record), links, NOW + timedelta(seconds=8), width))
    return [line.rstrip() for line in ESCAPE.sub("", console.file.getvalue()).splitlines()]


def test_the_view_shows_the_current_stage_in_full_and_the_others_in_a_line():
    """Bars for each fleet of the current one."""
    shown = drawn(100)

    assert shown[0] == "gates 2.0.0"
    assert "state   running, stage 2 of 3, waits: pending" in shown
    assert "seen    8 s ago, at 2026-03-01 12:00:00 UTC" in shown
    assert "stage 1  up to 33.3333 %: 4 of 4 installed" in shown
    assert "stage 3  up to 100 %: 20 devices, not begun" in shown
    factory = next(line for line in shown if line.startswith("  factory"))
    assert factory.endswith("3/8 installed, 1 running, 1 bad")
    assert "━" in factory
    assert any(line.startswith("budget") and line.endswith("1 of 3 spent") for line in shown)
    assert "gate fallbacks: 0 devices; the gate allows 2" in shown
    assert "12:00:00 advanced: stage 1 ended: 4 of 4 devices installed, 0 bad of 3" in shown


@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_the_view_fits_and_cuts_nothing(width):
    """Words wrap."""
    shown = drawn(width)

    assert max(map(len, shown)) <= width
    assert "…" not in "".join(shown)
    words = re.sub(r"\s+", " ", " ".join(shown))
    assert "11 have not taken the offer" in words
    assert "0 bad of 3" in words


def test_without_entries_there_is_no_heading_for_them():
    """A rollout that was only recorded."""
    assert "ledger" not in drawn(60, entries=0)

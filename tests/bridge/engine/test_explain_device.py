"""Explanations of one device: why it has not the release, and what would change that."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from bridge.engine.explain_device import explain_device, newest_order, place_of, stage_of
from bridge.engine.orders import add, turn_back, withdraw
from bridge.engine.progress import Order, OrderKind, Progress, State
from bridge.engine.record import Material, Parcel, Record
from bridge.fleet import DeviceReport
from bridge.planning.planned import Place, Plan
from bridge.release.bucket import bucket
from bridge.release.errors import FailureCode
from bridge.release.report import Outcome
from bridge.tally import Tally
from tests.bridge.plans import F1, FACTORY, NOW, changed, new_plan, running

PLAN = new_plan((4, 4), (8, 8))
FIRST, SECOND, LATER = "factory-s1-000", "factory-s1-003", "factory-s2-001"
HALF = {FACTORY: Tally(waiting=2, running=1, installed=1)}
FELL = DeviceReport(FIRST, Outcome.FELL_BACK, FailureCode.UNHEALTHY, "check 'display' failed")
BY_DELTA = replace(FELL, artifact="os-2.from-aa.delta", saved=3700)
IN_FULL = replace(FELL, artifact="os-2.full")


def record(progress: Progress, plan: Plan = PLAN, state: State = State.RUNNING) -> Record:
    """A rollout as the store holds it."""
    progress = msgspec.structs.replace(progress, state=state)
    return Record(plan, Material(Parcel(b"", Path()), ()), NOW, NOW, progress, "heat wave")


def told(seen: Record, device: str, *reports: DeviceReport):
    """The explanation in two parts: the state, and all else as one text."""
    found = explain_device(seen, FACTORY, device, reports)
    assert found.subject == f"gates: factory/{device}"
    return found.state, " / ".join((*found.because, "->", *found.moves))


def one_more(kind: OrderKind, *devices: str) -> Progress:
    """The first stage, and an order for these devices."""
    order = Order(kind, len(devices), NOW + timedelta(minutes=5), len(devices), devices)
    return add(running(PLAN, HALF), F1, order)


BEGUN = running(PLAN, HALF)
WHOLE = {FACTORY: Tally(installed=4, open=False)}
GROWN = {FACTORY: Tally(installed=4, waiting=1)}
CASES = [
    ("installed", record(running(PLAN, WHOLE)), FIRST, (), "installed", "all 4 devices of its order have the release"),
    ("installed before the end", record(withdraw(running(PLAN, WHOLE))), FIRST, (), "installed", "nothing: it has"),
    ("one more came", record(running(PLAN, GROWN)), FIRST, (), "was offered", "1 have not taken the offer"),
    ("never planned", record(BEGUN), "stranger", (), "not part of the rollout", "it joined later, or the file selects"),
    ("joined late", record(one_more(OrderKind.LATE, "x")), "x", (), "was offered", "of its 1 devices 0 have"),
    ("before all", record(Progress()), LATER, (), "not offered yet", "it is in stage 2, and no stage has begun"),
    ("a later stage", record(BEGUN), LATER, (), "not offered yet", "it is in stage 2, and the rollout is at stage 1"),
    (
        "ended before",
        record(withdraw(BEGUN), state=State.ABORTED),
        LATER,
        (),
        "never offered",
        "the rollout ended before: heat wave / -> / a new rollout",
    ),
    (
        "fell back",
        record(BEGUN),
        FIRST,
        (FELL,),
        "fell-back",
        "it ended fell-back with code 400 unhealthy / check 'display' failed / -> / a release that mends it",
    ),
    (
        "fell back after a delta",
        record(BEGUN),
        FIRST,
        (BY_DELTA,),
        "fell-back",
        "it took artifact os-2.from-aa.delta, which spared it 3700 bytes of the full one / ->",
    ),
    ("fell back after the full one", record(BEGUN), FIRST, (IN_FULL,), "fell-back", "it took artifact os-2.full / ->"),
    (
        "silent",
        record(BEGUN),
        FIRST,
        (DeviceReport(FIRST, None, None, ""),),
        "silent past its deadline",
        "it ended silent past its deadline / ->",
    ),
    (
        "to be tried again",
        record(BEGUN, new_plan((4, 4), (8, 8), retries={"trial": 1})),
        FIRST,
        (FELL,),
        "fell-back",
        "-> / another try, if what went wrong has any left (retries in the rollout file)",
    ),
    ("tried again", record(one_more(OrderKind.RETRY, FIRST)), FIRST, (), "was offered", "of its 1 devices 0 have"),
    ("somebody else failed", record(BEGUN), SECOND, (FELL,), "was offered", "of its 4 devices 1 have the release, 1"),
    (
        "withdrawn",
        record(withdraw(BEGUN), state=State.PAUSED),
        FIRST,
        (),
        "not offered now, unless it was installing",
        "offers are withdrawn: heat wave / -> / stage 1: `otabridge rollout explain gates`",
    ),
    (
        "withdrawn for good",
        record(withdraw(BEGUN), state=State.STOPPED),
        FIRST,
        (),
        "not offered now, unless it was installing",
        "-> / a new rollout, under another name",
    ),
    (
        "out of turn",
        record(changed(BEGUN, F1, admitted=2)),
        SECOND,
        (),
        "waits for its turn",
        "the pace has admitted 2 of 4 devices, and it is number 4 / -> / time",
    ),
    ("in turn", record(changed(BEGUN, F1, admitted=2)), FIRST, (), "was offered", "have not taken the offer"),
    (
        "going back",
        record(turn_back(PLAN, BEGUN, NOW), state=State.ROLLING_BACK),
        FIRST,
        (),
        "goes back",
        "stage 1 is sent back to 1.9.0",
    ),
    (
        "went back badly",
        record(turn_back(PLAN, BEGUN, NOW), state=State.ROLLING_BACK),
        FIRST,
        (FELL,),
        "fell-back",
        "check 'display' failed",
    ),
]


@pytest.mark.parametrize(
    ("seen", "device", "reports", "state", "words"), [case[1:] for case in CASES], ids=[c[0] for c in CASES]
)
def test_a_device_is_told_where_it_stands_and_what_would_move_it(seen, device, reports, state, words):
    """Each way in which a device may lack the release."""
    found, text = told(seen, device, *reports)

    assert found.startswith(state)
    assert words in text


def test_in_a_fleet_by_bucket_the_stage_is_found_by_the_bucket():
    """No cloud is asked for that."""
    plan = new_plan((10, 10), (10, 10), by_bucket=True)
    names = [f"device-{number}" for number in range(200)]
    inside = [next(name for name in names if stage * 1000 <= bucket(name) < (stage + 1) * 1000) for stage in (0, 1)]
    outside = next(name for name in names if bucket(name) >= 2000)

    assert [stage_of(plan, FACTORY, name) for name in (*inside, outside)] == [0, 1, None]
    paced = changed(running(plan, {}), F1, admitted=1)
    state, words = told(record(paced, plan), inside[0])
    assert state == "waits for its turn"
    assert "the pace has admitted 1 of 10 devices, in order of position; its own is " in words


def test_the_newest_order_is_the_one_that_counts():
    """Only its reports say how the device stands now."""
    seen = record(one_more(OrderKind.RETRY, FIRST))

    assert place_of(seen, FACTORY, FIRST) == F1
    assert newest_order(seen, F1, FIRST)[0] == 1
    assert newest_order(seen, F1, SECOND)[0] == 0
    assert newest_order(seen, Place(1, FACTORY), LATER) is None

"""What deltas saved, as `rollout status` and `rollout watch` show it."""

from __future__ import annotations

import json
import random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.cli.rollout_view import describe_status
from bridge.cli.sizes import in_bytes
from bridge.engine.progress import FleetSavings, Saved
from bridge.engine.status import describe
from bridge.release.savings import most_saved
from bridge.tally import Tally
from tests.bridge.cli.desk import NEXT_YEAR
from tests.bridge.engine.test_explain import record
from tests.bridge.plans import FACTORY, new_plan, running

PLAN = new_plan((2, 2))
AWAY = FleetSavings("depot", problem="fleet depot: throttled")


def lines(*fleets: FleetSavings) -> list[str]:
    """What is shown between the gates and the stages."""
    progress = running(PLAN, {FACTORY: Tally(installed=2)})
    shown = describe_status(describe(record(PLAN, msgspec.structs.replace(progress, saved=Saved(fleets)))))
    found = shown.splitlines()
    return found[found.index("budget   0 of 0 spent") + 1 : found.index("stage 1  up to 100 %: 4 devices")]


@pytest.mark.parametrize(
    ("fleets", "shown"),
    [
        (
            (FleetSavings("factory", 30, 1_000_000_000), FleetSavings("depot", 10, 200_000_000)),
            [
                "saved    1.2 GB that 40 devices did not download, by deltas",
                "  factory: 1.0 GB, 30 devices",
                "  depot: 200.0 MB, 10 devices",
            ],
        ),
        ((FleetSavings("factory", 1, 999),), ["saved    999 bytes that 1 device did not download, by deltas"]),
        ((FleetSavings("factory"),), ["saved    nothing: no device has said that it took a delta"]),
        (
            (FleetSavings("factory", 1, 1500), AWAY),
            [
                "saved    at least 1.5 kB that 1 device did not download, by deltas",
                "  factory: 1.5 kB, 1 device",
                "  depot: cannot tell: fleet depot: throttled",
            ],
        ),
        (
            (FleetSavings("factory"), AWAY),
            [
                "saved    nothing that is known",
                "  factory: 0 bytes, 0 devices",
                "  depot: cannot tell: fleet depot: throttled",
            ],
        ),
        (
            (AWAY,),
            [
                "saved    unknown: no fleet can tell what deltas saved",
                "  depot: cannot tell: fleet depot: throttled",
            ],
        ),
    ],
)
def test_what_was_saved_is_shown(fleets, shown):
    """The total, and each fleet where there are several, or one cannot tell."""
    assert lines(*fleets) == shown


def test_where_nothing_can_be_saved_nothing_is_said():
    """A release without deltas has no line of it."""
    assert "saved" not in describe_status(describe(record(PLAN, running(PLAN, {FACTORY: Tally(installed=2)}))))


def write_release(desk) -> None:
    """The desk's release, with a delta that is shorter than the full artifact."""
    alike = random.Random(1).randbytes(30_000)
    package = desk.kit.package(alike + b"new", sources=[alike + b"old"], expires=NEXT_YEAR)
    assert most_saved(package.release) > 0
    (desk.folder / "release/release.json").write_bytes(package.document)
    for name, data in package.files.items():
        (desk.folder / "release" / name).write_bytes(data)


def test_apply_and_status_show_it(desk):
    """At the end of a rollout, for people and for programs; and from the store alone while it is watched."""
    write_release(desk)
    desk.factory.savings = {"factory-003": 4500, "factory-004": 4500}

    applied = desk.apply()
    shown = desk.rollout("status", "gates", "-o", "json").json
    watched = desk.rollout("watch", "gates", "-o", "json")

    assert applied.code == 0
    assert "saved    9.0 kB that 2 devices did not download, by deltas\n  factory: 9.0 kB, 2 devices\n" in applied.out
    assert shown["savings"] == {
        "devices": 2,
        "saved": 9000,
        "fleets": [
            {"fleet": "factory", "devices": 2, "saved": 9000, "problem": ""},
            {"fleet": "depot", "devices": 0, "saved": 0, "problem": ""},
        ],
    }
    assert json.loads(watched.out.splitlines()[-1])["savings"] == shown["savings"]


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (999, "999 bytes"),
        (1000, "1.0 kB"),
        (999_949, "999.9 kB"),
        (999_950, "1.0 MB"),
        (1_234_567_890, "1.2 GB"),
        (10**19, "10000.0 PB"),
    ],
)
def test_bytes_in_words(count, words):
    """In the units in which data is billed."""
    assert in_bytes(count) == words


@given(st.integers(1000, 10**17))
def test_at_most_four_digits(count):
    """So that lines stay short, and amounts can be compared at a glance."""
    number, _ = in_bytes(count).split()

    assert 1 <= float(number) < 1000

"""What a pass should find out beside the tallies: as little as decides."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from bridge.engine.orders import reopen, withdraw
from bridge.engine.progress import State
from bridge.engine.sight import REST, wants_figures, wants_joined, wants_reports
from bridge.tally import Tally
from tests.bridge.plans import F1, FACTORY, MINUTE, NOW, new_plan, report, running

FAILED = {FACTORY: Tally(failed=1, waiting=3)}
GATE = {"gates": {"watchdog_resets": 0}}


@pytest.mark.parametrize(
    ("rules", "tallies", "expected"),
    [
        ({}, FAILED, False),
        ({"retries": {"delay": "1m"}}, FAILED, False),
        ({"retries": {"silent": 1}}, FAILED, True),
        ({"gates": {"fallbacks": 0}}, FAILED, True),
        ({"gates": {"fallbacks": 0}}, {FACTORY: Tally(installed=4)}, False),
    ],
)
def test_reports_are_read_where_they_matter_and_there_are_any(rules, tallies, expected):
    """The cloud pages them, so they are slow."""
    plan = new_plan((4, 0), **rules)

    assert wants_reports(plan, running(plan, tallies)) is expected


def test_reports_are_read_where_devices_failed_before_a_pause_and_after_it():
    """They may be the same ones."""
    plan = new_plan((4, 0))
    again = reopen(plan, withdraw(running(plan, FAILED)), NOW)

    assert not wants_reports(plan, again)
    assert wants_reports(plan, report(again, F1, Tally(failed=1, waiting=3)))


def looked(installed: int, before: int, minutes: float, **changes):
    """Whether figures are wanted with so many installed, when so many were at the last look, so long ago."""
    plan = new_plan((100, 0), **{**GATE, **changes.pop("rules", {})})
    progress = running(plan, {FACTORY: Tally(installed=installed, waiting=100 - installed)})
    seen = msgspec.structs.replace(progress, looked=NOW, looked_installed=before, **changes)
    return wants_figures(plan, seen, NOW + timedelta(minutes=minutes))


def test_figures_are_read_when_much_has_changed_or_long_has_passed():
    """A quarter more devices, or a quarter of an hour."""
    assert looked(50, 40, 1)
    assert not looked(49, 40, 1)
    assert not looked(40, 40, 14)
    assert looked(40, 40, 15)
    assert timedelta(minutes=15) == REST


def test_figures_are_read_once_more_when_the_stage_has_ended():
    """The last devices may be the ill ones: without a soak nobody would look again."""
    assert looked(100, 90, 1)
    assert not looked(100, 100, 1)
    assert not looked(100, 90, 1, proven=NOW)


def test_figures_are_read_at_the_end_of_the_soak():
    """What it was for."""
    soak = {"stages": [{"percent": 100, "soak": "5m"}]}

    assert not looked(100, 100, 4, proven=NOW, rules=soak)
    assert looked(100, 100, 5, proven=NOW, rules=soak)


def test_figures_are_not_read_without_a_gate_a_device_or_a_running_rollout():
    """Each look costs calls."""
    plan = new_plan((4, 0), **GATE)
    installed = running(plan, {FACTORY: Tally(installed=1, waiting=3)})

    assert wants_figures(plan, installed, NOW)
    assert not wants_figures(new_plan((4, 0)), installed, NOW)
    assert not wants_figures(plan, running(plan, {FACTORY: Tally(running=4)}), NOW)
    assert not wants_figures(plan, msgspec.structs.replace(installed, state=State.PAUSED), NOW)


INCLUDE = {"late_joiners": "include"}


@pytest.mark.parametrize(
    ("rules", "stages", "changes", "expected"),
    [
        (INCLUDE, 2, {}, True),
        ({}, 2, {}, False),
        (INCLUDE, 1, {}, False),
        (INCLUDE, 2, {"state": State.ROLLING_BACK}, False),
        (INCLUDE | {"stages": [{"percent": 50}, {"percent": 100, "soak": "5m"}]}, 2, {}, False),
        (INCLUDE | {"stages": [{"percent": 50}, {"percent": 100, "soak": "5m"}]}, 2, {"proven": NOW}, True),
        (INCLUDE | {"stages": [{"percent": 50}, {"percent": 100, "soak": "9m"}]}, 2, {"proven": NOW}, False),
        (INCLUDE | {"stages": [{"percent": 50}, {"percent": 100, "soak": "9m"}]}, 2, {"promoted": 1}, True),
    ],
)
def test_fleets_are_listed_for_joiners_when_all_else_is_done(rules, stages, changes, expected):
    """Once the last stage has ended and soaked, or was promoted."""
    plan = new_plan((2, 0), (2, 0), **rules)
    progress = running(plan, *[{FACTORY: Tally(installed=2)}] * stages)

    assert wants_joined(plan, msgspec.structs.replace(progress, **changes), NOW + 5 * MINUTE) is expected


def test_fleets_are_not_listed_while_the_last_stage_runs():
    """Whoever joins until then is found once."""
    plan = new_plan((2, 0), **INCLUDE)

    assert not wants_joined(plan, running(plan, {FACTORY: Tally(installed=1, running=1)}), NOW)

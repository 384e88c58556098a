"""From what the hub counted to the tally that the controller decides by."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.azure.fleet.standings import bad_report, counts, deadline, late_report, tally
from adapters.azure.wire import Standing, Word, reported_progress, reported_standing
from bridge.fleet import DeviceReport
from bridge.release.errors import FailureCode
from bridge.release.report import Outcome, Phase, Progress, Report
from bridge.tally import Tally

STAGE = "otabridge-spring-1-0123456789abcdef"


def rows(*pairs):
    """Rows of the hub: how devices stand, and how many."""
    return [{"standing": standing, "devices": number} for standing, number in pairs]


COUNTED = [
    ([], 0, False, Tally()),
    ([(None, 3)], 3, False, Tally(waiting=3)),
    ([(None, 3)], 3, True, Tally(withdrawn=3, open=False, cancelled=True)),
    ([(None, 1), (f"{STAGE}/running", 1)], 3, False, Tally(waiting=1, running=1, withdrawn=1)),
    ([(f"{STAGE}/installed", 2), ("otabridge-old/failed", 1)], 3, False, Tally(waiting=1, installed=2)),
    ([(f"{STAGE}/installed", 3)], 3, False, Tally(installed=3)),
    ([(f"{STAGE}/failed", 1), (f"{STAGE}/fell-back", 1)], 2, False, Tally(failed=2)),
    ([(f"{STAGE}/rejected", 1), (f"{STAGE}/withdrawn", 1)], 2, False, Tally(rejected=1, withdrawn=1)),
    ([(f"{STAGE}/dancing", 1), (7, 1), (f"{STAGE}/running", 1)], 3, False, Tally(waiting=2, running=1)),
    ([(f"{STAGE}/running", 1)], 2, True, Tally(running=1, withdrawn=1, open=False, cancelled=True)),
    ([(None, 4)], 3, False, Tally(waiting=4)),
]


@pytest.mark.parametrize(("found", "size", "over", "expected"), COUNTED)
def test_rows_become_a_tally(found, size, over, expected):
    """Who said nothing of this stage has not begun; who left the hub is withdrawn. Until it is over, it is open."""
    assert tally(counts(STAGE, rows(*found)), size, 0, over=over) == expected


ADMITTED = [
    ([(None, 2)], 5, 2, False, Tally(waiting=5)),
    ([(f"{STAGE}/installed", 2)], 5, 2, False, Tally(waiting=3, installed=2)),
    ([(f"{STAGE}/installed", 1)], 5, 2, False, Tally(waiting=3, installed=1, withdrawn=1)),
    ([(None, 3)], 5, 2, False, Tally(waiting=5)),
    ([(None, 1)], 5, 2, True, Tally(withdrawn=5, open=False, cancelled=True)),
    ([], 5, 0, False, Tally(waiting=5)),
    ([(f"{STAGE}/running", 6)], 5, 2, False, Tally(running=6)),
]


@pytest.mark.parametrize(("found", "size", "joined", "over", "expected"), ADMITTED)
def test_devices_that_have_not_joined_wait(found, size, joined, over, expected):
    """Those that had joined and are gone left the hub; who joins just now is no stranger."""
    assert tally(counts(STAGE, rows(*found)), size, 0, over=over, joined=joined) == expected


def test_a_late_device_is_timed_out_and_no_longer_running():
    """The hub's clock decides; more late than running cannot be."""
    seen = counts(STAGE, rows((f"{STAGE}/running", 3)))

    assert tally(seen, 3, 2, over=False) == Tally(running=1, timed_out=2)
    assert tally(seen, 3, 9, over=False) == Tally(timed_out=3)


STANDINGS = st.one_of(st.none(), st.sampled_from([f"{STAGE}/{word}" for word in Word]), st.text(max_size=20))


@given(st.dictionaries(STANDINGS, st.integers(0, 1000), max_size=12), st.integers(0, 500), st.booleans())
def test_a_tally_adds_up(found, late, over):
    """To the order's devices, whatever the devices say."""
    seen = counts(STAGE, rows(*found.items()))
    size = seen.total + 3

    made = tally(seen, size, late, over=over)

    assert made.waiting + made.running + made.ended == size
    assert made.open is not over


def test_devices_that_moved_on_are_counted_as_they_ended():
    """By the word that their tag keeps; whatever else it says counts as too slow, for whoever is there has ended."""
    moved = [{"word": "failed", "devices": 2}, {"word": "timed-out", "devices": 1}, {"word": "running", "devices": 1}]
    seen = counts(STAGE, [{"standing": f"{STAGE}/failed", "devices": 1}, {"devices": 3}], moved)

    assert (seen.running, seen.unbegun, seen.total) == (0, 3, 8)
    assert tally(seen, 8, 0, over=False) == Tally(waiting=3, failed=3, timed_out=2)


def test_rows_without_a_number_count_nobody():
    """Whatever the hub sends."""
    assert counts(STAGE, [{"standing": None}, {"devices": "7"}]).total == 0


def twin_part(standing: Standing, said: Progress | Report):
    """Our component as the hub keeps it: a null removed its member."""
    report = said if isinstance(said, Report) else None
    component = dict(reported_standing(standing, report)["otabridge"])
    if report is None:
        component |= reported_progress(said)["otabridge"]
    return {**component, "said": {name: value for name, value in component["said"].items() if value is not None}}


def row(standing: str | None, said=None, device="gate-1"):
    """A row of the hub about one device."""
    component = {"standing": standing, "said": said or {}}
    return {"deviceId": device, "otabridge": component}


def test_a_device_is_quoted():
    """What it reported comes back word for word."""
    report = Report(Outcome.FELL_BACK, "a", "1.0.0", FailureCode.UNHEALTHY, "no network")
    told = twin_part(Standing(STAGE, Word.FELL_BACK), report)

    assert bad_report(STAGE, {"deviceId": "gate-1", "otabridge": told}) == DeviceReport(
        "gate-1", Outcome.FELL_BACK, FailureCode.UNHEALTHY, "no network", "a"
    )


BARE = [
    (f"{STAGE}/failed", {}, DeviceReport("gate-1", Outcome.FAILED, None, "the device reported failed and not why")),
    (
        f"{STAGE}/rejected",
        {"outcome": "installed", "slot": "a"},
        DeviceReport("gate-1", Outcome.REJECTED, None, "the device reported rejected and not why"),
    ),
    (f"{STAGE}/installed", {}, None),
    ("otabridge-old/failed", {}, None),
    (None, {}, None),
]


@pytest.mark.parametrize(("standing", "said", "expected"), BARE)
def test_the_standing_stands_where_nothing_was_said(standing, said, expected):
    """A device that has moved on between two questions is left out."""
    assert bad_report(STAGE, row(standing, said)) == expected


def test_a_late_device_tells_where_it_was():
    """With its last sign of life, if there was one."""
    told = twin_part(Standing(STAGE, Word.RUNNING), Progress(Phase.DOWNLOADING, 40))

    assert late_report({"deviceId": "gate-1", "otabridge": told}, 30).detail == (
        "not ended 30 minutes after it began while downloading (40 %)"
    )
    assert late_report(row(None), 30) == DeviceReport("gate-1", None, None, "not ended 30 minutes after it began")


def test_the_deadline_is_told_as_the_hub_tells_time():
    """So that texts compare as times do."""
    assert deadline(1_772_366_400.0, 30) == "2026-03-01T11:30:00.000000Z"

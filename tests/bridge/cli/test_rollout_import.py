"""`otabridge rollout import`: a job that was made without otabridge is seen, explained and ended, and no more."""

from __future__ import annotations

import pytest

from bridge.fleet import StageOrder
from bridge.release.report import Outcome
from tests.bridge.cli.desk import ROLLOUT
from tests.bridge.fakes import FakeOrder, Refuse

IMPORT = ("import", "old-job", "--fleet", "depot", "--job", "job-7")


@pytest.fixture
def foreign(desk):
    """Somebody's job for five devices of the depot."""
    order = StageOrder("job-7", b"theirs", (), tuple(desk.depot.ids[:5]), 60)
    desk.depot.foreign = {"job-7": FakeOrder(order, list(desk.depot.ids[:5]))}
    desk.depot.eager = False
    return desk


def once(desk):
    """One round of a controller, after the devices moved a step."""
    desk.depot.tick()
    return desk.otabridge("controller", "once")


def test_a_job_is_watched_to_its_end(foreign):
    """Its devices are counted; nothing of it is started or stopped."""
    imported = foreign.rollout(*IMPORT)
    rounds = [once(foreign).code for _ in range(3)]
    status = foreign.rollout("status", "old-job", "-o", "json").json

    assert imported.code == 0
    assert "release  1.2.3" in imported.out
    assert "because  job-7 of fleet depot was made without otabridge, and is watched from now on" in imported.out
    assert "stage 1  up to 100 %: 5 devices" in imported.out
    assert rounds == [0, 0, 0]
    assert (status["state"], status["stages"][0]["fleets"][0]["counts"]["installed"]) == ("completed", 5)
    assert foreign.depot.orders == {}
    assert not foreign.depot.foreign["job-7"].stopped
    assert foreign.store.unfinished() == ()


def test_an_import_twice_is_once(foreign):
    """One entry in the ledger, with who did it."""
    ended = [foreign.rollout(*IMPORT) for _ in range(2)]
    history = foreign.rollout("history", "old-job", "-o", "json").json["entries"]

    assert [each.code for each in ended] == [0, 0]
    assert [each.err for each in ended] == ["", "otabridge: nothing to do, rollout old-job watches job-7 already\n"]
    assert [each["entry"]["what"] for each in history] == ["adopted"]
    assert "@" in history[0]["entry"]["actor"]


def test_failures_stop_it_only_where_it_was_asked(foreign):
    """By default somebody else's job is left alone, however it goes."""
    foreign.depot.outcomes = dict.fromkeys(foreign.depot.ids, Outcome.FAILED)
    foreign.depot.silent = frozenset(foreign.depot.ids[3:])
    foreign.rollout(*IMPORT)
    foreign.rollout("import", "watched", *IMPORT[2:], "--failures", "1")
    for _ in range(3):
        once(foreign)

    states = {each["name"]: each["state"] for each in foreign.rollout("list", "-o", "json").json["rollouts"]}
    assert states == {"old-job": "running", "watched": "stopped"}
    assert foreign.depot.foreign["job-7"].stopped


def test_an_abort_withdraws_its_offers(foreign):
    """In the cloud, under its own name."""
    foreign.rollout(*IMPORT)

    aborted = foreign.rollout("abort", "old-job", "--reason", "wrong image")

    assert aborted.code == 0
    assert foreign.depot.foreign["job-7"].stopped


def test_what_cannot_be_made_again_is_neither_paused_nor_resumed(foreign):
    """A pause would be an abort that does not say so."""
    foreign.rollout(*IMPORT)

    paused = foreign.rollout("pause", "old-job", "--reason", "x")

    assert paused.code == 2
    assert (
        "rollout old-job cannot be paused: job-7 was made without otabridge, which could withdraw its offers but not "
        "make them again; abort it to withdraw them for good"
    ) in paused.err
    assert not foreign.depot.foreign["job-7"].stopped


def test_it_is_explained_like_any_other(foreign):
    """The rollout, and a device of it."""
    foreign.rollout(*IMPORT)
    once(foreign)

    explained = foreign.rollout("explain", "old-job")
    device = foreign.rollout("explain", "old-job", "--device", f"depot/{foreign.depot.ids[0]}")

    assert (explained.code, device.code) == (0, 0)
    assert "depot: 0 of 5 devices ended, 5 are installing" in explained.out
    assert "of its 5 devices 0 have the release, 5 are installing" in device.out
    assert "rollout apply" not in explained.out


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("old-job", "--fleet", "depot", "--job", "job-8"), 1, "fleet depot: there is no job job-8"),
        (("old-job", "--fleet", "cellar", "--job", "job-7"), 2, "fleets.cellar is missing"),
        (("Old job", "--fleet", "depot", "--job", "job-7"), 2, "'Old job' cannot name a rollout"),
        (("gates", "--fleet", "depot", "--job", "job-7"), 2, "rollout gates is running and is not job-7: import it"),
    ],
)
def test_what_cannot_be_adopted_is_refused(foreign, words, code, message):
    """Nothing is recorded."""
    foreign.write(ROLLOUT)
    foreign.apply("--no-wait")

    refused = foreign.rollout("import", *words)

    assert refused.code == code
    assert message in refused.err
    assert [each["name"] for each in foreign.rollout("list", "-o", "json").json["rollouts"]] == ["gates"]


def test_it_does_not_pause_for_a_fleet_that_is_away(foreign):
    """Which would cancel somebody's job for a broken network."""
    foreign.rollout(*IMPORT)
    foreign.depot.hook = Refuse(("tally",))

    held = foreign.otabridge("controller", "once")

    assert held.code == 0
    assert "old-job  running (unknown)" in held.out


def test_without_a_limit_no_number_is_made_up(foreign):
    """Nothing stops it, so that there is no budget to spend; with --failures there is."""
    free = foreign.rollout(*IMPORT)
    bound = foreign.rollout("import", "same-job", "--fleet", "depot", "--job", "job-7", "--failures", "2")

    assert "budget   0 spent, of any number\n" in free.out
    assert "budget   0 of 2 spent\n" in bound.out

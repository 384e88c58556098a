"""`otabridge rollout status|list|history|explain`: what they show, of whom they ask, and what they refuse."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from bridge.release.report import Outcome
from tests.bridge.cli.desk import APPROVALS, ROLLOUT
from tests.bridge.fakes import Refuse

SOAKING = ROLLOUT.replace("percent: 10\n", "percent: 10\n    soak: 2d\n")


def test_status_asks_the_fleets_and_falls_back_to_what_is_known(desk):
    """A fleet that is away is shown with its last tally and the problem."""
    desk.apply()
    desk.depot.hook = Refuse(("tally",))

    shown = desk.rollout("status", "gates")

    assert shown.code == 0
    assert "  depot: 10 installed\n" in shown.out
    assert "  factory: 10 installed\n" in shown.out


def test_status_says_which_figures_are_not_from_now(desk):
    """While a stage is under way its tallies may change."""
    desk.stall()
    desk.passes(2)
    desk.depot.hook = Refuse(("tally",))

    shown = desk.rollout("status", "gates")

    assert "  depot: 2 waiting [not from now: fleet depot: throttled]\n" in shown.out


def test_explain_says_which_facts_are_not_from_now(desk):
    """A fleet that cannot be asked is a reason of its own, beside what was known of it."""
    desk.stall()
    desk.passes(2)
    desk.depot.hook = Refuse(("tally",))

    shown = desk.rollout("explain", "gates")

    assert shown.code == 0
    assert "  - not from now: fleet depot: throttled\n" in shown.out


def test_status_shows_reports_that_the_cloud_does_not_give(desk):
    """As one line in place of the devices."""
    desk.factory.outcomes = dict.fromkeys(desk.factory.ids, Outcome.FAILED)
    desk.apply()
    desk.factory.hook = Refuse(("reports",))

    shown = desk.rollout("status", "gates")

    assert "factory/? stage 1: unknown; reports could not be read: fleet factory: throttled" in shown.out


def test_status_shows_gates_and_the_budget_of_silence(desk):
    """As far as they were read."""
    desk.write(
        f"{SOAKING}budget: {{failures: 2, silent: 3}}\ngates:\n  failure_rate: {{limit: 5}}\n  watchdog_resets: 0\n"
        "  health: [{name: hot, queries: {depot: hot}, limit: 50}]\n"
    )
    desk.depot.conditions = {"hot": frozenset()}
    desk.passes(4)

    shown = desk.rollout("status", "gates").out

    assert "budget   0 of 2 spent; 0 of 3 silent\n" in shown
    assert "gate     failure-rate: 0 of 4 ended devices bad" in shown
    assert "gate     watchdog-resets: 0 devices; the gate allows 0\n" in shown
    assert "gate     health hot: read 1 times, last at " in shown


def test_an_unknown_rollout_is_refused(desk):
    """By every command that takes a name."""
    commands = [("status",), ("history",), ("explain",), ("watch",)]
    commands += [(control, "--reason", "x") for control in ("pause", "resume", "rollback", "abort")]
    for command, *options in commands:
        ended = desk.rollout(command, "gate", *options)

        assert ended.code == 2
        assert "no rollout is named gate; `otabridge rollout list` shows those there are" in ended.err


def test_the_list_says_what_each_waits_for(desk):
    """The newest change first; no cloud is asked."""
    desk.stall()
    desk.apply("--no-wait")
    for fleet in desk.fleets.values():
        fleet.hook = Refuse(("",))

    text, document = desk.rollout("list"), desk.rollout("list", "-o", "json").json

    assert text.out.startswith("gates  2.0.0  running (pending)  stage 1 of 3  ")
    assert (document["schema"], document["rollouts"][0]["waiting"]) == (2, "pending")


def test_history_proves_itself(desk):
    """Each act with its evidence, the head of the chain, and 24 when somebody edited it."""
    desk.apply()

    good = desk.rollout("history", "gates")
    document = desk.rollout("history", "gates", "-o", "json").json
    with closing(sqlite3.connect(desk.folder / "otabridge.db")) as connection:
        connection.execute("UPDATE ledger SET entry = CAST(replace(entry, 'installed', 'polished') AS BLOB)")
        connection.commit()
    edited = desk.rollout("history", "gates")

    assert good.code == 0
    assert "completed: stage 3 ended: 20 of 20 devices installed" in good.out
    assert good.out.endswith(f"head     {document['head']}\n")
    assert document["entries"][-1]["digest"] == document["head"]
    assert edited.code == 24
    assert "was edited after it was written" in edited.err
    assert "head     none: the ledger does not hold" in edited.out


def test_explain_says_what_holds_the_rollout_and_what_would_move_it(desk):
    """With the newest figures, which the store does not have yet."""
    desk.stall()
    desk.apply("--no-wait")

    text = desk.rollout("explain", "gates")
    document = desk.rollout("explain", "gates", "-o", "json").json

    assert text.code == 0
    assert text.out.splitlines()[:2] == ["gates", "  running, stage 1 of 3, waits: pending"]
    assert "  - fleet depot: 0 of 2 devices ended, 2 have not taken the offer\n" in text.out
    assert (
        "  - a person: `otabridge rollout promote gates --stage 1 --reason WHY` goes on without the others\n"
        in text.out
    )
    assert (document["schema"], document["subject"]) == (1, "gates")


def test_explain_names_who_may_sign(desk):
    """The words of the approvals."""
    desk.approvers()
    desk.write(ROLLOUT + APPROVALS)
    desk.apply("--no-wait")
    desk.rollout("reject", "gates", "--key", "ben.pem", "--comment", "Not today")

    explained = desk.rollout("explain", "gates").out

    assert "was rejected by ben" in explained
    assert "  - an approver (ann, ben, eva): `otabridge rollout approve gates --key KEY`\n" in explained


def test_explain_a_device(desk):
    """One that failed, with code and detail; one whose stage has not begun; one of nobody's."""
    desk.factory.outcomes = dict.fromkeys(desk.factory.ids, Outcome.FELL_BACK)
    desk.apply()
    failed = next(iter(next(iter(desk.factory.orders.values())).ended))
    never = next(device for device in desk.factory.ids if device not in desk.factory.offered)

    explained = {
        device: desk.rollout("explain", "gates", "--device", f"factory/{device}").out
        for device in (failed, never, "nobody")
    }

    assert "  fell-back\nbecause\n  - it ended fell-back with code 400 unhealthy\n" in explained[failed]
    assert f"  - {failed} says so\n" in explained[failed]
    assert "  never offered\n" in explained[never]
    assert "  not part of the rollout\n" in explained["nobody"]


@pytest.mark.parametrize("device", ["depot", "depot/", "cellar/device-1"])
def test_a_device_is_named_with_its_fleet(desk, device):
    """Fleets may have devices of one name."""
    desk.apply("--no-wait")

    refused = desk.rollout("explain", "gates", "--device", device)

    assert refused.code == 2
    assert f"--device {device}: write FLEET/ID; fleets of rollout gates: factory, depot" in refused.err


def test_a_device_whose_fleet_is_away_is_an_error(desk):
    """Nothing is made up about it."""
    desk.factory.outcomes = dict.fromkeys(desk.factory.ids, Outcome.FELL_BACK)
    desk.apply()
    desk.factory.hook = Refuse(("reports",))

    refused = desk.rollout("explain", "gates", "--device", f"factory/{desk.factory.offered[0]}")

    assert (refused.code, refused.err) == (1, "otabridge: fleet factory: throttled\n")

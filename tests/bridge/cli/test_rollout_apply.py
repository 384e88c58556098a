"""`otabridge rollout apply`, as a person or a pipeline calls it: output, messages, exit codes."""

from __future__ import annotations

import io
from datetime import UTC, datetime

import pytest
from rich.console import Console

from bridge.release.report import Outcome
from bridge.store.store import Store
from tests.bridge.cli.desk import NEXT_YEAR, ROLLOUT, WAY_BACK
from tests.bridge.fakes import Refuse


def bad(fleet) -> None:
    """Every device of the fleet falls back."""
    fleet.outcomes = dict.fromkeys(fleet.ids, Outcome.FELL_BACK)


def test_apply_runs_to_the_end(desk):
    """Exit code 0, the status on stdout, nothing on stderr where that is no terminal; again is once."""
    applied = desk.apply()

    assert (applied.code, applied.err) == (0, "")
    assert "state    completed, stage 3 of 3" in applied.out
    assert "  factory: 10 installed" in applied.out
    assert "budget   0 of 0 spent" in applied.out
    assert all(sorted(fleet.offered) == sorted(fleet.ids) for fleet in desk.fleets.values())
    assert desk.apply().code == 0


def test_a_bad_release_ends_with_20_and_names_the_devices(desk):
    """The failed devices with code and detail on stdout, one sentence on stderr; the other devices were spared."""
    bad(desk.factory)

    applied = desk.apply()
    again = desk.apply("-o", "json")

    assert (applied.code, again.code) == (20, 20)
    assert "state    stopped, stage 1 of 3" in applied.out
    assert "fell-back; 400 unhealthy; factory-0" in applied.out
    assert applied.err.startswith("otabridge: rollout gates is stopped: ")
    assert (
        "the budget allows 0 up to stage 1. Fix the release, then start it as a rollout of another name" in applied.err
    )
    assert (again.json["schema"], again.json["state"], again.json["breach"]["gate"]) == (2, "stopped", "budget")
    assert again.json["failures"][0]["code"] == "400 unhealthy"
    assert [len(fleet.offered) for fleet in desk.fleets.values()] == [2, 2]


def test_another_gate_ends_with_26(desk):
    """Also where the budget would have allowed it."""
    bad(desk.factory)
    desk.write(f"{ROLLOUT}budget: {{failures: 40}}\ngates: {{fallbacks: 1}}\n")

    applied = desk.apply()

    assert applied.code == 26
    assert "2 devices fell back; the gate allows 1" in applied.err
    assert "gate     fallbacks: 2 devices; the gate allows 1" in applied.out


def test_a_breach_may_pause_and_ends_with_27(desk):
    """It waits for a person; applied again, it still does."""
    bad(desk.factory)
    desk.write(f"{ROLLOUT}on_breach: pause\n")

    codes = [desk.apply().code for _ in range(2)]

    assert codes == [27, 27]
    assert "paused (resume), stage 1 of 3" in desk.rollout("status", "gates").out


def test_a_breach_may_roll_back_and_ends_with_30(desk):
    """Every device that was offered the release is sent back."""
    desk.factory.outcomes = dict.fromkeys(desk.factory.ids, (Outcome.FELL_BACK, Outcome.INSTALLED))
    desk.write_release("previous", version="1.9.0", sequence=1)
    desk.write(f"{ROLLOUT}{WAY_BACK}on_breach: roll-back\n")

    applied = desk.apply("--timeout", "60")

    assert applied.code == 30
    assert "state    rolled-back, stage 1 of 3" in applied.out
    assert "  factory: 2 bad; back: 2 installed\n" in applied.out
    assert "  depot: 2 installed; back: 2 installed\n" in applied.out


@pytest.mark.parametrize(
    ("changes", "code", "message"),
    [
        ({"signers": ()}, 11, "2 signatures are needed"),
        ({"expires": datetime(2020, 1, 1, tzinfo=UTC)}, 12, "expired at 2020-01-01"),
    ],
)
def test_a_release_that_devices_would_refuse_is_refused_before_anything_is_created(desk, changes, code, message):
    """With the exit code that `release verify` and the device give it."""
    package = desk.kit.package(b"image", **{"expires": NEXT_YEAR, **changes})
    (desk.folder / "release/release.json").write_bytes(package.document)

    applied = desk.apply()

    assert applied.code == code
    assert message in applied.err
    assert desk.rollout("list").out == "no rollout is recorded\n"
    assert [fleet.puts for fleet in desk.fleets.values()] == [[], []]


def test_an_altered_artifact_is_refused_before_anything_is_created(desk):
    """The signature covers the bytes of the image, not only their description."""
    artifact = next((desk.folder / "release").glob("*.full"))
    artifact.write_bytes(b"\0" + artifact.read_bytes()[1:])

    applied = desk.apply()

    assert applied.code == 15
    assert desk.rollout("list", "-o", "json").json == {"rollouts": [], "schema": 2}


def test_what_a_cloud_would_not_take_is_refused_before_anything_is_recorded(desk):
    """Found in the first minute and not in the last stage."""
    desk.depot.limit = "document: 40000 bytes; the limit is 32768"

    applied = desk.apply()

    assert (applied.code, applied.err) == (1, "otabridge: fleet depot: document: 40000 bytes; the limit is 32768\n")
    assert "no rollout is recorded" in desk.rollout("list").out
    assert all((fleet.orders, fleet.puts) == ({}, []) for fleet in desk.fleets.values())


def test_on_a_terminal_the_rollout_is_seen_as_it_goes(desk, monkeypatch):
    """Bytes, then devices stage by stage, on stderr; stdout stays the result."""
    terminal = Console(file=io.StringIO(), force_terminal=True, width=240)
    monkeypatch.setattr("bridge.cli.rollout_progress.messages", terminal)

    applied = desk.apply("-o", "json")

    shown = terminal.file.getvalue()
    assert applied.json["state"] == "completed"
    assert all(title in shown for title in ("verify", "publish to depot", "stage 1 of 3", "stage 3 of 3"))
    assert "20/20 installed" in shown


def test_a_wait_that_is_over_ends_with_22(desk):
    """Nothing is wrong; applying again goes on."""
    desk.stall()

    applied = desk.apply("--timeout", "2")

    assert applied.code == 22
    assert "rollout gates is running: stage 1: 2 of 4 devices ended" in applied.err
    assert "the time to wait is over, apply it again to go on" in applied.err


def test_without_waiting_each_call_makes_one_pass(desk):
    """For a scheduler that calls again: 0 while nothing is wrong."""
    first = desk.apply("--no-wait", "-o", "json")
    codes = [ended.code for ended in desk.passes(12)]

    assert (first.code, first.json["state"], first.json["stage"]) == (0, "running", 1)
    assert codes == [0] * 12
    assert "completed" in desk.rollout("list").out


def test_an_interrupted_apply_says_what_goes_on(desk, monkeypatch):
    """Ctrl-C: 130, and how to go on or back."""

    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("bridge.wiring.time.sleep", interrupt)
    applied = desk.apply()

    assert applied.code == 130
    assert "`otabridge rollout apply rollout.yaml`" in applied.err
    assert "`otabridge rollout pause gates --reason WHY`" in applied.err


def test_a_second_otabridge_ends_with_25(desk, monkeypatch):
    """Whoever holds the rollout goes on; an abort is recorded all the same, and is what the next apply finds."""
    desk.stall()
    desk.apply("--no-wait")
    hold, store = Store.hold, desk.store
    with hold(store, "gates", 0), monkeypatch.context() as patch:
        patch.setattr(Store, "hold", lambda self, name, _wait=0: hold(self, name, 0))
        busy = desk.apply()
        aborted = desk.rollout("abort", "gates", "--reason", "heat wave")

    assert (busy.code, aborted.code, desk.apply().code) == (25, 25, 21)
    assert "another otabridge is acting on rollout gates; wait until it is done" in busy.err
    assert "gates is aborted; the otabridge that is acting on it will tell the fleets" in aborted.err


def test_an_inconclusive_stage_ends_with_23(desk):
    """Somebody cancelled the job in the cloud: a person must look."""
    desk.stall()
    desk.apply("--no-wait")
    for key in desk.depot.orders:
        desk.depot.stop(key, "by hand")

    applied = desk.apply()

    assert applied.code == 23
    assert "of stage 1 was cancelled in the cloud with 0 devices installed" in applied.err
    assert "state    running (inconclusive), stage 1 of 3" in applied.out


def test_another_rollout_of_the_same_name_is_refused(desk):
    """Exit code 2, with the fields that differ."""
    desk.apply("--no-wait")
    desk.write(ROLLOUT.replace("percent: 10\n", "percent: 20\n"))

    applied = desk.apply()

    assert applied.code == 2
    assert "rollout gates is running with another stages: a rollout cannot be changed once it is applied" in applied.err


def test_a_fleet_that_is_away_holds_the_rollout(desk):
    """0 for each single pass, a warning, and the status says since when."""
    desk.apply("--no-wait")
    desk.depot.hook = Refuse(("tally",))
    held = desk.passes(2)[-1]

    assert held.code == 0
    assert "state    running (unknown), stage 1 of 3" in held.out
    assert "unknown  since " in held.out
    assert "warning: fleet depot: throttled" in held.err


def test_a_fleet_that_refuses_an_artifact_for_good_is_an_error(desk):
    """The others have it already; nothing is offered anywhere."""
    desk.factory.hook = Refuse(("put_artifact",))
    desk.depot.hook = Refuse(("put_artifact",), retryable=False)

    applied = desk.apply()

    assert applied.code == 1
    assert "rollout gates is planned; fleet depot: access denied" in applied.err
    assert [fleet.orders for fleet in desk.fleets.values()] == [{}, {}]

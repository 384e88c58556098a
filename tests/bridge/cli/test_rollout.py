"""`otabridge rollout` and `otabridge fleet`, as a person or a pipeline calls them: output, messages, exit codes."""

from __future__ import annotations

import io
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from rich.console import Console

from bridge.cli.main import main
from bridge.release.report import Outcome
from bridge.store import Store
from tests.bridge.fakes import FakeFleet, Refuse
from tests.bridge.worlds import ids
from tests.releases import ReleaseKit

NEXT_YEAR = (datetime.now(UTC) + timedelta(days=365)).replace(microsecond=0)
CONFIG = """\
[fleets.factory]
cloud = "aws"
region = "eu-central-1"

[fleets.depot]
cloud = "aws"
region = "us-east-1"
"""
ROLLOUT = """\
name: gates
release: release
fleets: [factory, depot]
stages:
  - percent: 10
  - percent: 50
  - percent: 100
"""


@dataclass(slots=True)
class Ended:
    """What a command left: exit code, stdout, stderr."""

    code: int
    out: str
    err: str

    @property
    def json(self):
        """stdout as the document that it is."""
        return json.loads(self.out)


@dataclass(slots=True)
class Desk:
    """A folder with configuration, trust, a signed release and a rollout file; the fleets lie in memory."""

    folder: Path
    kit: ReleaseKit
    fleets: dict[str, FakeFleet]
    otabridge: Callable[..., Ended]

    def write(self, text: str) -> None:
        """Another rollout file."""
        (self.folder / "rollout.yaml").write_text(text)

    def apply(self, *options: str) -> Ended:
        """`rollout apply`, with passes in quick succession."""
        return self.otabridge("rollout", "apply", "rollout.yaml", "--interval", "0.1", *options)


@pytest.fixture
def desk(tmp_path, monkeypatch, capsys) -> Desk:
    """Ready to apply: 20 devices in each of two fleets, a release signed by two of three approvers."""
    fleets = {name: FakeFleet(name, ids(name, 20), eager=True) for name in ("factory", "depot")}
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("bridge.wiring.open_fleet", lambda _config, name: fleets[name])
    monkeypatch.delenv("OTABRIDGE_CONFIG", raising=False)

    def otabridge(*words: str) -> Ended:
        monkeypatch.setattr("sys.argv", ["otabridge", *words])
        with pytest.raises(SystemExit) as exited:
            main()
        captured = capsys.readouterr()
        code = exited.value.code
        return Ended(code if isinstance(code, int) else 0, captured.out, captured.err)

    desk = Desk(tmp_path, ReleaseKit(root_expires=NEXT_YEAR), fleets, otabridge)
    (tmp_path / "otabridge.toml").write_text(CONFIG)
    desk.write(ROLLOUT)
    write_trust(desk)
    write_release(desk)
    return desk


def write_trust(desk: Desk) -> None:
    """The owner's root, as `otabridge root init` leaves it."""
    (desk.folder / "trust").mkdir()
    (desk.folder / "trust/1.root.json").write_bytes(desk.kit.pinned)


def write_release(desk: Desk, **changes) -> None:
    """A release folder; `changes` as in `ReleaseKit.package`."""
    package = desk.kit.package(b"image " * 5000, expires=NEXT_YEAR, **changes)
    (desk.folder / "release").mkdir(exist_ok=True)
    (desk.folder / "release/release.json").write_bytes(package.document)
    for name, data in package.files.items():
        (desk.folder / "release" / name).write_bytes(data)


def test_plan_shows_every_stage_and_creates_nothing(desk):
    """Two readers of the same rollout file see the same digest."""
    text = desk.otabridge("rollout", "plan", "rollout.yaml")
    document = desk.otabridge("rollout", "plan", "rollout.yaml", "-o", "json").json

    assert text.code == 0
    assert "stage 1  up to 10 %: 4 devices (factory 2, depot 2)" in text.out
    assert "stage 3  up to 100 %: 20 devices (factory 10, depot 10)" in text.out
    assert f"plan     {document['plan']['digest'][:12]}" in text.out
    assert (document["schema"], document["devices"], document["warnings"], document["refusal"]) == (1, 40, [], "")
    assert not (desk.folder / "otabridge.db").exists()
    assert [fleet.orders for fleet in desk.fleets.values()] == [{}, {}]


def test_plan_shows_what_a_stage_calls_enough(desk):
    """Where it is less than all; in both outputs."""
    desk.write(ROLLOUT.replace("  - percent: 10\n", "  - {percent: 10, enough: 95}\n"))

    text = desk.otabridge("rollout", "plan", "rollout.yaml")
    document = desk.otabridge("rollout", "plan", "rollout.yaml", "-o", "json").json

    assert "4 devices (factory 2, depot 2), 95 % of them installed are enough\n" in text.out
    assert text.out.count("are enough") == 1
    assert [stage["enough"] for stage in document["plan"]["stages"]] == [95.0, 100.0, 100.0]


def test_plan_warns_of_what_apply_would_refuse(desk):
    """A plan may be made before the approvals are complete."""
    write_release(desk, signers=desk.kit.release_signers[:1])

    planned = desk.otabridge("rollout", "plan", "rollout.yaml")

    assert planned.code == 0
    assert "warning: apply will refuse it: signed by" in planned.out


def test_what_a_cloud_would_not_take_is_refused_before_anything_is_recorded(desk):
    """Found in the first minute and not in the last stage: `plan` warns, `apply` ends with 1."""
    desk.fleets["depot"].limit = "document: 40000 bytes; the limit is 32768"

    planned, applied = desk.otabridge("rollout", "plan", "rollout.yaml"), desk.apply()

    assert (planned.code, applied.code) == (0, 1)
    assert "warning: apply will refuse it: fleet depot: document: 40000 bytes" in planned.out
    assert applied.err == "otabridge: fleet depot: document: 40000 bytes; the limit is 32768\n"
    assert "no rollout is recorded" in desk.otabridge("rollout", "list").out
    assert all((fleet.orders, fleet.puts) == ({}, []) for fleet in desk.fleets.values())


def test_apply_runs_to_the_end(desk):
    """Exit code 0, the status on stdout, nothing on stderr where that is no terminal."""
    applied = desk.apply()

    assert (applied.code, applied.err) == (0, "")
    assert "state    completed, stage 3 of 3" in applied.out
    assert "  factory: 10 installed" in applied.out
    assert "budget   0 of 0 spent" in applied.out
    assert all(sorted(fleet.offered) == sorted(fleet.ids) for fleet in desk.fleets.values())
    assert desk.apply().code == 0


def test_a_bad_release_ends_with_20_and_names_the_devices(desk):
    """The failed devices with code and detail on stdout, one sentence on stderr; the other devices were spared."""
    desk.fleets["factory"].outcomes = dict.fromkeys(desk.fleets["factory"].ids, Outcome.FELL_BACK)

    applied = desk.apply()
    again = desk.apply("-o", "json")

    assert (applied.code, again.code) == (20, 20)
    assert "state    stopped, stage 1 of 3" in applied.out
    assert "fell-back; 400 unhealthy; factory-0" in applied.out
    assert applied.err.startswith("otabridge: rollout gates is stopped: ")
    assert (
        "the budget allows 0 up to stage 1. Fix the release, then start it as a rollout of another name" in applied.err
    )
    assert (again.json["schema"], again.json["state"]) == (1, "stopped")
    assert again.json["failures"][0]["code"] == "400 unhealthy"
    assert [len(fleet.offered) for fleet in desk.fleets.values()] == [2, 2]


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
    assert desk.otabridge("rollout", "list").out == "no rollout is recorded\n"
    assert [fleet.puts for fleet in desk.fleets.values()] == [[], []]


def test_an_altered_artifact_is_refused_before_anything_is_created(desk):
    """The signature covers the bytes of the image, not only their description."""
    artifact = next((desk.folder / "release").glob("*.zst"))
    artifact.write_bytes(b"\0" + artifact.read_bytes()[1:])

    applied = desk.apply()

    assert applied.code == 15
    assert desk.otabridge("rollout", "list", "-o", "json").json == {"rollouts": [], "schema": 1}


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
    desk.fleets["depot"].silent = frozenset(desk.fleets["depot"].ids)

    applied = desk.apply("--timeout", "2")

    assert applied.code == 22
    assert "rollout gates is running: stage 1: 2 of 4 devices ended" in applied.err
    assert "the time to wait is over, apply it again to go on" in applied.err


def test_without_waiting_each_call_makes_one_pass(desk):
    """For a scheduler that calls again: 0 while nothing is wrong."""
    first = desk.apply("--no-wait", "-o", "json")
    codes = [desk.apply("--no-wait").code for _ in range(12)]

    assert (first.code, first.json["state"], first.json["stage"]) == (0, "running", 1)
    assert codes == [0] * 12
    assert "completed" in desk.otabridge("rollout", "list").out


def test_an_interrupted_apply_says_what_goes_on(desk, monkeypatch):
    """Ctrl-C: 130, and how to go on or back."""

    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("bridge.wiring.time.sleep", interrupt)
    applied = desk.apply()

    assert applied.code == 130
    assert "`otabridge rollout apply rollout.yaml`" in applied.err
    assert "`otabridge rollout abort gates`" in applied.err


def test_an_abort_ends_the_rollout_for_good(desk):
    """Abort itself succeeds; applying again then ends with 21."""
    desk.fleets["depot"].silent = frozenset(desk.fleets["depot"].ids)
    desk.apply("--no-wait")

    aborted = desk.otabridge("rollout", "abort", "gates", "--reason", "heat wave")
    again = desk.apply()

    assert aborted.code == 0
    assert "state    aborted, stage 1 of 3\nbecause  heat wave" in aborted.out
    assert "  depot: 2 withdrawn" in aborted.out
    assert (again.code, again.err) == (21, "otabridge: rollout gates is aborted: heat wave\n")


def test_a_second_otabridge_ends_with_25(desk, monkeypatch):
    """Whoever holds the rollout goes on; an abort is recorded all the same, and is what the next apply finds."""
    desk.fleets["depot"].silent = frozenset(desk.fleets["depot"].ids)
    desk.apply("--no-wait")
    hold, store = Store.hold, Store(desk.folder / "otabridge.db")
    with hold(store, "gates", 0), monkeypatch.context() as patch:
        patch.setattr(Store, "hold", lambda self, name: hold(self, name, 0))
        busy = desk.apply()
        aborted = desk.otabridge("rollout", "abort", "gates", "--reason", "heat wave")

    assert (busy.code, aborted.code, desk.apply().code) == (25, 25, 21)
    assert "another otabridge is acting on rollout gates; wait until it is done" in busy.err
    assert "gates is aborted; the otabridge that is acting on it will withdraw the offers" in aborted.err


def test_an_abort_that_does_not_reach_a_fleet_says_so(desk):
    """It is recorded, and must be run again."""
    desk.apply("--no-wait")
    desk.fleets["depot"].hook = Refuse(("stop",))

    aborted = desk.otabridge("rollout", "abort", "gates", "--reason", "heat wave")

    assert aborted.code == 1
    assert (
        "the abort is recorded, but not every offer is withdrawn: fleet depot: throttled. Abort it again" in aborted.err
    )


def test_an_inconclusive_stage_ends_with_23(desk):
    """Somebody cancelled the job in the cloud: a person must look."""
    desk.fleets["depot"].silent = frozenset(desk.fleets["depot"].ids)
    desk.apply("--no-wait")
    for key in desk.fleets["depot"].orders:
        desk.fleets["depot"].stop(key, "by hand")

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


def test_status_asks_the_fleets_and_falls_back_to_what_is_known(desk):
    """A fleet that is away is shown with its last tally and the problem."""
    desk.apply()
    desk.fleets["depot"].hook = Refuse(("tally",))

    shown = desk.otabridge("rollout", "status", "gates")

    assert shown.code == 0
    assert "  depot: 10 installed [not from now: fleet depot: throttled]" in shown.out
    assert "  factory: 10 installed\n" in shown.out


def test_status_shows_what_it_cannot_find_out(desk):
    """An order that is gone, and reports that the cloud does not give."""
    factory, depot = desk.fleets.values()
    factory.outcomes = dict.fromkeys(factory.ids, Outcome.FAILED)
    desk.apply()
    factory.hook = Refuse(("reports",))
    depot.orders.clear()

    shown = desk.otabridge("rollout", "status", "gates")

    assert "factory/? stage 1: unknown; reports could not be read: fleet factory: throttled" in shown.out
    assert "is gone from the cloud]" in shown.out


def test_status_counts_passes_without_a_measurement(desk):
    """A fleet that is away holds the rollout: 0 for each single pass, and the status says since when."""
    desk.apply("--no-wait")
    desk.fleets["depot"].hook = Refuse(("tally",))
    held = [desk.apply("--no-wait") for _ in range(2)][-1]

    assert held.code == 0
    assert "state    running (unknown), stage 1 of 3" in held.out
    assert "unknown  the last 2 passes could not measure every fleet" in held.out
    assert "warning: fleet depot: throttled" in held.err


def test_a_fleet_that_refuses_an_artifact_for_good_is_an_error(desk):
    """The others have it already; nothing is offered anywhere."""
    desk.fleets["factory"].hook = Refuse(("put_artifact",))
    desk.fleets["depot"].hook = Refuse(("put_artifact",), retryable=False)

    applied = desk.apply()

    assert applied.code == 1
    assert "rollout gates is planned; fleet depot: access denied" in applied.err
    assert [fleet.orders for fleet in desk.fleets.values()] == [{}, {}]


def test_a_plan_for_nobody_left_warns(desk):
    """Two devices cannot be in three stages."""
    for fleet in desk.fleets.values():
        fleet.ids = fleet.ids[:1]

    planned = desk.otabridge("rollout", "plan", "rollout.yaml")

    assert "warning: stage 2 (50 %) has no devices: earlier stages have taken them" in planned.out


def test_an_unknown_rollout_is_refused(desk):
    """By every command that takes a name."""
    for command in (("status", "gate"), ("history", "gate"), ("abort", "gate", "--reason", "x")):
        ended = desk.otabridge("rollout", *command)

        assert ended.code == 2
        assert "no rollout is named gate; `otabridge rollout list` shows those there are" in ended.err


def test_history_proves_itself(desk):
    """Each act with its evidence, the head of the chain, and 24 when somebody edited it."""
    desk.apply()

    good = desk.otabridge("rollout", "history", "gates")
    document = desk.otabridge("rollout", "history", "gates", "-o", "json").json
    with closing(sqlite3.connect(desk.folder / "otabridge.db")) as connection:
        connection.execute("UPDATE ledger SET entry = CAST(replace(entry, 'installed', 'polished') AS BLOB)")
        connection.commit()
    edited = desk.otabridge("rollout", "history", "gates")

    assert good.code == 0
    assert "completed: stage 3 ended: 20 of 20 devices installed" in good.out
    assert good.out.endswith(f"head     {document['head']}\n")
    assert document["entries"][-1]["digest"] == document["head"]
    assert edited.code == 24
    assert "was edited after it was written" in edited.err
    assert "head     none: the ledger does not hold" in edited.out


def test_fleets_and_their_devices_are_listed(desk):
    """Fleets from the configuration, devices from the cloud."""
    listed = desk.otabridge("fleet", "list", "-o", "json").json
    devices = desk.otabridge("fleet", "devices", "depot", "--group", "depot-01")

    assert listed == {"fleets": [{"name": "depot", "cloud": "aws"}, {"name": "factory", "cloud": "aws"}], "schema": 1}
    assert devices.out.split() == [f"depot-01{digit}" for digit in range(10)]
    assert "fleets.dept is missing" not in devices.err


def test_misuse_is_told_in_a_sentence(desk):
    """No configuration here, no such file there: 2, and never a traceback."""
    no_file = desk.otabridge("rollout", "apply", "rollouts.yaml")
    (desk.folder / "otabridge.toml").unlink()
    no_config = desk.otabridge("fleet", "list")

    assert (no_file.code, no_config.code) == (2, 2)
    assert "rollout file rollouts.yaml cannot be read: No such file" in no_file.err
    assert "otabridge.toml: there is no configuration; name it with --config or OTABRIDGE_CONFIG" in no_config.err

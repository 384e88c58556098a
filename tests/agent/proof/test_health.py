"""Health checks: real commands, bounded in time and output."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.command import run
from agent.pace import Timing
from agent.proof.checks import Check
from agent.proof.health import CheckedHealth, HealthSettings
from agent.proof.probes import Probes


class Clock:
    """Sleeping moves it; so does each command, by a little."""

    def __init__(self) -> None:
        self.now = 0.0
        self.naps: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        self.now += seconds

    def timing(self) -> Timing:
        return Timing(clock=lambda: self.now, sleep=self.sleep)


@pytest.fixture
def clock() -> Clock:
    """A clock that stands still between naps."""
    return Clock()


def sh(name: str, script: str, **changes: object) -> Check:
    return Check(name, ("sh", "-c", script), **{"retries": 0, "interval_seconds": 5.0, **changes})


def health(clock: Clock, *checks: Check, context: Callable[[], dict[str, str]] = dict, **changes: float):
    settings = HealthSettings(**{"settle_seconds": 60.0, **changes}, checks=checks)
    return checked(settings, clock.timing(), context)


def checked(settings: HealthSettings, timing: Timing, context: Callable[[], dict[str, str]] = dict) -> CheckedHealth:
    """By commands; nothing else is asked."""
    return CheckedHealth(settings, timing, Probes(timing, Nobody(), Nobody().reach), context)


class Nobody:
    """Neither a server nor a cloud."""

    def get(self, check, seconds):
        raise AssertionError(f"{check} was asked for {seconds}")

    def reach(self, timeout, *, every=False):
        raise AssertionError(f"clouds were asked for {timeout} and {every}")


def test_all_pass_twice(clock: Clock, tmp_path: Path):
    """Each check passes, everything settles, and each check passes once more."""
    counted = [sh(name, f"echo {name} >> {tmp_path}/log") for name in ("net", "disk")]

    assert health(clock, *counted).prove([]) is None
    assert (tmp_path / "log").read_text().split() == ["net", "disk", "net", "disk"]
    assert clock.naps == [60.0]


def test_release_chooses(clock: Clock, tmp_path: Path):
    """Only the checks that the release names are run, in its order."""
    counted = [sh(name, f"echo {name} >> {tmp_path}/log") for name in ("net", "disk", "app")]

    assert health(clock, *counted).prove(["app", "net"]) is None
    assert (tmp_path / "log").read_text().split() == ["app", "net"] * 2


def test_unknown_name(clock: Clock):
    """A check that the device does not have cannot be passed, and the message lists those that it has."""
    assert health(clock, sh("net", "true"), sh("disk", "true")).prove(["ui"]) == (
        "the release asks for health check 'ui', which this device does not have; it has: net, disk"
    )
    assert "it has: none" in str(health(clock).prove(["ui"]))


def test_comes_up_late(clock: Clock, tmp_path: Path):
    """A check that fails while the device comes up is tried again at its interval."""
    late = sh("app", f"echo x >> {tmp_path}/log; test $(wc -l < {tmp_path}/log) -ge 3", retries=5)

    assert health(clock, late).prove([]) is None
    assert clock.naps == [5.0, 5.0, 60.0]


def test_failure_says_what_the_command_said(clock: Clock):
    """The end of the failing command's output reaches the report, on one line."""
    verbose = sh("app", "seq 1 1000; printf 'no route\\nto \\033[1mbroker\\n' >&2; exit 3", retries=1)

    fault = health(clock, verbose).prove([])
    assert fault is not None
    assert fault.startswith("health check app failed with exit status 3: ")
    assert fault.endswith("999 1000 no route to [1mbroker")
    assert len(fault) < 400


def test_dies_while_settling(clock: Clock, tmp_path: Path):
    """What is well at first and not at the end of the settling time is unhealthy, without retries."""
    flaky = sh("app", f"echo x >> {tmp_path}/log; test $(wc -l < {tmp_path}/log) -ne 2", retries=9)

    assert health(clock, flaky).prove([]) == "health check app failed with exit status 1"
    assert (tmp_path / "log").read_text() == "x\n" * 2


def test_environment(clock: Clock):
    """Checks are told which slot and release they are to prove."""
    facts = {"OTABRIDGE_SLOT": "b", "OTABRIDGE_SLOT_DEVICE": "/dev/x2", "OTABRIDGE_RELEASE_VERSION": "2.0"}
    script = (
        'test "$OTABRIDGE_SLOT $OTABRIDGE_SLOT_DEVICE $OTABRIDGE_RELEASE_VERSION" = "b /dev/x2 2.0" && test "$HOME"'
    )

    assert health(clock, sh("slot", script), context=lambda: facts).prove([]) is None


def test_killed_by_signal(clock: Clock):
    """A check that crashes is told from one that says no."""
    assert health(clock, sh("app", "kill -SEGV $$")).prove([]) == "health check app failed with signal 11"


def test_no_such_program(clock: Clock):
    """A command that does not exist is unhealthy, not an error of the agent."""
    missing = Check("app", ("/no/such/program",), retries=0)

    assert str(health(clock, missing).prove([])).startswith(
        "health check app cannot be started: [Errno 2] No such file"
    )


def test_overall_deadline(clock: Clock):
    """Retries end when the time for all checks is over."""
    never = sh("app", "false", retries=1000, interval_seconds=100.0)

    assert health(clock, never, deadline_seconds=250.0).prove([]) == "health check app failed with exit status 1"
    assert clock.naps == [100.0, 100.0]


def test_too_late_to_settle(clock: Clock, tmp_path: Path):
    """Checks that pass with less than the settling time left have not proved anything."""
    late = sh(
        "app", f"echo x >> {tmp_path}/log; test $(wc -l < {tmp_path}/log) -ge 3", retries=5, interval_seconds=10.0
    )

    assert health(clock, late, deadline_seconds=70.0).prove([]) == (
        "the checks passed too late: 60 s to settle do not fit into the 70 s for all"
    )


def test_hanging_check_is_ended(tmp_path: Path):
    """A check that hangs is killed at its timeout, with all that it started."""
    pid = tmp_path / "pid"
    hang = Check(
        "app", ("sh", "-c", f"sleep 600 & echo $! > {pid}; echo waiting; wait"), retries=0, timeout_seconds=0.3
    )
    settings = HealthSettings(settle_seconds=0.0, checks=(hang,))

    assert checked(settings, Timing()).prove([]) == "health check app took longer than 0.3 s: waiting"
    assert is_gone(int(pid.read_text()))


def test_daemon_that_keeps_the_pipe_is_not_waited_for(tmp_path: Path):
    """A check that leaves a daemon behind ends when it ends, though the daemon still holds its output."""
    pid = tmp_path / "pid"
    daemon = f"setsid sh -c 'echo $$ > {pid}; exec sleep 600' & while ! test -s {pid}; do :; done; echo started"
    ended = run(("sh", "-c", daemon), 60.0, Timing())
    os.kill(int(pid.read_text()), 9)

    assert (ended.status, ended.tail) == (0, "started")


def test_output_is_bounded():
    """A command may write for ever; only the end of it is kept, and the beat goes on meanwhile."""
    beats = []
    flood = (sys.executable, "-c", "import os\nfor _ in range(500): os.write(1, b'x' * 65536)\nos.write(1, b'end')")
    ended = run(flood, 60.0, Timing(beat=lambda: beats.append(1)))

    assert ended.tail == "x" * 297 + "end"
    assert len(beats) > 100


def test_closed_output_is_no_busy_loop():
    """A command that closes its output and works on is waited for quietly."""
    beats = []
    ended = run(("sh", "-c", "exec >&- 2>&-; sleep 0.2"), 60.0, Timing(beat=lambda: beats.append(1)))

    assert ended.status == 0
    assert len(beats) < 20


def test_beat_may_stop_a_check(tmp_path: Path):
    """When the agent is to stop, the running check is ended first."""
    pid = tmp_path / "pid"

    def beat() -> None:
        if pid.exists() and pid.read_text().strip():
            raise InterruptedError

    with pytest.raises(InterruptedError):
        run(("sh", "-c", f"echo $$ > {pid}; exec sleep 600"), 60.0, Timing(beat=beat))
    assert is_gone(int(pid.read_text()))


def is_gone(process: int) -> bool:
    """Whether a process ends within a generous time; a zombie that nobody fetched counts as ended."""
    for _ in range(500):
        try:
            state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return True
        if state == "Z":
            return True
        time.sleep(0.02)
    return False

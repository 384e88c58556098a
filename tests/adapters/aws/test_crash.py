"""A real `otabridge rollout apply`, killed with SIGKILL anywhere and run again, against the simulator of AWS."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from adapters.aws.simulator.simulator import AwsSimulator
from adapters.simulation.faults import Effect
from tests.adapters.nursery import Nursery, nursery
from tests.releases import ReleaseKit

ROOT = Path(__file__).parents[3]
MORTAL = Path(__file__).with_name("mortal.py")
BUCKET = "crash-artifacts"
DEVICES = tuple(f"gate-{number}" for number in range(6))
NEVER = "nothing:before:1"
ROLLOUT = """\
name: gates
release: release
fleets: [factory]
stages: [{percent: 50}, {percent: 100}]
"""
DEADLINE = 120


@dataclass(frozen=True, slots=True)
class Site:
    """A folder with everything that `rollout apply` needs, and the cloud that it is for."""

    folder: Path
    simulator: AwsSimulator
    nursery: Nursery

    def otabridge(self, *words: str, die: str = NEVER) -> subprocess.CompletedProcess[str]:
        """One process of `otabridge`, which dies at the call `die`, to its end."""
        environment = {**os.environ, **self.simulator.environment()}
        return self.nursery.run([die, *words], cwd=self.folder, env=environment)

    def start(self, *words: str) -> subprocess.Popen[str]:
        """One process of `otabridge`, left running."""
        return subprocess.Popen(
            self.command(*words), **self.surroundings(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )

    def command(self, *words: str) -> list[str]:
        """The words that start a process."""
        return [sys.executable, str(MORTAL), NEVER, *words]

    def surroundings(self) -> dict[str, object]:
        """Where a process runs."""
        environment = {**os.environ, **self.simulator.environment(), "PYTHONPATH": str(ROOT)}
        return {"cwd": self.folder, "env": environment, "text": True}

    def apply(self, die: str = NEVER) -> subprocess.CompletedProcess[str]:
        """`rollout apply`, with passes in quick succession."""
        return self.otabridge("rollout", "apply", "rollout.yaml", "--interval", "0.1", die=die)

    def jobs(self, device: str) -> list[str]:
        """Every job that a device was ever given."""
        listed = self.simulator.client("iot").list_job_executions_for_thing(thingName=device)["executionSummaries"]
        return [each["jobId"] for each in listed]

    def history(self) -> list[str]:
        """What the ledger says, after it was verified; passes that only wait are left out."""
        ended = self.otabridge("rollout", "history", "gates", "-o", "json")
        assert ended.returncode == 0, ended.stderr
        told = [link["entry"]["what"] for link in json.loads(ended.stdout)["entries"]]
        return [what for what in told if what != "held"]


@pytest.fixture(scope="module")
def born() -> Iterator[Nursery]:
    """Where processes come from."""
    with nursery(MORTAL, "adapters.aws.cloud") as nursed:
        yield nursed


@pytest.fixture
def site(tmp_path, born) -> Iterator[Site]:
    """Six devices in one fleet, a signed release, a rollout of two stages."""
    with AwsSimulator(tmp_path / "simulator") as simulator:
        simulator.bucket(BUCKET)
        for name in DEVICES:
            simulator.add_thing(name)
        write_release(tmp_path)
        (tmp_path / "rollout.yaml").write_text(ROLLOUT)
        (tmp_path / "otabridge.toml").write_text(
            f'[fleets.factory]\ncloud = "aws"\nregion = "{simulator.region}"\nbucket = "{BUCKET}"\n'
            f'role_arn = "{simulator.role_arn}"\nendpoint_url = "{simulator.endpoint_url}"\nsettle_seconds = 0\n'
            "workers = 2\n"
        )
        yield Site(tmp_path, simulator, born)


def write_release(folder: Path) -> None:
    """Trust and a release, as `otabridge` leaves them."""
    expires = datetime.now(UTC).replace(microsecond=0) + timedelta(days=365)
    kit = ReleaseKit(root_keys=(1, 1), release_keys=(1, 1), root_expires=expires)
    package = kit.package(b"image " * 5000, expires=expires)
    for name in ("trust", "release"):
        (folder / name).mkdir()
    (folder / "trust/1.root.json").write_bytes(kit.pinned)
    (folder / "release/release.json").write_bytes(package.document)
    for name, data in package.files.items():
        (folder / "release" / name).write_bytes(data)


@contextmanager
def devices_at_work(simulator: AwsSimulator, names: tuple[str, ...] = DEVICES) -> Iterator[None]:
    """Devices that install whatever they are offered, at once, until the block ends."""
    stop = threading.Event()
    crew = threading.Thread(target=work, args=(simulator, names, stop))
    crew.start()
    try:
        yield
    finally:
        stop.set()
        crew.join()


def work(simulator: AwsSimulator, names: tuple[str, ...], stop: threading.Event) -> None:
    """Ask for each device, report success."""
    data = simulator.client("iot-jobs-data")
    while not stop.wait(0.05):
        for name in names:
            offer = data.start_next_pending_job_execution(thingName=name).get("execution")
            if offer:
                data.update_job_execution(jobId=offer["jobId"], thingName=name, status="SUCCEEDED")


def assert_done_once(site: Site) -> None:
    """Every device got one job, the ledger holds and tells one story, AWS knows two jobs."""
    assert [len(site.jobs(name)) for name in DEVICES] == [1] * len(DEVICES)
    assert len({job for name in DEVICES for job in site.jobs(name)}) == 2
    assert site.history() == ["planned", "published", "advanced", "completed"]


POINTS = [
    "create:after:1",
    "PutObject:after:1",
    "save:after:1",
    "CreateThingGroup:after:1",
    "AddThingToThingGroup:before:2",
    "CreateJob:before:1",
    "CreateJob:after:1",
    "CreateJob:after:2",
]


@pytest.mark.parametrize("point", POINTS)
def test_a_killed_apply_is_run_again_and_nothing_happens_twice(site, point):
    """Before or after each act that leaves something behind, in the store or in AWS."""
    with devices_at_work(site.simulator):
        killed = site.apply(die=point)
        again = site.apply()

    assert killed.returncode == -signal.SIGKILL
    assert again.returncode == 0, again.stderr
    assert_done_once(site)


def test_an_apply_killed_again_and_again_comes_to_its_end(site):
    """At calls drawn by lot, until one process lives long enough; the same end, nothing twice."""
    lot, ends = random.Random(20), []
    with devices_at_work(site.simulator):
        while not ends or ends[-1].returncode:
            ends.append(site.apply(die=f"*:{lot.choice(['before', 'after'])}:{lot.randint(3, 14)}"))
            assert ends[-1].returncode in {0, -signal.SIGKILL}, ends[-1].stderr
            assert len(ends) < 40

    assert len(ends) > 2
    assert_done_once(site)


def test_a_create_job_whose_reply_was_lost_is_found_done(site):
    """boto3's own second try meets ResourceAlreadyExists; the rollout goes on."""
    site.simulator.faults.plan("CreateJob", Effect.LOSE_REPLY)

    with devices_at_work(site.simulator):
        applied = site.apply()

    assert applied.returncode == 0, applied.stderr
    assert len(site.simulator.faults.hits()) == 1
    assert_done_once(site)


def test_an_abort_from_another_terminal_ends_both_processes(site):
    """The abort succeeds; the process that was applying withdraws nothing more and ends with 21."""
    running = site.start("rollout", "apply", "rollout.yaml", "--interval", "0.1")
    iot = site.simulator.client("iot")
    deadline = time.monotonic() + DEADLINE
    while not iot.list_jobs()["jobs"]:
        assert time.monotonic() < deadline
        time.sleep(0.05)

    looked = [site.otabridge("rollout", "status", "gates", "-o", "json") for _ in range(2)]
    aborted = site.otabridge("rollout", "abort", "gates", "--reason", "heat wave")
    _, err = running.communicate(timeout=DEADLINE)

    assert [each.returncode for each in looked] == [0, 0]
    assert aborted.returncode == 0, aborted.stderr
    assert running.returncode == 21
    assert "otabridge: rollout gates is aborted: heat wave" in err
    assert [job["status"] for job in iot.list_jobs()["jobs"]] == ["CANCELED"]
    assert site.history() == ["planned", "published", "aborted"]


def test_a_device_without_a_job_keeps_its_stage_open_and_is_shown(site):
    """Switched off: the stage waits, `status` says since when and how many, and the wait ends with 22."""
    with devices_at_work(site.simulator, DEVICES[:5]):
        applied = site.otabridge("rollout", "apply", "rollout.yaml", "--interval", "0.1", "--timeout", "4")
    shown = site.otabridge("rollout", "status", "gates")

    assert applied.returncode == 22
    assert "1 have not taken the offer" in applied.stderr
    assert " of 2 since " in shown.stdout
    assert "factory: 1 waiting, 2 installed" in shown.stdout

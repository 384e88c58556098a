"""A real `otabridge rollout apply`, killed with SIGKILL anywhere and run again, against the simulator of Azure."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from adapters.azure.wire import Standing, Word, reported_standing, standing_of
from bridge.release.report import Outcome, Report
from tests.adapters.azure.plant import Plant
from tests.adapters.nursery import Nursery, nursery
from tests.releases import ReleaseKit

MORTAL = Path(__file__).with_name("mortal.py")
GROUPS = {"gate-0": "eu", "gate-1": None, "gate-2": "eu", "gate-3": "us"}
"""The devices, and the group of each before the rollout and after it."""
INSTALLED = Report(Outcome.INSTALLED, "b", "2.0.0")
NEVER = "nothing:before:1"
ROLLOUT = """\
name: gates
release: release
fleets: [factory]
stages: [{percent: 50}, {percent: 100}]
"""
MOST_DEATHS = 40


@dataclass(frozen=True, slots=True)
class Site:
    """A folder with everything that `rollout apply` needs, and the cloud that it is for."""

    folder: Path
    plant: Plant
    nursery: Nursery

    def otabridge(self, *words: str, die: str = NEVER) -> subprocess.CompletedProcess[str]:
        """One process of `otabridge`, which dies at the call `die`, to its end."""
        return self.nursery.run([die, *words], cwd=self.folder, env=os.environ)

    def apply(self, die: str = NEVER) -> subprocess.CompletedProcess[str]:
        """`rollout apply`, with passes in quick succession."""
        return self.otabridge("rollout", "apply", "rollout.yaml", "--interval", "0.1", die=die)

    def history(self) -> list[str]:
        """What the ledger says, after it was verified; passes that only wait are left out."""
        ended = self.otabridge("rollout", "history", "gates", "-o", "json")
        assert ended.returncode == 0, ended.stderr
        told = [link["entry"]["what"] for link in json.loads(ended.stdout)["entries"]]
        return [what for what in told if what != "held"]


@pytest.fixture(scope="module")
def born() -> Iterator[Nursery]:
    """Where processes come from."""
    with nursery(MORTAL, "adapters.azure.cloud") as nursed:
        yield nursed


@pytest.fixture
def site(tmp_path, born) -> Iterator[Site]:
    """Four devices in one fleet, a signed release, a rollout of two stages."""
    with Plant(tmp_path).running() as plant:
        plant.simulator.throttle.per_minute.clear()
        for name, group in GROUPS.items():
            plant.add(name, group=group)
        write_release(tmp_path)
        (tmp_path / "rollout.yaml").write_text(ROLLOUT)
        (tmp_path / "otabridge.toml").write_text(configuration(plant))
        yield Site(tmp_path, plant, born)


def configuration(plant: Plant) -> str:
    """The fleet in the words of `otabridge.toml`."""
    settings = {name: value for name, value in msgspec.to_builtins(plant.settings()).items() if value is not None}
    return "\n".join(
        ['[fleets.factory]\ncloud = "azure"', *(f"{name} = {json.dumps(settings[name])}" for name in settings)]
    )


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
def devices_at_work(plant: Plant) -> Iterator[None]:
    """Devices that install whatever they are offered, at once, until the block ends."""
    stop = threading.Event()
    crew = threading.Thread(target=work, args=(plant, stop))
    crew.start()
    try:
        yield
    finally:
        stop.set()
        crew.join()


def work(plant: Plant, stop: threading.Event) -> None:
    """Look for each device, say that it has begun, and that it has ended."""
    done: set[str] = set()
    while not stop.wait(0.02):
        for name in GROUPS:
            goal = plant.goal(name)
            if goal is not None and goal["workflow"]["id"] + name not in done:
                done.add(goal["workflow"]["id"] + name)
                install(plant, name)


def install(plant: Plant, name: str) -> None:
    """What the agent reports of an installation."""
    stage = plant.hub.desired(name).get("otabridge", {}).get("stage", "")
    plant.hub.report(name, reported_standing(Standing(stage, Word.RUNNING)))
    plant.hub.report(name, reported_standing(standing_of(stage, Outcome.INSTALLED), INSTALLED))


def assert_done_once(site: Site) -> None:
    """Every device got one offer, the ledger holds and tells one story, and the customer's groups are whole."""
    plant = site.plant
    assert [len(plant.simulator.workflows(name)) for name in GROUPS] == [1] * len(GROUPS)
    assert site.history() == ["planned", "published", "advanced", "completed"]
    for name, group in GROUPS.items():
        assert plant.tags(name) == ({"ADUGroup": group} if group else {}, None)
    assert plant.groups() == {"eu", "us"}


POINTS = [
    "store.create:after:1",
    "PUT /{account}/:after:1",
    "PUT /jobs/v2/:before:1",
    "PUT /jobs/v2/:after:2",
    "updates:import:after:1",
    "/deployments/:before:2",
    "PUT /deviceUpdate/:after:1",
    "PUT /deviceUpdate/:after:2",
    ":cancel:after:1",
    "DELETE /deviceUpdate/:after:1",
    "DELETE /deviceUpdate/:before:4",
    "store.save:after:4",
]
"""Each act that leaves something behind, in the store or in Azure."""


@pytest.mark.parametrize("point", POINTS)
def test_a_killed_apply_is_run_again_and_nothing_happens_twice(site, point):
    """Before or after the act; the next process goes on as if nothing had been."""
    with devices_at_work(site.plant):
        killed = site.apply(die=point.format(account=site.plant.simulator.account))
        again = site.apply()

    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert again.returncode == 0, again.stderr
    assert_done_once(site)


@pytest.mark.parametrize("seed", [20, 21])
def test_an_apply_killed_again_and_again_comes_to_its_end(site, seed):
    """At calls drawn by lot, until one process lives long enough; the same end, nothing twice."""
    lot, ends, points = random.Random(seed), [], []
    with devices_at_work(site.plant):
        while not ends or ends[-1].returncode:
            points.append(f"*:{lot.choice(['before', 'after'])}:{lot.randint(8, 60)}")
            ends.append(site.apply(die=points[-1]))
            assert ends[-1].returncode in {0, -signal.SIGKILL}, f"seed {seed}: {points}: {ends[-1].stderr}"
            assert len(ends) < MOST_DEATHS, f"seed {seed}: {points}"

    assert len(ends) > 1, f"seed {seed}: {points}"
    assert_done_once(site)


def test_an_abort_gives_everything_back(site):
    """Also of the device in the middle, once it has ended and `rollout apply` is run again."""
    plant = site.plant
    started = site.otabridge("rollout", "apply", "rollout.yaml", "--interval", "0.1", "--timeout", "3")
    assert started.returncode == 22, started.stderr
    busy, *_ = (name for name in GROUPS if plant.goal(name))
    stage = plant.tags(busy)[1]["stage"]
    plant.hub.report(busy, reported_standing(Standing(stage, Word.RUNNING)))

    aborted = site.otabridge("rollout", "abort", "gates", "--reason", "heat wave")
    in_the_middle = plant.tags(busy)[0]["ADUGroup"]
    plant.hub.report(busy, reported_standing(standing_of(stage, Outcome.INSTALLED), INSTALLED))
    again = site.apply()

    assert aborted.returncode == 0, aborted.stderr
    assert in_the_middle == stage
    assert again.returncode == 21, again.stderr
    assert {name: plant.tags(name) for name in GROUPS} == {
        name: ({"ADUGroup": group} if group else {}, None) for name, group in GROUPS.items()
    }
    assert plant.groups() == {"eu", "us"}
    assert site.history() == ["planned", "published", "aborted"]

"""Three real `otabridge controller run` on one PostgreSQL, of which one after the other is killed with SIGKILL."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field

import pytest

from adapters.aws.simulator.simulator import AwsSimulator
from tests.adapters.aws.test_crash import BUCKET, DEVICES, MORTAL, ROLLOUT, Site, devices_at_work, write_release
from tests.adapters.nursery import nursery
from tests.postgres import NoPostgres, postgres

CONTROLLERS = 3
ROLLOUTS = ("first", "second", "third")
KILLS = 4
DEADLINE = 150


@pytest.fixture
def site(tmp_path, monkeypatch) -> Iterator[Site]:
    """Six devices in a simulated AWS, a signed release, three rollouts of it, a store in PostgreSQL."""
    with ExitStack() as stack:
        try:
            monkeypatch.setenv("OTABRIDGE_STORE_URL", stack.enter_context(postgres()))
        except NoPostgres as error:
            pytest.skip(str(error))
        simulator = stack.enter_context(AwsSimulator(tmp_path / "simulator"))
        simulator.bucket(BUCKET)
        for name in DEVICES:
            simulator.add_thing(name)
        write_release(tmp_path)
        for name in ROLLOUTS:
            (tmp_path / f"{name}.yaml").write_text(ROLLOUT.replace("name: gates", f"name: {name}"))
        (tmp_path / "otabridge.toml").write_text(
            f'[fleets.factory]\ncloud = "aws"\nregion = "{simulator.region}"\nbucket = "{BUCKET}"\n'
            f'role_arn = "{simulator.role_arn}"\nendpoint_url = "{simulator.endpoint_url}"\nsettle_seconds = 0\n'
            "workers = 2\n"
        )
        born = stack.enter_context(nursery(MORTAL, "adapters.aws.cloud"))
        yield Site(tmp_path, simulator, born)


@dataclass(slots=True)
class Controllers:
    """Processes that look after the store, as many as there should be."""

    site: Site
    running: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def fill(self) -> None:
        """Start those that are missing, as a supervisor would."""
        while len(self.running) < CONTROLLERS:
            surroundings = {**self.site.surroundings(), "text": False}
            quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
            command = self.site.command("controller", "run", "--every", "1s")
            self.running.append(subprocess.Popen(command, **surroundings, **quiet))

    def kill(self, victim: int) -> None:
        """SIGKILL to one of them."""
        dying = self.running.pop(victim)
        dying.send_signal(signal.SIGKILL)
        dying.wait()

    def end(self) -> None:
        """SIGTERM to all; each finishes the act under way, and one that has only just begun ends at once."""
        for process in self.running:
            process.terminate()
        for process in self.running:
            assert process.wait(timeout=60) in {0, -signal.SIGTERM}


def test_three_controllers_of_which_one_is_always_dying(site):
    """Every rollout completes, each device is offered each stage once, and the ledger tells each decision once."""
    controllers, dice = Controllers(site), random.Random(20)
    for name in ROLLOUTS:
        site.otabridge("rollout", "apply", f"{name}.yaml", "--no-wait")
    with devices_at_work(site.simulator):
        for _ in range(KILLS):
            controllers.fill()
            time.sleep(dice.uniform(0.5, 2.5))
            controllers.kill(dice.randrange(CONTROLLERS))
        controllers.fill()
        _await_end(site)
        controllers.end()

    for device in DEVICES:
        jobs = site.jobs(device)
        assert len(jobs) == len(set(jobs)) == len(ROLLOUTS), device
    for name in ROLLOUTS:
        told = Counter(_told(site, name))
        assert told["completed"] == told["published"] == told["planned"] == told["advanced"] == 1, told
    assert site.otabridge("ledger", "verify").returncode == 0


def _await_end(site: Site) -> None:
    end = time.monotonic() + DEADLINE
    while time.monotonic() < end:
        states = {each["state"] for each in _json(site, "rollout", "list")["rollouts"]}
        if states == {"completed"}:
            return
        time.sleep(0.5)
    pytest.fail(site.otabridge("rollout", "list").stdout)


def _told(site: Site, name: str) -> list[str]:
    return [link["entry"]["what"] for link in _json(site, "rollout", "history", name)["entries"]]


def _json(site: Site, *words: str):
    ended = site.otabridge(*words, "-o", "json")
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)

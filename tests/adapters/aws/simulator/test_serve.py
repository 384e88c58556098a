"""The simulator as a program: its files are enough to use it from elsewhere."""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading

import pytest

from adapters.aws.simulator.serve import serve


@pytest.fixture
def served(tmp_path):
    """A running `serve`; gives the lines that it announced."""
    lines, stop = queue.Queue(), threading.Event()
    thread = threading.Thread(target=serve, args=(tmp_path, 2, lines.put, stop))
    thread.start()
    announced = []
    while not announced or "device-0002" not in announced[-1]:
        announced.append(lines.get(timeout=30))
    yield announced
    stop.set()
    thread.join(30)
    assert not thread.is_alive()


def test_the_settings_file_names_all_that_a_user_needs(served, tmp_path):
    """Endpoints, certificates of every thing, bucket, group and role."""
    settings = json.loads((tmp_path / "otabridge-sim.json").read_text())

    assert sorted(settings["things"]) == ["device-0001", "device-0002"]
    for files in settings["things"].values():
        assert all((tmp_path / name).is_file() for name in files.values())
    assert any(settings["endpoint_url"] in line for line in served)
    assert any(f"port {settings['mqtt']['port']}" in line for line in served)


PROGRAM = """
import boto3
print(boto3.client("iot").list_things_in_thing_group(thingGroupName="simulated")["things"])
print([each["Name"] for each in boto3.client("s3").list_buckets()["Buckets"]])
"""


@pytest.mark.usefixtures("served")
def test_another_process_reaches_it_through_the_environment_file(tmp_path):
    """Plain boto3 without a single argument."""
    command = f'. "{tmp_path}/otabridge-sim.env" && exec "{sys.executable}" -c \'{PROGRAM}\''
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True, timeout=60)

    assert done.stdout.splitlines() == ["['device-0001', 'device-0002']", "['otabridge-artifacts']"]

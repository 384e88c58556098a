"""`otabridge sim`: a cloud on this machine that another terminal can use, and that leaves nothing running."""

from __future__ import annotations

import errno
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from adapters.aws import simulated

PROGRAMS = Path(sys.executable).parent
SAID = "stderr.txt"
GUIDE = Path(__file__).parents[3] / "docs" / "how-to" / "try-it-on-one-machine.md"
BOTO3 = """
import boto3
print([each["Name"] for each in boto3.client("s3").list_buckets()["Buckets"]])
print(boto3.client("iot").list_things_in_thing_group(thingGroupName="simulated")["things"])
"""


@contextmanager
def simulator(folder: Path, *words: str, cloud: str = "aws") -> Iterator[subprocess.Popen[str]]:
    """`otabridge sim` in `folder`, ready; ended by SIGTERM."""
    line = [PROGRAMS / "otabridge", "sim", cloud, *words]
    with (
        (folder / SAID).open("w") as said,
        subprocess.Popen(line, cwd=folder, stdout=subprocess.PIPE, stderr=said, text=True) as running,
    ):
        try:
            assert "runs here until Ctrl-C" in running.stdout.readline()
            yield running
        finally:
            running.send_signal(signal.SIGTERM)
            running.wait(60)


def in_another_terminal(folder: Path, command: str) -> str:
    """What a shell prints that has read the environment file and nothing else."""
    line = ["sh", "-c", f'. "{folder}/otabridge-sim/otabridge-sim.env" && {command}']
    done = subprocess.run(line, cwd="/", capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_environment_file_is_all_that_another_terminal_needs(tmp_path):
    """otabridge finds its configuration and the fleet; plain boto3 finds the bucket and the things."""
    with simulator(tmp_path, "--devices", "2"):
        devices = in_another_terminal(tmp_path, f"{PROGRAMS}/otabridge fleet devices simulated")
        seen = in_another_terminal(tmp_path, f"{sys.executable} -c '{BOTO3}'")

    assert devices.split() == ["device-01", "device-02"]
    assert seen.splitlines() == ["['otabridge-artifacts']", "['device-01', 'device-02']"]


def test_azure_is_as_the_guide_says(tmp_path):
    """Its commands for Azure's own library, as they stand there; and otabridge finds the fleet."""
    (code,) = re.findall(r"<!-- azure -->\n```sh\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    path = f"{PROGRAMS}:/usr/bin:/bin"
    with simulator(tmp_path, "--devices", "2", cloud="azure"):
        devices = in_another_terminal(tmp_path, f"{PROGRAMS}/otabridge fleet devices simulated")
        words = {"cwd": tmp_path, "env": {"PATH": path}, "capture_output": True, "text": True}
        done = subprocess.run(["bash", "-c", code], **words, timeout=60, check=False)

    assert devices.split() == ["device-01", "device-02"]
    assert done.stderr == ""
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["device-01", "device-02"]


def test_each_start_begins_anew_and_says_what_it_leaves(tmp_path):
    """One device fewer the second time; SIGTERM is a tidy end, too."""
    with simulator(tmp_path, "--devices", "2"):
        pass
    with simulator(tmp_path, "--devices", "1") as running:
        folders = sorted(path.name for path in (tmp_path / "otabridge-sim" / "devices").iterdir())

    assert folders == ["device-01"]
    assert sorted(path.name for path in (tmp_path / "otabridge-sim/devices/device-01").iterdir()) == [
        *("channel.toml", "device.key", "device.pem")
    ]
    assert running.returncode == 0
    assert (tmp_path / SAID).read_text() == "otabridge sim: stopped; logs and settings stay in otabridge-sim\n"


def test_two_do_not_share_a_folder(tmp_path, otabridge):
    """The second would remove the devices of the first."""
    with simulator(tmp_path):
        ran = otabridge("sim", "aws")

    assert (ran.exit_code, ran.out) == (2, "")
    assert ran.err == (
        "otabridge: --directory otabridge-sim: another otabridge sim runs there; end it or name another\n"
    )


def test_a_folder_with_other_files_is_left_alone(tmp_path, otabridge):
    """Nothing that `otabridge sim` did not make is ever removed."""
    (tmp_path / "devices").mkdir()

    ran = otabridge("sim", "aws", "--directory", ".")

    assert ran.exit_code == 2
    assert "--directory . holds other files: name a new or empty folder" in ran.err
    assert [path.name for path in tmp_path.iterdir()] == ["devices"]


REFUSALS = {
    "unknown cloud": (("azzure",), "there is no simulator of a cloud named 'azzure'; there is aws, azure"),
    "no folder can be made": (("aws", "--directory", "/proc/sim"), "--directory /proc/sim: No such file or directory"),
    "image missing": (("aws", "--image", "absent.img"), "--image absent.img: must be a file"),
    "image empty": (("aws", "--image", "empty.img"), "--image empty.img: must be a file"),
    "root missing": (
        ("aws", "--image", "real.img"),
        "--root trust/1.root.json: no such file; devices must trust a root",
    ),
    "root is none": (("aws", "--image", "real.img", "--root", "real.img"), "root"),
    "too many boards": (("aws", "--image", "real.img", "--devices", "101"), "--devices 101: with --image each is a"),
}


@pytest.mark.parametrize(("words", "says"), REFUSALS.values(), ids=REFUSALS)
def test_what_cannot_run_is_refused_in_a_sentence(words, says, tmp_path, otabridge):
    """Before any process is started; a root that is none has the exit code of an untrusted root."""
    (tmp_path / "empty.img").touch()
    (tmp_path / "real.img").write_bytes(b"image")

    ran = otabridge("sim", *words)

    assert ran.exit_code == (16 if words[-1] == "real.img" and "--root" in words else 2)
    assert says in ran.err
    assert "Traceback" not in ran.err
    assert not (tmp_path / "otabridge-sim").exists()


def test_a_port_that_is_taken_is_a_sentence(otabridge, monkeypatch):
    """Whatever the system refuses while the simulator starts."""

    def refuse(_directory):
        raise OSError(errno.EADDRINUSE, "Address already in use")

    monkeypatch.setattr(simulated, "start", refuse)

    ran = otabridge("sim", "aws")

    assert ran.exit_code == 2
    assert "the simulator of aws cannot start here: [Errno 98] Address already in use" in ran.err


def test_slots_that_find_no_room_are_refused(otabridge, tmp_path):
    """Both slots of each device are counted, sparse or not; the figures are told."""
    otabridge("keys", "create", "ann")
    otabridge("root", "init", "--root-key", "ann.pub.json", "--release-key", "ann.pub.json", "--sign", "ann.pem")
    with (tmp_path / "huge.img").open("wb") as file:
        file.truncate(1 << 43)

    ran = otabridge("sim", "aws", "--image", "huge.img")

    assert ran.exit_code == 2
    assert "3 devices with slots of 17592186 MB may take 105553.12 GB" in ran.err
    assert "GB free: choose fewer --devices, or another folder" in ran.err

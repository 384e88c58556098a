"""`otabridge demo` for real: small images, four devices in two clouds, every process of its own."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from bridge.cli import demo
from bridge.cli.main import main
from bridge.demo import images
from bridge.demo.commands import CommandLine, DemoFailed
from bridge.demo.result import Act, Check, DemoResult

OTABRIDGE = Path(sys.executable).with_name("otabridge")
IMAGE_BYTES = 2 * 1024 * 1024
CLOUDS = ("aws", "azure")
WHERE = ("demo-aws", "demo-azure, where it works")


@pytest.fixture
def given(tmp_path):
    """The words that give the demo small images, by names that count from `tmp_path`."""
    (tmp_path / "old.img").write_bytes(os.urandom(IMAGE_BYTES))
    (tmp_path / "new.img").write_bytes(os.urandom(IMAGE_BYTES))
    return ("--image", "old.img", "new.img", "--devices", "4")


def agents(folder: Path) -> list[str]:
    """Command lines of processes that name `folder`."""
    lines = [_command_line(path) for path in Path("/proc").glob("[0-9]*/cmdline")]
    return [line for line in lines if str(folder) in line and "otabridge-agent" in line]


def assert_complete(kept: Path) -> None:
    """All that a person may want to look at afterwards: both clouds, both releases, each device with its line."""
    assert {"trust", "releases", "good.yaml", "bad.yaml", "otabridge.db", "otabridge.toml"} <= names(kept)
    assert names(kept / "releases") == {"2.0.0", "3.0.0"}
    assert names(kept / "clouds") == set(CLOUDS)
    configs = [(kept / "devices" / f"device-0{number}" / "agent.toml").read_text() for number in range(1, 5)]
    assert [cloud for text in configs for cloud in CLOUDS if f"[channel.{cloud}]" in text] == sorted([*CLOUDS, *CLOUDS])
    assert all((kept / "devices" / f"device-0{number}" / "agent.log").is_file() for number in range(1, 5))


def names(folder: Path) -> set[str]:
    """What lies in a folder."""
    return {path.name for path in folder.iterdir()}


def _command_line(path: Path) -> str:
    try:
        return path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:  # it has ended
        return ""


def test_a_good_release_reaches_all_and_a_bad_one_stops_itself(given, tmp_path):
    """Every check holds in both clouds; stdout is one document, stderr is silent without a terminal."""
    done = subprocess.run(
        ["timeout", "--signal=INT", "150", OTABRIDGE, "demo", *given, "--keep", "kept", "--output", "json"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
    seen = json.loads(done.stdout)
    assert [(act["title"], act["state"]) for act in seen["acts"]] == [
        ("good release", "completed"),
        ("bad release", "stopped"),
    ]
    assert [check for act in seen["acts"] for check in act["checks"] if not check["holds"]] == []
    assert (seen["devices"], seen["image_bytes"]) == (4, IMAGE_BYTES)
    good, bad = seen["acts"]
    assert good["slots"] == {"demo-aws run slot b 2.0.0": 2, "demo-azure run slot b 2.0.0": 2}
    assert sum(bad["slots"].values()) == 4
    assert {"what": "each device got one offer", "holds": True, "seen": "[1, 1, 1, 1]"} in good["checks"]
    offered = {check["what"] for check in bad["checks"] if "was offered it" in check["what"]}
    assert offered == {f"{where}: only the first stage was offered it" for where in WHERE}
    assert good["stop_seconds"] is None
    assert bad["stop_seconds"] > 0
    assert_complete(tmp_path / "kept")
    assert agents(tmp_path) == []


def test_ctrl_c_leaves_nothing_behind(given, tmp_path):
    """In the middle of everything: exit code 130, no process, no folder."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    with subprocess.Popen(
        [OTABRIDGE, "demo", *given],
        cwd=tmp_path,
        env={**os.environ, "TMPDIR": str(scratch)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        while not list(scratch.glob("otabridge-demo-*/devices/device-04/agent.log")):
            assert running.poll() is None, running.stderr.read()
            time.sleep(0.05)
        running.send_signal(signal.SIGINT)
        said = running.communicate(timeout=60)[1]

    assert (running.returncode, said) == (130, "\notabridge demo: interrupted; the devices are switched off\n")
    assert agents(tmp_path) == []
    assert list(scratch.iterdir()) == []


@pytest.fixture
def ran(monkeypatch, capsys, tmp_path):
    """Runs the command line in this process; exit code and stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    def run(*words: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["otabridge", "demo", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        return int(ended.value.code or 0), capsys.readouterr().err

    return run


def test_a_check_that_does_not_hold_is_exit_code_1(ran, given, monkeypatch):
    """A pipeline notices."""
    act = Act("good release", "completed", 1.0, 0, {}, (Check("it works", holds=False, seen="not"),), ())
    monkeypatch.setattr(demo, "play", lambda *_: DemoResult(4, "given", 1, 1, 1.0, (act,)))

    assert ran(*given)[0] == 1


def test_a_folder_in_use_is_refused(ran, tmp_path):
    """An empty one will do."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").touch()

    assert ran("--keep", "mine") == (2, "otabridge: --keep mine is not empty: name a new or an empty folder\n")
    assert ran("--keep", "mine/thesis.txt") == (2, "otabridge: --keep mine/thesis.txt: File exists\n")


def test_a_full_disk_is_a_sentence_and_nothing_stays(ran, monkeypatch, tmp_path):
    """Whenever it happens; here while the images are made."""

    def fill(*_):
        raise OSError(errno.ENOSPC, "No space left on device", "/tmp/full/old.img")

    monkeypatch.setattr(demo, "build", fill)

    assert ran() == (1, "otabridge: /tmp/full/old.img: No space left on device\n")
    assert list(tmp_path.iterdir()) == []


def test_too_little_room_is_said_before_anything_is_built(ran, given, monkeypatch):
    """With what is needed and what there is."""
    monkeypatch.setattr(images, "SPARE", 1 << 50)

    code, said = ran(*given)

    assert code == 2
    assert "4 devices with slots of" in said
    assert "choose fewer --devices, or another folder" in said


def test_a_command_that_ends_otherwise_is_told_with_its_words(tmp_path):
    """Without a terminal nobody saw them."""
    with pytest.raises(DemoFailed, match=r"(?s)otabridge root show: exit code 2, expected 0\n.*trust holds neither"):
        CommandLine(tmp_path, {}).run("root", "show")

"""What is counted of processes, and how files are served to them."""

from __future__ import annotations

import os
import subprocess
import sys
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import pytest

from benchmarks.install.caches import Temperature, bring
from benchmarks.install.contestant import Checks, Facts, Session, Spent
from benchmarks.install.measuring import measure
from benchmarks.install.payload import payload_in
from benchmarks.install.processes import descendants, high_water, processor_seconds
from benchmarks.install.programs import run
from benchmarks.install.resident import OneOffer
from benchmarks.install.serving import serving
from bridge.release.report import Phase, Progress

MIB = 1 << 20


class Copier:
    """Copies the image by a grandchild that holds 64 MiB and works for a tenth of a second of processor time."""

    facts = Facts("copier", "", "", "", Checks())

    def __init__(self, image, slot):
        self.artifact, self.sources, self.slot = image, (image,), slot

    @contextmanager
    def session(self):
        yield Session(self._install)

    def _install(self):
        program = "import time; held = b'x' * (64 << 20)\nwhile time.process_time() < 0.3: pass"
        run(["sh", "-c", f"'{sys.executable}' -c \"$1\"; cp '{self.artifact}' '{self.slot}'", "sh", program])
        return Spent(0.25, 0.125)


def test_the_whole_tree_is_counted(tmp_path):
    """Time of processors and memory of a grandchild; the part that read back is passed on."""
    old, new = tmp_path / "old", tmp_path / "new"
    old.write_bytes(b"old")
    new.write_bytes(bytes(MIB))
    payload = payload_in(tmp_path / "cache", old, new)
    cost = measure(Copier(new, tmp_path / "slot"), payload, Temperature.HOT, frozenset())
    assert 0.3 <= cost.spent.cpu <= cost.spent.wall * (os.cpu_count() or 1) + 0.1
    assert 64 * MIB < cost.peak < 200 * MIB
    assert cost.read_back == Spent(0.25, 0.125)


def test_descendants_leave_out_whom_they_are_told_to():
    """The server of files is nobody's."""
    with subprocess.Popen(["sh", "-c", "echo up; cat; exit 0"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as shell:
        shell.stdout.readline()
        assert shell.pid in descendants(os.getpid())
        assert shell.pid not in descendants(os.getpid(), frozenset({shell.pid}))
        assert high_water(shell.pid) > 0
        shell.stdin.close()


def test_a_process_that_has_ended_counts_nothing():
    """It ended between two looks."""
    ended = subprocess.Popen(["true"])
    ended.wait()
    assert (high_water(ended.pid), processor_seconds([ended.pid])) == (0, 0)


def test_bringing_to_a_temperature_leaves_the_files_as_they_are(tmp_path):
    """Only the cache changes."""
    file = tmp_path / "file"
    file.write_bytes(b"content")
    bring(Temperature.HOT, [file])
    assert file.read_bytes() == b"content"


@pytest.mark.parametrize(
    ("asked", "body", "status"),
    [(None, b"0123456789", 200), ("bytes=4-", b"456789", 206), ("bytes=4-5", b"45", 206), ("bytes=8-99", b"89", 206)],
)
def test_files_are_served_whole_and_in_part(tmp_path, asked, body, status):
    """As the agent asks: from a byte on, or up to another."""
    (tmp_path / "below").mkdir()
    (tmp_path / "below/file").write_bytes(b"0123456789")
    with serving(tmp_path, tmp_path / "log") as server:
        headers = {} if asked is None else {"Range": asked}
        request = urllib.request.Request(server.url(tmp_path / "below/file"), headers=headers)
        with urllib.request.urlopen(request) as answer:
            assert (answer.status, answer.read()) == (status, body)


def test_nothing_outside_the_folder_is_served(tmp_path):
    """Whatever the path says."""
    (tmp_path / "served").mkdir()
    (tmp_path / "secret").write_bytes(b"secret")
    with serving(tmp_path / "served", tmp_path / "log") as server:
        with pytest.raises(urllib.error.HTTPError, match="404") as refused:
            urllib.request.urlopen(f"{server.base}/../secret")
        refused.value.close()
        with pytest.raises(ValueError, match="secret"):
            server.url(tmp_path / "secret")


def test_reading_back_lasts_from_checking_to_switching():
    """Other phases do not count, nor does an installation that did not come that far."""
    channel = OneOffer(Path("release"), "http://127.0.0.1/artifact")
    channel.progress("bench", Progress(Phase.DOWNLOADING))
    channel.progress("bench", Progress(Phase.CHECKING))
    assert channel.read_back() == (0.0, 0.0)
    channel.progress("bench", Progress(Phase.CHECKING, 50))
    channel.progress("bench", Progress(Phase.SWITCHING))
    wall, cpu = channel.read_back()
    assert wall > 0
    assert cpu >= 0

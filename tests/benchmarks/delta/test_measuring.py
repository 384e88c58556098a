"""What commands take is measured, and limits end them: what did not finish is a result."""

from __future__ import annotations

import sys

import pytest

from benchmarks.delta.measuring import Limits, Unfinished, run

MEGABYTE = 10**6


def python(program: str) -> list[str]:
    return [sys.executable, "-I", "-S", "-c", program]


def test_cpu_and_memory_are_those_of_the_command():
    """80 MB that were written to are seen; so is the CPU that was burnt."""
    cost = run(python("import time\nb = bytes(range(256)) * 312500\nwhile time.process_time() < 0.3: pass"), Limits())

    assert 80 * MEGABYTE < cost.peak < 120 * MEGABYTE
    assert 0.3 <= cost.cpu < 3


def test_the_parent_s_own_size_is_not_measured():
    """A process begins with the peak of the one that started it: the starter is small, whoever wants to know is not."""
    held = b"1" * (200 * MEGABYTE)
    cost = run(["true"], Limits())

    assert cost.peak < 20 * MEGABYTE < len(held)


def test_children_count_together():
    """Two processes that hold 60 MB each at the same moment are 120 MB."""
    hold = "import time; b = bytes(range(256)) * 234375; time.sleep(1)"
    cost = run(python(f"import subprocess, sys\nc = [sys.executable, '-c', {hold!r}]\n"
                      "for p in [subprocess.Popen(c) for _ in 'ab']: p.wait()"), Limits())  # fmt: skip

    assert cost.peak > 115 * MEGABYTE


@pytest.mark.parametrize(
    ("command", "limits", "reason"),
    [
        (python("while True: pass"), Limits(cpu=1), "over 1 s of CPU"),
        (python("b = bytes(1 << 30)"), Limits(memory=300 * MEGABYTE), "over 0.3 GB"),
        (python("import time; time.sleep(100)"), Limits(wall=1), "over 1 s"),
        (python("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"), Limits(), "SIGSEGV after 0 s of CPU"),
        (python("raise SystemExit('no such window')"), Limits(), "no such window"),
        (["sh", "-c", "exit 3"], Limits(), "exit code 3"),
        (["otabridge-no-such-program"], Limits(), "otabridge-no-such-program: No such file or directory"),
    ],
)
def test_what_did_not_finish_says_why(command, limits, reason):
    """Limits, signals and exit codes, in the words that the table shows."""
    with pytest.raises(Unfinished) as error:
        run(command, limits)

    assert str(error.value) == reason

"""The tutorial, typed in by a patient reader: every command, in order, as it stands there or with the other cloud."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[3] / "docs" / "tutorial.md"
BLOCK = re.compile(r"(?:<!-- (?P<note>[^>]*) -->\n)?```sh\n(?P<code>.*?)```", re.DOTALL)
SETUP = "export PATH="
"""The block that finds the commands; the test has its own."""
SECOND = "second terminal"
FOLDER = "otabridge-tutorial"


@dataclass(frozen=True)
class Block:
    """Commands that are typed in together, and the exit code of the last one."""

    code: str
    exit_code: int
    second: bool


def blocks() -> list[Block]:
    """Every block of commands in the tutorial."""
    found = [(match["code"], match["note"] or "exit code 0") for match in BLOCK.finditer(PAGE.read_text())]
    typed = [(code, note) for code, note in found if not code.startswith(SETUP)]
    return [Block(code, 0 if note == SECOND else int(note.split()[-1]), note == SECOND) for code, note in typed]


def script(chosen: list[Block]) -> str:
    """A shell script that ends with 99 at the first block that does not end as the tutorial says."""
    return "\n".join(
        f"set -e\nif [ {block.exit_code} != 0 ]; then set +e; fi\n{block.code}\n"
        f'ended=$?; [ $ended = {block.exit_code} ] || {{ echo "ended with $ended" >&2; exit 99; }}'
        for block in chosen
    )


@contextmanager
def second_terminal(block: Block, folder: Path, environment: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """The simulator, until the block ends with Ctrl-C; then no agent of its devices is left."""
    words = ["sh", "-c", f"exec {block.code}"]
    with subprocess.Popen(words, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True) as running:
        try:
            assert "runs here until Ctrl-C" in running.stdout.readline()
            yield running
        finally:
            running.send_signal(signal.SIGINT)
            said = running.communicate(timeout=60)[0]
        assert running.returncode == 0
        assert "boots slot b, on trial" in said


@pytest.fixture
def environment(tmp_path):
    """That of a reader, with the commands of this interpreter in PATH."""
    path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
    return {"PATH": path, "HOME": str(tmp_path), "LC_ALL": "C.UTF-8"}


def run(chosen: list[Block], folder: Path, environment: dict[str, str]) -> str:
    """What the commands printed, once they ended as the tutorial says."""
    line = ["bash", "-c", script(chosen)]
    done = subprocess.run(line, cwd=folder, env=environment, capture_output=True, text=True, timeout=150, check=False)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.mark.parametrize("cloud", ["aws", "azure"])
def test_every_command_of_the_tutorial_does_what_it_says(tmp_path, environment, cloud):
    """Keys to history: the good release reaches all devices, the bad one stops at the first; in either cloud."""
    typed = [replace(block, code=block.code.replace("sim aws", f"sim {cloud}")) for block in blocks()]
    second = next(number for number, block in enumerate(typed) if block.second)
    run(typed[:second], tmp_path, environment)
    folder = tmp_path / FOLDER
    environment |= {"OTABRIDGE_PASSPHRASE": "correct horse battery"}
    with second_terminal(typed[second], folder, environment):
        said = run(typed[second + 1 :], folder, environment)

    assert said.count("state    completed, stage 2 of 2") == 2  # of apply, and of status
    assert "slot b     demo-os 2.0.0 (runs, default, committed)" in said
    assert "state    stopped, stage 1 of 2" in said
    assert said.count("fell-back: slot b runs 2.0.0") == 1


def test_the_tutorial_names_three_blocks_that_end_otherwise():
    """An exit code that a reader would stumble over is announced: a refusal, the second terminal, a stop."""
    assert [block.exit_code for block in blocks() if block.exit_code] == [11, 20]
    assert sum(block.second for block in blocks()) == 1

"""Real processes of `otabridge` that need not load everything anew: each is forked from one that has.

    with nursery(MORTAL, "adapters.aws.cloud") as born:
        ended = born.run(["nothing:before:1", "rollout", "list"], cwd=folder, env=environment)

Loading takes longer than most commands. The program in the file has a function `run`, which gets the words.
"""

from __future__ import annotations

import importlib
import json
import os
import runpy
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Nursery:
    """A process that has loaded the program, and forks."""

    process: subprocess.Popen[str]

    def run(self, words: Sequence[str], *, cwd: Path, env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
        """One process of the program, to its end; how it ended, as subprocess tells it."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
            files = [f"/proc/{os.getpid()}/fd/{file.fileno()}" for file in (out, err)]
            order = {"words": [*words], "cwd": str(cwd), "env": {**env}, "files": files}
            self.process.stdin.write(json.dumps(order) + "\n")
            self.process.stdin.flush()
            answer = self.process.stdout.readline()
            assert answer, "the nursery has died"
            return subprocess.CompletedProcess([*words], int(answer), *(_whole(file) for file in (out, err)))


def _whole(file) -> str:
    file.seek(0)
    return file.read()


@contextmanager
def nursery(program: Path, *modules: str) -> Iterator[Nursery]:
    """One for the program in the file, with `modules` loaded besides the command line; nothing of it is left after."""
    line = [sys.executable, "-P", __file__, str(program), "bridge.cli.app", "bridge.cli.rollout", *modules]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(line, env=environment, start_new_session=True, **pipes) as process:
        try:
            yield Nursery(process)
        finally:
            os.killpg(process.pid, signal.SIGKILL)


def _serve() -> dict:
    """Fork for each order, and answer with the exit code; returns in the forked process, with its order."""
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            return json.loads(line)
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()
    sys.exit(0)


def _become(order: dict) -> None:
    """Look like a process of its own."""
    for number, path in enumerate([os.devnull, *order["files"]]):
        os.dup2(os.open(path, os.O_RDWR), number)
    os.chdir(order["cwd"])
    os.environ.clear()
    os.environ.update(order["env"])


if __name__ == "__main__":
    run = runpy.run_path(sys.argv[1])["run"]
    for name in sys.argv[2:]:
        importlib.import_module(name)
    order = _serve()
    _become(order)
    run(order["words"][0], order["words"][1:])

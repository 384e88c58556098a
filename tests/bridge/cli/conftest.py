"""Runs the command line in this process, as its entry point does."""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
import typer.main

from bridge import wiring
from bridge.cli import rollout_apply
from bridge.cli.main import main
from tests.bridge.cli.desk import CONFIG, NEXT_YEAR, ROLLOUT, Desk, Ended
from tests.bridge.fakes import FakeFleet
from tests.bridge.plans import ids
from tests.releases import ReleaseKit

PASSPHRASE = "correct horse battery"
HASTE = 10
"""Passes of `rollout apply` follow each other so many times as fast as it is told; the least is a tenth of a second."""


@dataclass(frozen=True, slots=True)
class Ran:
    """What a person or a script sees of one command."""

    exit_code: int
    out: str
    err: str

    @property
    def json(self):
        """The result, where `-o json` asked for it."""
        return json.loads(self.out)


Otabridge = Callable[..., Ran]


@pytest.fixture(scope="session", autouse=True)
def _one_tree() -> Iterator[None]:
    """The tree of commands is made once for all tests, and not, as by each process of `otabridge`, for every call."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(typer.main, "get_command", functools.cache(typer.main.get_command))
        yield


@pytest.fixture
def otabridge(monkeypatch, capsys, tmp_path) -> Otabridge:
    """`otabridge(*arguments)` in an empty folder, with a passphrase in the environment and no terminal."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OTABRIDGE_PASSPHRASE", PASSPHRASE)
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: object) -> Ran:
        monkeypatch.setattr(sys, "argv", ["otabridge", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        return Ran(ended.value.code or 0, out, err)

    return run


@pytest.fixture
def desk(tmp_path, monkeypatch, capsys) -> Desk:
    """Ready to apply: 20 devices in each of two fleets, a release signed by two of three approvers."""
    fleets = {name: FakeFleet(name, ids(name, 20), eager=True) for name in ("factory", "depot")}
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(rollout_apply, "patience", lambda interval, timeout: wiring.patience(interval / HASTE, timeout))
    monkeypatch.setattr("bridge.wiring.open_fleet", lambda config, name: fleets[config.fleet(name).name])
    monkeypatch.setenv("COLUMNS", "1000")
    for variable in ("OTABRIDGE_CONFIG", "OTABRIDGE_STORE_URL", "OTABRIDGE_OUTPUT"):
        monkeypatch.delenv(variable, raising=False)

    def otabridge(*words: str) -> Ended:
        monkeypatch.setattr("sys.argv", ["otabridge", *words])
        with pytest.raises(SystemExit) as exited:
            main()
        captured = capsys.readouterr()
        code = exited.value.code
        return Ended(code if isinstance(code, int) else 0, captured.out, captured.err)

    desk = Desk(tmp_path, ReleaseKit(root_expires=NEXT_YEAR), fleets, otabridge)
    (tmp_path / "otabridge.toml").write_text(CONFIG)
    desk.write(ROLLOUT)
    desk.write_trust()
    desk.write_release()
    return desk

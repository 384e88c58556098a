"""Runs the command line in this process, as its entry point does."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from bridge.cli.main import main

PASSPHRASE = "correct horse battery"


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

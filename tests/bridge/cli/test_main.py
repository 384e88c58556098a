"""`otabridge` before it has begun: what stops it while its libraries are being loaded."""

from __future__ import annotations

import subprocess
import sys

import pytest

from bridge.cli.main import main


class Interrupted:
    """Ctrl-C, at the moment in which the commands are looked for."""

    def find_spec(self, name: str, _path: object = None, _target: object = None) -> None:
        """As a finder of modules."""
        if name == "bridge.cli.app":
            raise KeyboardInterrupt


def test_ctrl_c_while_libraries_are_loaded_ends_it_quietly(monkeypatch, capsys):
    """With the exit code of every other Ctrl-C, and no traceback."""
    monkeypatch.delitem(sys.modules, "bridge.cli.app", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Interrupted(), *sys.meta_path])

    with pytest.raises(SystemExit) as ended:
        main()

    assert ended.value.code == 130
    assert capsys.readouterr().err == ""


def test_a_library_that_is_missing_is_told_when_it_is_needed(monkeypatch, capsys):
    """numpy is loaded by those commands alone that calculate with it; without it they say what to install."""

    def lacking() -> None:
        raise ModuleNotFoundError("No module named 'numpy'", name="numpy")

    monkeypatch.setattr("bridge.cli.app.app", lacking)

    with pytest.raises(SystemExit) as ended:
        main()

    assert ended.value.code == 2
    assert "pip install 'otabridge[aws,azure]'" in capsys.readouterr().err


def test_the_command_line_loads_without_numpy():
    """It would double the time in which `otabridge --help` answers."""
    loaded = "import sys, bridge.cli.app; sys.exit('numpy' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", loaded], check=False, timeout=120).returncode == 0

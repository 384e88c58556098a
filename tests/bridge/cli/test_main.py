"""`otabridge` before it has begun: what stops it while its libraries are being loaded."""

from __future__ import annotations

import subprocess
import sys

import pytest

from bridge.cli.main import main

INTERRUPTED = """
import sys


class Interrupted:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            raise KeyboardInterrupt


sys.meta_path.insert(0, Interrupted())
from bridge.cli.main import main
main()
"""


@pytest.mark.parametrize("module", ["bridge.cli.app", "bridge.cli.keys"], ids=["tree", "command"])
def test_ctrl_c_while_libraries_are_loaded_ends_it_quietly(module):
    """With the exit code of every other Ctrl-C, and no traceback; no matter whose libraries they are."""
    line = [sys.executable, "-c", INTERRUPTED.format(module=module), "keys", "create", "ann"]

    done = subprocess.run(line, check=False, capture_output=True, text=True, timeout=120)

    assert (done.returncode, done.stdout + done.stderr.strip()) == (130, "")


def test_a_library_that_is_missing_is_told_by_the_command_that_needs_it():
    """What there is may be enough to begin, and for other commands."""
    program = "import sys; sys.modules['sqlalchemy'] = None; from bridge.cli.main import main; main()"
    line = [sys.executable, "-c", program, "ledger", "verify"]

    done = subprocess.run(line, check=False, capture_output=True, text=True, timeout=120)

    assert (done.returncode, done.stdout) == (2, "")
    assert "pip install 'otabridge[aws,azure]'" in done.stderr


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

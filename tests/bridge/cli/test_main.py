"""`otabridge` before it has begun: what stops it while its libraries are being loaded."""

from __future__ import annotations

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

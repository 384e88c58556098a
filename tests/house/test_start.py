"""What `--help` loads, seen in a fresh interpreter: an answer must not wait for what it does not need."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAM = """
import contextlib, importlib, io, json, sys

module, *sys.argv = sys.argv[1:]
try:
    with contextlib.redirect_stdout(io.StringIO()) as shown:
        sys.exit(importlib.import_module(module).main())
except SystemExit as ended:
    print(json.dumps({"code": ended.code or 0, "shown": shown.getvalue(), "loaded": sorted(sys.modules)}))
"""
CONTROL_PLANE = ("alembic", "icalendar", "moto", "numpy", "psycopg", "recurring_ical_events", "sqlalchemy", "yaml")
CLOUDS = ("adapters.aws", "adapters.azure", "azure.storage", "azure.iot")
VERIFYING = ("boto3", "cryptography", "msgspec", "securesystemslib", "tuf")

LINES = [
    (
        ("bridge.cli.main", "otabridge", "--help"),
        (*CONTROL_PLANE, *CLOUDS, *VERIFYING, "adapters", "bridge.engine", "rich"),
    ),
    (("bridge.cli.main", "otabridge", "--version"), (*CONTROL_PLANE, *CLOUDS, *VERIFYING, "adapters", "bridge.engine")),
    (("bridge.cli.main", "otabridge", "keys", "--help"), (*CONTROL_PLANE, *CLOUDS, "adapters", "bridge.engine")),
    (("bridge.cli.main", "otabridge", "root", "--help"), (*CONTROL_PLANE, *CLOUDS, "adapters", "bridge.engine")),
    (("bridge.cli.main", "otabridge", "delta", "--help"), (*CONTROL_PLANE, *CLOUDS, "adapters", "bridge.engine")),
    (("agent.cli", "otabridge-agent", "--help"), (*CONTROL_PLANE, *CLOUDS, "bridge.cli", "rich", "typer")),
]


@pytest.mark.parametrize(("words", "spared"), LINES, ids=lambda words: " ".join(words[1:]))
def test_help_loads_nothing_that_it_does_not_need(words, spared):
    """It answers, and none of the modules was loaded for it."""
    line = [sys.executable, "-c", PROGRAM, *words]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=True)
    answer = json.loads(done.stdout)

    assert answer["code"] == 0
    assert "otabridge" in answer["shown"]
    assert [each for each in answer["loaded"] if any(f"{each}.".startswith(f"{name}.") for name in spared)] == []

"""Where `otabridge` starts: before anything that only the control plane has is imported."""

from __future__ import annotations

import sys

from bridge.release.errors import OtabridgeError

NO_CONTROL_PLANE = (
    "otabridge: this installation holds the device agent only (the command otabridge-agent).\n"
    "For the control plane install otabridge with the extra of your cloud, or both: pip install 'otabridge[aws,azure]'"
)

INTERRUPTED = 130
"""By Ctrl-C, also while libraries are being loaded."""

CONTROL_PLANE = frozenset(
    {
        "alembic",
        "cronsim",
        "icalendar",
        "numpy",
        "recurring_ical_events",
        "rich",
        "sqlalchemy",
        "tomlkit",
        "typer",
        "yaml",
    }
)
"""Libraries of the extra `cli`. Without most of them the command cannot even begin; numpy is loaded where needed."""


def main() -> None:
    """Run the command line; every OtabridgeError becomes one sentence on stderr and its own exit code, as an OSError
    becomes one with 1."""
    try:
        from bridge.cli.app import app
    except ModuleNotFoundError as error:
        sys.exit(_explain_missing(error))
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    try:
        app()
    except ModuleNotFoundError as error:
        sys.exit(_explain_missing(error))
    except OtabridgeError as error:
        sys.stderr.write(f"otabridge: {error}\n")
        sys.exit(error.exit_code)
    except OSError as error:
        sys.stderr.write(f"otabridge: {_explain_system(error)}\n")
        sys.exit(1)


def _explain_system(error: OSError) -> str:
    """A full disk, a folder without permission: what the system says, and of which file."""
    what = error.strerror or str(error)
    return f"{error.filename}: {what}" if error.filename else what


def _explain_missing(error: ModuleNotFoundError) -> int:
    if error.name not in CONTROL_PLANE:
        raise error
    sys.stderr.write(NO_CONTROL_PLANE + "\n")
    return 2

"""Where `otabridge` starts: before anything that only the control plane has is imported."""

from __future__ import annotations

import sys

from bridge.release.errors import OtabridgeError

NO_CONTROL_PLANE = (
    "otabridge: this installation holds the device agent only (the command otabridge-agent).\n"
    "For the control plane install otabridge with the extra of your cloud: pip install 'otabridge[aws]'"
)


def main() -> None:
    """Run the command line; every OtabridgeError becomes one sentence on stderr and its own exit code."""
    try:
        from bridge.cli.app import app
    except ModuleNotFoundError as error:
        sys.exit(_explain_missing(error))
    try:
        app()
    except OtabridgeError as error:
        sys.stderr.write(f"otabridge: {error}\n")
        sys.exit(error.exit_code)


def _explain_missing(error: ModuleNotFoundError) -> int:
    if error.name not in {"typer", "rich", "yaml", "sqlalchemy"}:
        raise error
    sys.stderr.write(NO_CONTROL_PLANE + "\n")
    return 2

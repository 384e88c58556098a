"""Which agent this is."""

from __future__ import annotations

import importlib.metadata


def agent_version() -> str:
    """The version of the installed distribution; "" when the agent runs from a checkout that is not installed."""
    try:
        return importlib.metadata.version("otabridge")
    except importlib.metadata.PackageNotFoundError:
        return ""

"""What tests of the control plane share."""

from __future__ import annotations

import pytest

from tests.bridge.worlds import World


@pytest.fixture
def world(tmp_path) -> World:
    """Two fleets of 20 devices, an empty store."""
    return World(tmp_path)

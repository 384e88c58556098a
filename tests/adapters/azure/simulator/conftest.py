"""A running Azure on loopback, and the real SDKs signed in to it."""

from __future__ import annotations

import pytest
import urllib3

from adapters.azure.simulator.simulator import AzureSimulator
from tests.adapters.azure.simulator.cloud import FILES, Board, signed_in


@pytest.fixture
def simulator(tmp_path):
    """A fresh Azure without any delay."""
    with AzureSimulator(tmp_path / "azure") as running:
        yield running


@pytest.fixture
def cloud(simulator, monkeypatch):
    """Clients of it."""
    with signed_in(simulator, monkeypatch) as clients:
        yield clients


@pytest.fixture
def get(simulator):
    """A request without any SDK; GET by default."""
    with urllib3.PoolManager(ca_certs=str(simulator.ca_file)) as pool:
        yield lambda url, method="GET", **options: pool.request(method, url, retries=False, **options)


@pytest.fixture
def board(simulator):
    """A device in group ring."""
    return Board(simulator, "pump", group="ring")


@pytest.fixture
def told(cloud, board):
    """What that device is told of a deployment."""
    cloud.deploy(cloud.import_update(files=FILES), "ring")
    return board.told()

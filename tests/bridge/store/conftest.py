"""The databases that tests of the store run on: each test that asks `where` runs once on SQLite, once on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bridge.store.store import Store
from tests.postgres import NoPostgres, Server, server


@pytest.fixture(scope="session")
def shared_server() -> Iterator[Server]:
    """One server for all tests of a worker that do not kill it."""
    try:
        with server() as started:
            yield started
    except NoPostgres as error:
        pytest.skip(str(error))


@pytest.fixture
def mortal_server() -> Iterator[Server]:
    """A server to kill."""
    try:
        with server() as started:
            yield started
    except NoPostgres as error:
        pytest.skip(str(error))


@pytest.fixture
def path(tmp_path):
    """Where a store in a file lies; the folder is made by the store."""
    return tmp_path / "state" / "otabridge.db"


@pytest.fixture(scope="session")
def model(shared_server) -> str:
    """A store without rollouts, to copy: that is faster than making one for each test."""
    url = shared_server.database()
    Store(url).close()
    return url


@pytest.fixture
def url(shared_server, model) -> str:
    """The URL of a store without rollouts."""
    return shared_server.database(model)


@pytest.fixture(params=["sqlite", "postgres"])
def where(request):
    """Where an empty store is, of each kind."""
    return request.getfixturevalue({"sqlite": "path", "postgres": "url"}[request.param])


@pytest.fixture
def store(where) -> Store:
    """An empty store of each kind."""
    return Store(where)

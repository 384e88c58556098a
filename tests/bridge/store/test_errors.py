"""What a database refuses, as a sentence with a next step."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest
import sqlalchemy as sa

from bridge.errors import StoreError
from bridge.store.errors import mapped


def execute(path, statement: str) -> None:
    """Run `statement` as the store does, without waiting for a lock."""
    engine = sa.create_engine(f"sqlite:///{path}", poolclass=sa.NullPool, connect_args={"timeout": 0})
    with mapped("otabridge.db"), engine.connect() as connection:
        connection.exec_driver_sql(statement)


def test_a_store_that_another_process_writes_to_says_what_to_do(tmp_path):
    """Wait, or end it; then the same command."""
    with closing(sqlite3.connect(tmp_path / "db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError) as refused:
            execute(tmp_path / "db", "BEGIN IMMEDIATE")

    assert str(refused.value) == (
        "otabridge.db: database is locked; nothing was written. Another process is writing to it: wait until that is "
        "done, or end it, then run the same command again"
    )


def test_what_no_waiting_cures_does_not_say_so(tmp_path):
    """Only what the database said."""
    with pytest.raises(StoreError) as refused:
        execute(tmp_path / "db", "SELECT * FROM absent")

    assert str(refused.value) == "otabridge.db: no such table: absent; nothing was written"

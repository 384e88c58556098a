"""Alembic, told what to do by a program: no ini file, no command line, no connection of its own."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config

MIGRATIONS = Path(__file__).with_name("migrations")


def upgrade(connection: sa.Connection, found: str | None, wanted: str) -> None:
    """Lead a store with the schema `found` to `wanted`, in the transaction of `connection`.

    The first release did not use Alembic. What it made is what the first migration makes, so it is marked as such.
    """
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    if found is not None:
        command.stamp(config, found)
    command.upgrade(config, wanted)

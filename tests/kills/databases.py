"""Databases of one PostgreSQL server, made from a model and dropped again; usable from every process."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count

import psycopg

from tests.postgres import USER

_NUMBERS = count(1)


@dataclass(frozen=True, slots=True)
class Databases:
    """Of the server on the Unix socket in `folder`, each like the database `model`."""

    folder: str
    model: str

    @contextmanager
    def new(self) -> Iterator[str]:
        """The URL of a database for the block."""
        name = f"k{os.getpid()}_{next(_NUMBERS)}"
        self._run(f"CREATE DATABASE {name} TEMPLATE {self.model} STRATEGY file_copy")
        try:
            yield f"postgresql+psycopg://{USER}@/{name}?host={self.folder}"
        finally:
            self._run(f"DROP DATABASE {name} WITH (FORCE)")

    def cut(self, url: str) -> None:
        """End every session with the database at `url`, as a network or a fail-over does."""
        name = url.partition("?")[0].rpartition("/")[2]
        self._run(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")

    def _run(self, statement: str) -> None:
        with psycopg.connect(host=self.folder, user=USER, dbname="postgres", autocommit=True) as connection:
            connection.execute(statement)

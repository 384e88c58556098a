"""What can go wrong with the store, and the one place where foreign exceptions become ours."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
import sqlalchemy as sa

from bridge.errors import StoreError

_PRIMARY = 0xFF
"""The bits of a result code of SQLite that say what it is; the others say which kind of that."""


class LostHold(StoreError):
    """The lock on the rollout is gone, so that another process may act on it: do nothing more, hold it anew."""


@contextmanager
def mapped(label: str) -> Iterator[None]:
    """Foreign exceptions of the body as StoreError; `label` says which store it was."""
    try:
        yield
    except sa.exc.DBAPIError as error:
        raise StoreError(f"{label}: {told(error)}; nothing was written{_next_step(error)}") from error
    except sa.exc.TimeoutError as error:
        raise StoreError(f"{label}: no connection became free; nothing was written") from error
    except OSError as error:
        raise StoreError(f"{label}: {error}") from error
    except (sa.exc.SQLAlchemyError, msgspec.MsgspecError, ValueError, TypeError, RecursionError) as error:
        raise damaged(label, error) from error


def _next_step(error: sa.exc.DBAPIError) -> str:
    """Of SQLite, where one process writes at a time; "" where there is nothing to say."""
    code = error.orig.sqlite_errorcode if isinstance(error.orig, sqlite3.OperationalError) else sqlite3.SQLITE_OK
    if code & _PRIMARY != sqlite3.SQLITE_BUSY:
        return ""
    return ". Another process is writing to it: wait until that is done, or end it, then run the same command again"


def damaged(label: str, what: object) -> StoreError:
    """The refusal of a store that holds `what` it should not."""
    return StoreError(f"{label}: holds what otabridge did not write ({what}): restore a backup of it")


def told(error: sa.exc.DBAPIError) -> str:
    """What the database said, on one line and without hints for its own programmers."""
    lines = [line.strip() for line in str(error.orig).splitlines() if line.strip()]
    return lines[0] if lines else "the connection was lost"

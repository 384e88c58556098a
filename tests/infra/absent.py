"""What a machine may lack without a check having failed: each thing by name, with what to do about it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import pytest

Found = TypeVar("Found")


class Absent(Exception):
    """A program or provider is not on this machine. The message names it, and says where it is looked for."""


def found_or_skip(find: Callable[[], Found]) -> Found:
    """What `find` finds; where it raises Absent the test is skipped for that reason."""
    with skipping_where_absent():
        return find()


@contextmanager
def skipping_where_absent() -> Iterator[None]:
    """Turn Absent into a skipped test with its message."""
    try:
        yield
    except Absent as absence:
        pytest.skip(str(absence))

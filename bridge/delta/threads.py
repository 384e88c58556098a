"""The threads that work on a delta."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager


@contextmanager
def threads_of(executor: Executor | None, workers: int) -> Iterator[Executor]:
    """`executor`, which stays open, or `workers` threads for so long."""
    if executor is not None:
        yield executor
        return
    pool = ThreadPoolExecutor(workers)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)

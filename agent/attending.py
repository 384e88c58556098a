"""Does what cannot be interrupted, such as the look-up of a name, on a thread of its own, while this one beats."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import TypeVar

from agent.pace import Timing

Answer = TypeVar("Answer")

SLICE_SECONDS = 0.5


def begun(act: Callable[[], Answer], name: str) -> Future[Answer]:
    """What `act` is going to return or raise."""
    answer: Future[Answer] = Future()
    # A daemon: what hangs must not keep the process from ending.
    threading.Thread(target=_fulfil, args=(answer, act), name=name, daemon=True).start()
    return answer


def attended(answer: Future[Answer], seconds: float, timing: Timing) -> Answer:
    """The answer, or what was raised in its place, waited for up to `seconds`, beating.

    Raises: TimeoutError when there is none by then; what was begun goes on, and nobody listens.
    """
    end = timing.clock() + seconds
    while True:
        timing.beat()
        wait([answer], min(SLICE_SECONDS, seconds))
        if answer.done():
            return answer.result()
        if timing.clock() >= end:
            raise TimeoutError(f"no answer within {seconds:g} s")


def _fulfil(answer: Future[Answer], act: Callable[[], Answer]) -> None:
    try:
        answer.set_result(act())
    except BaseException as error:  # noqa: BLE001 - whatever it was is raised again where the answer is awaited
        answer.set_exception(error)

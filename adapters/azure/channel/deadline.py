"""Calls that know no deadline, under one of ours."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import TypeVar

from bridge.release.errors import ChannelError

Answer = TypeVar("Answer")


class Overdue(ChannelError):
    """No answer within the time; whether the call took effect is not known."""


def settle(act: Callable[[], Answer], seconds: float, where: str) -> Future[Answer]:
    """What came of `act`, its failure too, which ran in a daemon thread. Raises: Overdue after `seconds`.

    A thread that is given up goes on by itself, and never keeps the process from ending. Threads and timers that `act`
    begins are daemons for the same reason, unless it says otherwise.
    """
    answer: Future[Answer] = Future()
    threading.Thread(target=_run, args=(act, answer), name="azure-call", daemon=True).start()
    if not wait([answer], seconds).done:
        raise Overdue(f"{where}: no answer within {seconds:g} seconds")
    return answer


def _run(act: Callable[[], Answer], answer: Future[Answer]) -> None:
    try:
        answer.set_result(act())
    except BaseException as error:  # noqa: BLE001 - handed to the thread that waits, whatever it is
        answer.set_exception(error)

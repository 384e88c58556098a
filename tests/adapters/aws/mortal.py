"""Runs `otabridge` in a process that dies by SIGKILL at one of its calls.

`python mortal.py CreateJob:after:1 rollout apply ...` dies after the first CreateJob took effect; `before` leaves it
undone; `*` counts all calls to AWS and writes to the store together. Without such a call it ends as `otabridge` does,
and tells by its last line on stderr how many calls there were.
"""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
from collections import Counter
from functools import wraps

from botocore.client import BaseClient

from bridge.cli.main import main
from bridge.store.store import Store

_lock = threading.Lock()
_counts: Counter[str] = Counter()


def _mortal(call, name_of, point):
    """`call`, which kills the process at `point`."""
    wanted, moment, number = point.split(":")

    @wraps(call)
    def called(self, *values, **named):
        names = {name_of(values), "*"}
        with _lock:
            _counts.update(names)
            fatal = wanted in names and _counts[wanted] == int(number)
        if fatal and moment == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        result = call(self, *values, **named)
        if fatal:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    return called


def run(point: str, words: list[str]) -> None:
    """Run `otabridge` with `words`, to die at `point`."""
    BaseClient._make_api_call = _mortal(BaseClient._make_api_call, lambda values: values[0], point)
    for name in ("create", "save"):
        setattr(Store, name, _mortal(getattr(Store, name), lambda _, name=name: name, point))
    atexit.register(lambda: sys.stderr.write(f"{_counts['*']}\n"))
    sys.argv = ["otabridge", *words]
    main()


if __name__ == "__main__":
    run(sys.argv[1], sys.argv[2:])

"""Runs `otabridge` in a process that dies by SIGKILL at one of its calls.

`python mortal.py "PUT /jobs/v2/:after:1" rollout apply ...` dies after the first request whose method and path contain
these words was answered; `before` never sends it; `*` counts all requests to Azure and writes to the store together.
Without such a call it ends as `otabridge` does, and tells by its last line on stderr how many calls there were.
"""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
from functools import wraps
from urllib.parse import urlsplit

import requests

from bridge.cli.main import main
from bridge.store.store import Store

ANY = "*"
_lock = threading.Lock()
_calls: list[str] = []


def _mortal(call, name_of, point):
    """`call`, which kills the process at `point`."""
    wanted, moment, number = point.rsplit(":", 2)

    def is_fatal(name):
        with _lock:
            _calls.append(name)
            return _is(wanted, name) and sum(_is(wanted, each) for each in _calls) == int(number)

    @wraps(call)
    def called(self, *values, **named):
        fatal = is_fatal(name_of(values))
        if fatal and moment == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        result = call(self, *values, **named)
        if fatal:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    return called


def _is(wanted, name):
    return wanted == ANY or wanted in name


def _request(values):
    return f"{values[0].method} {urlsplit(values[0].url).path}"


def run(point: str, words: list[str]) -> None:
    """Run `otabridge` with `words`, to die at `point`."""
    requests.Session.send = _mortal(requests.Session.send, _request, point)
    for name in ("create", "save"):
        setattr(Store, name, _mortal(getattr(Store, name), lambda _, name=name: f"store.{name}", point))
    atexit.register(lambda: sys.stderr.write(f"{len(_calls)}\n"))
    sys.argv = ["otabridge", *words]
    main()


if __name__ == "__main__":
    run(sys.argv[1], sys.argv[2:])

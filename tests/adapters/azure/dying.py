"""A process that dies after any of its calls that change something in Azure."""

from __future__ import annotations

import os
from contextlib import contextmanager
from unittest.mock import patch

import requests

from tests.adapters.azure.plant import finish

EVERY = int(os.environ.get("OTABRIDGE_TEST_DEATHS_EVERY", "6"))
"""Processes die after one change in so many. All of them, which takes some minutes:
`OTABRIDGE_TEST_DEATHS_EVERY=1 make test ARGS=tests/adapters/azure/fleet`.
"""


class Died(BaseException):
    """The process was killed; nothing in it may catch this."""


def changes(method, url):
    """Whether a call leaves something behind in Azure."""
    return method != "GET" and not any(word in url for word in ("/devices/query", "comp=userdelegationkey"))


def first_death(number):
    """The change after which the first process dies; tests that differ in `number` sample different ones."""
    return number % EVERY


@contextmanager
def mortal(call):
    """Within it, the process dies right after change number `call` (from 0) took effect."""
    really, made = requests.Session.request, []

    def request(session, method, url, **options):
        response = really(session, method, url, **options)
        if changes(method, url):
            made.append(url)
        if len(made) == call + 1:
            response.close()
            raise Died
        return response

    with patch.object(requests.Session, "request", request):
        yield


def dies(act, call):
    """Whether `act` came so far that it died at that call."""
    with mortal(call):
        try:
            finish(act)
        except Died:
            return True
    return False

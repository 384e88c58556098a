"""A process that dies after any of its calls that change something in Azure."""

from __future__ import annotations

from contextlib import contextmanager
from unittest.mock import patch

import requests

from tests.adapters.azure.plant import finish


class Died(BaseException):
    """The process was killed; nothing in it may catch this."""


def changes(method, url):
    """Whether a call leaves something behind in Azure."""
    return method != "GET" and not any(word in url for word in ("/devices/query", "comp=userdelegationkey"))


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

"""The line to the hub over a client that does as it is told: deadlines, replaced clients, errors in words."""

from __future__ import annotations

import threading

import msgspec
import pytest
from azure.iot.device import exceptions
from azure.iot.device.common import transport_exceptions

from adapters.azure.channel.deadline import Overdue
from adapters.azure.channel.drops import MANY
from adapters.azure.channel.enrolment import Enrolment
from adapters.azure.channel.line import HubLine
from adapters.azure.channel.sdk import Declined, IdentityRefused, explain
from adapters.azure.channel.settings import AzureSettings
from bridge.release.errors import ChannelError

TWIN = {"desired": {"$version": 1}, "reported": {"$version": 1}}


class Client:
    """A client of the SDK's that notes what it is asked; `trouble` maps a call to what it raises, or hangs at."""

    def __init__(self, trouble):
        self.connected = False
        self.calls = []
        self.trouble = trouble
        self.on_connection_state_change = None
        self.on_background_exception = None
        self.on_twin_desired_properties_patch_received = None

    def _did(self, name):
        self.calls.append(name)
        trouble = self.trouble.pop(name, None)
        if isinstance(trouble, threading.Event):
            trouble.wait(30)
        elif trouble is not None:
            raise trouble

    def connect(self):
        self._did("connect")
        self.connected = True

    def get_twin(self):
        self._did("get_twin")
        return TWIN

    def patch_twin_reported_properties(self, reported):
        assert reported
        self._did("patch")

    def shutdown(self):
        self._did("shutdown")
        self.connected = False


class Clients:
    """Makes them, one after the other."""

    def __init__(self):
        self.made = []
        self.trouble = {}

    def __call__(self, settings, assignment):
        assert (assignment.host, assignment.device) == (settings.host, settings.device)
        self.made.append(Client(self.trouble))
        self.trouble = {}
        return self.made[-1]


@pytest.fixture
def settings(tmp_path):
    """Of a device that is told its hub."""
    key = tmp_path / "key"
    key.write_text("a2V5")
    return AzureSettings(
        host="hub.example",
        device="gate-1",
        symmetric_key_file=str(key),
        manufacturer="acme",
        model="gateway-3",
        root_keys_file=str(tmp_path / "roots.json"),
        reply_seconds=0.2,
        connect_seconds=0.2,
    )


@pytest.fixture
def clients():
    """Every client that the line made."""
    return Clients()


@pytest.fixture
def line(settings, clients):
    """The line under test."""
    line = HubLine(settings, Enrolment(settings), clients)
    yield line
    line.close()


@pytest.fixture
def hang():
    """Something that a call hangs at, until the test ends."""
    event = threading.Event()
    yield event
    event.set()


def test_it_reads_the_twin_before_it_listens(line, clients):
    """The SDK's own question for the twin must not come before it can hear the answer."""
    line.twin()

    (client,) = clients.made
    assert client.calls == ["connect", "get_twin", "get_twin"]
    assert client.on_twin_desired_properties_patch_received is not None
    assert line.linked


@pytest.mark.parametrize("call", ["connect", "get_twin", "patch"])
def test_a_call_without_an_answer_ends_in_time_and_its_client_is_replaced(line, clients, hang, call):
    """Nothing hangs; and what the old client still holds cannot arrive after what the new one says."""
    clients.trouble = {call: hang}
    with pytest.raises(Overdue, match=r"IoT Hub hub.example as gate-1: no answer within 0.2 seconds") as raised:
        line.patch({"x": 1})
    assert raised.value.retryable
    assert not line.linked

    line.patch({"x": 1})

    first, second = clients.made
    assert first.calls[-1] == "shutdown"
    assert second.calls == ["connect", "get_twin", "patch"]


@pytest.mark.parametrize("call", ["connect", "get_twin", "patch"])
def test_a_sign_of_life_has_its_time_with_all_that_it_takes(*, settings, clients, hang, call):
    """A connection that has to be made first is part of it: while the hub is away, no install waits for it."""
    patient = msgspec.structs.replace(settings, reply_seconds=3600.0, connect_seconds=3600.0)
    line = HubLine(patient, Enrolment(patient), clients)
    clients.trouble = {call: hang}

    with pytest.raises(Overdue):
        line.patch({"x": 1}, 0.2)
    line.close()


def test_a_hang_at_hanging_up_does_not_keep_us(line, clients, hang):
    """It is left behind in a daemon thread."""
    line.twin()
    clients.made[0].trouble = {"shutdown": hang}

    line.close()
    line.close()

    assert not line.linked
    names = [each.name for each in threading.enumerate() if not each.daemon]
    assert names == ["MainThread"]


def test_a_refusal_in_the_background_replaces_the_client(line, clients):
    """The SDK stops trying then, so waiting for it would be for ever."""
    line.twin()
    clients.made[0].on_background_exception(transport_exceptions.UnauthorizedError("refused"))

    assert line.await_news(0.0)
    assert line.broken
    line.twin()

    assert len(clients.made) == 2


def test_a_connection_that_never_lasts_is_given_a_rest(line, clients):
    """The SDK would mend it at once, and again: the hub is left alone for a while, and the error says why."""
    line.twin()
    for _ in range(MANY):
        clients.made[0].on_background_exception(transport_exceptions.ConnectionDroppedError("dropped"))

    assert line.await_news(0.0)
    assert (line.broken, line.lost) == (True, True)
    for _ in range(2):
        with pytest.raises(ChannelError, match=r"hub.example as gate-1: the connection does not last") as raised:
            line.twin()
        assert raised.value.retryable
    assert clients.made[0].calls[-1] == "shutdown"
    assert len(clients.made) == 1


def test_a_dropped_connection_is_left_to_the_sdk(line, clients):
    """It connects again by itself; the drop is news all the same."""
    line.twin()
    clients.made[0].connected = False
    clients.made[0].on_background_exception(transport_exceptions.ConnectionDroppedError("dropped"))

    assert line.await_news(0.0)
    assert not line.linked
    assert not line.broken
    line.twin()

    assert len(clients.made) == 1


def test_a_patch_is_news_until_it_is_forgotten(line, clients):
    """Each is a hint to read the twin."""
    line.twin()
    assert not line.await_news(0.0)

    clients.made[0].on_twin_desired_properties_patch_received({"$version": 2})

    assert line.await_news(0.0)
    line.forget_news()
    assert not line.await_news(0.0)


def caused(error, cause):
    """`error` as the SDK raises it."""
    error.__cause__ = cause
    return error


def status(code):
    """What the SDK makes of a refused twin operation."""
    cause = exceptions.ServiceError(f"twin operation returned status {code}")
    return caused(exceptions.ClientError("Unexpected failure"), cause)


REFUSED = caused(exceptions.CredentialError("Credentials invalid"), transport_exceptions.UnauthorizedError("rc 5"))
UNTRUSTED = caused(exceptions.ClientError("TLS"), transport_exceptions.TlsExchangeAuthError())
UNREACHABLE = caused(exceptions.ConnectionFailedError("no"), OSError("Name or service not known"))
ERRORS = [
    (REFUSED, IdentityRefused, True, r"hub: it does not let this device in: .*another key or certificate.*clock.*rc 5"),
    (UNTRUSTED, ChannelError, True, r"its certificate is not trusted: `ca_file` must hold its CA.*clock"),
    (UNREACHABLE, ChannelError, True, r"no connection; is it reachable.*Name or service not known"),
    (exceptions.ConnectionDroppedError("Lost"), ChannelError, True, r"the connection dropped \(Lost\)"),
    (exceptions.OperationTimeout("late"), ChannelError, True, r"no answer within the SDK's own time"),
    (status(429), Declined, True, r"hub: answered with status 429"),
    (status(500), Declined, True, r"answered with status 500"),
    (status(400), Declined, False, r"answered with status 400"),
    (status(413), Declined, False, r"answered with status 413"),
    (status(401), IdentityRefused, True, r"does not let this device in.*status 401"),
    (RuntimeError("odd"), ChannelError, True, r"hub: the SDK failed \(odd\)"),
]


@pytest.mark.parametrize(("error", "kind", "retryable", "message"), ERRORS)
def test_every_failure_of_the_sdk_is_a_channel_error_in_words(error, kind, retryable, message):
    """With what to look at next."""
    explained = explain(error, "hub")

    assert type(explained) is kind
    assert explained.retryable is retryable
    with pytest.raises(ChannelError, match=message):
        raise explained


def test_an_answer_that_is_no_twin_is_an_error(line, monkeypatch):
    """Never a traceback."""
    monkeypatch.setattr(Client, "get_twin", lambda _: ["not", "a", "twin"])

    with pytest.raises(ChannelError, match="answer to the question for the twin is none"):
        line.twin()


def missing_key(tmp_path):
    return "symmetric_key_file", tmp_path / "absent", "symmetric_key_file .*/absent: No such file"


def garbled_key(tmp_path):
    path = tmp_path / "garbled"
    path.write_text("not base64!")
    return "symmetric_key_file", path, "symmetric_key_file .*/garbled does not hold a key in base64"


def missing_authority(tmp_path):
    return "ca_file", tmp_path / "absent.pem", "ca_file .*/absent.pem: No such file"


def garbled_authority(tmp_path):
    path = tmp_path / "garbled.pem"
    path.write_text("no PEM")
    return "ca_file", path, "ca .*/garbled.pem is not usable: "


@pytest.mark.parametrize("fault", [missing_key, garbled_key, missing_authority, garbled_authority])
def test_a_file_that_cannot_be_used_is_named(settings, tmp_path, fault):
    """A final error: waiting does not mend it."""
    name, path, message = fault(tmp_path)
    changed = AzureSettings(
        **{field: getattr(settings, field) for field in settings.__struct_fields__} | {name: str(path)}
    )

    with pytest.raises(ChannelError, match=message) as raised:
        HubLine(changed, Enrolment(changed)).twin()
    assert not raised.value.retryable

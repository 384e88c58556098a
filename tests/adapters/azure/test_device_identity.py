"""A device that is not who it says, cannot prove it, or is there twice."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager, suppress
from types import SimpleNamespace

import pytest

from adapters.azure.channel.settings import AzureSettings
from adapters.azure.device import AzureChannel
from adapters.simulation.pki import CertificateAuthority
from bridge.release.errors import ChannelError

WAIT = 30.0
DEVICE = "device-1"
TRIES = 100


@contextmanager
def meanwhile(act):
    """Runs `act` in another thread a moment after the block began to wait."""
    timer = threading.Timer(0.3, act)
    timer.start()
    yield
    timer.join()


def complaints(channel):
    """What the channel says is wrong, question by question; each of them may pass."""
    for _ in range(TRIES):
        with pytest.raises(ChannelError) as raised:
            channel.next_offer(WAIT)
        assert raised.value.retryable
        yield str(raised.value)


def patiently(channel):
    """The next offer, asked for as the agent's service does: again after each error."""
    for _ in range(TRIES):
        with suppress(ChannelError):
            return channel.next_offer(WAIT)
        time.sleep(0.05)
    raise AssertionError("the hub never let it in again")


def test_a_device_with_a_symmetric_key(opened, keyed, deployer, package):
    """Tokens are made from it."""
    channel = opened(**keyed)
    deployer.deploy(package)

    assert channel.next_offer(WAIT).release == package.document


YEAR = 365 * 86_400.0


def set_clock(monkeypatch, seconds):
    """The clock by which the SDK makes tokens."""
    wrong = SimpleNamespace(time=lambda: time.time() + seconds)
    monkeypatch.setattr("azure.iot.device.common.auth.sastoken.time", wrong)


def test_a_clock_a_year_behind_shuts_a_device_with_a_key_out_until_it_is_set(opened, keyed, deployer, package):
    """Its tokens have expired when they are made: the message names the clock, and once it is right all goes on."""
    channel = opened(**keyed)
    deployer.deploy(package)
    with pytest.MonkeyPatch.context() as patch:
        set_clock(patch, -YEAR)
        with pytest.raises(ChannelError, match="with a key, the device's clock must be right") as raised:
            channel.next_offer(WAIT)
    assert raised.value.retryable

    assert channel.next_offer(WAIT).release == package.document


def test_a_clock_a_year_ahead_shuts_nobody_out(opened, keyed, deployer, package, monkeypatch):
    """A token that lasts longer is good all the same."""
    set_clock(monkeypatch, YEAR)
    deployer.deploy(package)

    assert opened(**keyed).next_offer(WAIT).release == package.document


def test_two_agents_with_one_identity_do_not_fight_for_ever(*, opened, settings, deployer, package, monkeypatch):
    """The SDK would connect again at once, without end: they rest instead, say why, and try again later."""
    monkeypatch.setattr("adapters.azure.channel.line.REST_SECONDS", 0.5)
    first, second = opened(), AzureChannel(AzureSettings(**{**settings, "attempts": 1}))
    assert first.next_offer(0.1) is None

    assert any("the connection does not last; does another agent use this" in said for said in complaints(second))
    second.close()
    deployer.deploy(package)

    assert patiently(first).release == package.document


def test_a_key_that_the_hub_refuses_says_what_to_look_at(opened, keyed, tmp_path):
    """An error that may pass: somebody may set the device's key right."""
    (tmp_path / "wrong").write_text("d3Jvbmctd3Jvbmctd3Jvbmctd3Jvbmc=")
    channel = opened(**{**keyed, "symmetric_key_file": str(tmp_path / "wrong")})

    with pytest.raises(ChannelError, match=r"IoT Hub 127\S+ as device-1: it does not let this device in") as raised:
        channel.next_offer(WAIT)
    assert raised.value.retryable


def test_a_device_that_is_shut_out_later_says_so(channel, simulator):
    """In mid-wait: the SDK gives up by itself, the channel says why."""
    assert channel.next_offer(0.1) is None

    with (
        meanwhile(lambda: simulator.hub.remove_device(DEVICE)),
        pytest.raises(ChannelError, match="it does not let this device in"),
    ):
        channel.next_offer(WAIT)


def test_an_unknown_authority_says_what_to_look_at(opened, tmp_path):
    """The hub's certificate is of another CA than the settings name."""
    stranger = CertificateAuthority(tmp_path / "elsewhere")
    channel = opened(ca_file=str(stranger.ca_file), attempts=1)

    with pytest.raises(ChannelError, match="its certificate is not trusted: `ca_file` must hold its CA"):
        channel.next_offer(WAIT)

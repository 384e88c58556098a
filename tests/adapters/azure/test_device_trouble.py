"""A bad line, a busy hub, and a device that is not who it says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest

from adapters.azure.device import open_channel
from adapters.azure.formats.twin_limits import twin_size
from adapters.simulation.faults import Effect
from bridge.release.errors import ChannelError, FailureCode
from bridge.release.report import Outcome, Phase, Progress, Report

ROOT = Path(__file__).parents[3]
WAIT = 30.0
DEVICE = "device-1"
INSTALLED = Report(Outcome.INSTALLED, "b", "2.0.0")
HALFWAY = Progress(Phase.DOWNLOADING, 50)
LOST = [Effect.LOSE_REQUEST, Effect.LOSE_REPLY, Effect.DISCONNECT, Effect.THROTTLE, Effect.SERVER_ERROR]


@contextmanager
def meanwhile(act):
    """Runs `act` in another thread a moment after the block began to wait."""
    timer = threading.Timer(0.3, act)
    timer.start()
    yield
    timer.join()


@pytest.mark.parametrize("step", range(5))
@pytest.mark.parametrize("effect", LOST)
def test_a_bad_line_costs_no_offer(*, channel, simulator, deployer, package, history, effect, step):
    """Each request from the first connection to the offer, lost, cut off or refused for now."""
    workflow = deployer.deploy(package)
    simulator.faults.plan("twin_*", effect, skip=step)

    offer = channel.next_offer(WAIT)

    assert offer.id == workflow
    assert history.states == [(6, workflow)]
    assert len(simulator.faults.hits()) == (1 if step < 4 else 0)


@pytest.mark.parametrize("step", range(2))
@pytest.mark.parametrize("effect", LOST)
def test_a_bad_line_costs_no_report(*, channel, simulator, deployer, package, history, effect, step):
    """Whether the patch or only its reply was lost, the hub ends with exactly this report."""
    workflow = deployer.deploy(package)
    offer = channel.next_offer(WAIT)
    simulator.faults.plan("twin_*", effect, skip=step)

    channel.conclude(offer.id, INSTALLED)

    assert len(simulator.faults.hits()) == 1
    assert deployer.result == (0, 700, "00000000", workflow)
    assert history.states == [(6, workflow), (0, workflow)]


@pytest.mark.parametrize("effect", LOST)
def test_a_bad_line_costs_no_renewal(channel, simulator, deployer, package, effect):
    """Asking again is repeated like any question."""
    deployer.deploy(package)
    offer = channel.next_offer(WAIT)
    simulator.faults.plan("twin_get", effect, times=2)

    assert channel.renew(offer.id) == offer
    assert simulator.faults.hits()


@pytest.mark.parametrize("effect", LOST)
def test_a_lost_sign_of_life_costs_nothing(channel, simulator, deployer, package, effect):
    """It is dropped, and the next ones and the report still arrive."""
    workflow = deployer.deploy(package)
    offer = channel.next_offer(WAIT)
    simulator.faults.plan("twin_*", effect)

    channel.progress(offer.id, Progress(Phase.DOWNLOADING, 10))
    channel.progress(offer.id, HALFWAY)
    channel.conclude(offer.id, INSTALLED)

    assert len(simulator.faults.hits()) == 1
    assert deployer.result == (0, 700, "00000000", workflow)


def test_signs_of_life_go_on_after_one_was_lost(channel, simulator, deployer, package):
    """The connection that was given up with it is made anew."""
    deployer.deploy(package)
    offer = channel.next_offer(WAIT)
    simulator.faults.plan("twin_patch", Effect.LOSE_REQUEST)

    channel.progress(offer.id, Progress(Phase.DOWNLOADING, 10))
    channel.progress(offer.id, HALFWAY)

    assert deployer.reported["otabridge"]["said"] == {"phase": "downloading", "percent": "50"}


def test_lost_answers_leave_nothing_behind(channel, simulator, deployer, package):
    """The SDK waits for them for ever: each would cost a thread and two sockets, and a device runs for years."""
    deployer.deploy(package)
    simulator.faults.plan("twin_get", Effect.LOSE_REPLY, times=4)

    assert channel.next_offer(WAIT).release == package.document

    assert len(simulator.faults.hits()) == 4
    assert simulator.hub.wait_until(lambda: "azure-call" not in {each.name for each in threading.enumerate()})


def test_a_full_twin_costs_no_report(channel, simulator, deployer, package):
    """Other programs of the device have filled it: the least is told, and long words are left out."""
    assert channel.next_offer(0.1) is None
    others = {f"n{at}": "x" * 1000 for at in range(32)}
    while twin_size(deployer.reported | {"others": others}) > 32_768 - 500:
        others.popitem()
    others["rest"] = "x" * (32_768 - 500 - 4 - twin_size(deployer.reported | {"others": others}))
    simulator.hub.report(DEVICE, {"others": others})
    workflow = deployer.deploy(package, stage="ob-spring-1")

    offer = channel.next_offer(WAIT)
    channel.conclude(offer.id, Report(Outcome.FAILED, "a", "1.0.0", FailureCode.SLOT_WRITE, "long words " * 50))

    assert deployer.result == (255, 0, "3200012C", workflow)
    assert deployer.reported["otabridge"]["said"]["code"] == "300"
    assert deployer.acknowledged


def test_a_report_that_never_gets_through_says_so(channel, simulator, deployer, package):
    """After its attempts the channel gives the report back, to be told later."""
    deployer.deploy(package)
    offer = channel.next_offer(WAIT)
    simulator.faults.plan("twin_patch", Effect.THROTTLE, times=100)

    with pytest.raises(ChannelError, match=r"IoT Hub 127\S+ as device-1: answered with status 429") as raised:
        channel.conclude(offer.id, INSTALLED)
    assert raised.value.retryable
    assert deployer.result[0] == 6


def test_a_hub_that_is_busy_is_asked_again_at_connecting(channel, simulator, deployer, package):
    """It refuses connections for a while."""
    deployer.deploy(package)
    simulator.faults.plan("connect", Effect.THROTTLE, times=2)

    assert channel.next_offer(WAIT).release == package.document
    assert len(simulator.faults.hits()) == 2


def test_an_outage_while_waiting_is_waited_out(opened, simulator, deployer, package):
    """A dropped connection is no error as long as nothing has to be said; the new one is reason to look."""
    channel = opened(attempts=1)
    assert channel.next_offer(0.1) is None
    simulator.faults.plan("connect", Effect.THROTTLE, times=2)

    def drop_and_deploy():
        simulator.disconnect(DEVICE)
        deployer.deploy(package)

    with meanwhile(drop_and_deploy):
        offer = channel.next_offer(WAIT)

    assert offer.release == package.document
    assert len(simulator.faults.hits()) == 2


def test_nobody_there_says_where(opened):
    """An error that may pass, with the address that was tried."""
    channel = opened(host="127.0.0.1", attempts=1)

    with pytest.raises(ChannelError, match=r"IoT Hub 127.0.0.1 as device-1: no connection") as raised:
        channel.next_offer(1.0)
    channel.progress("any", HALFWAY)
    assert raised.value.retryable


BAD_SETTINGS = [
    ({"device": "a b"}, r"\$\.device"),
    ({"host": "https://x/"}, r"\$\.host"),
    ({"keep_alive_seconds": 0}, "keep_alive_seconds"),
    ({"colour": "red"}, "colour"),
    ({"id_scope": "0ne1"}, "either `host` and `device`, or `id_scope` and `registration_id`"),
    ({"host": None}, "either `host` and `device`"),
    ({"device": None}, "`host` is given without `device`"),
    ({"key_file": None}, "`certificate_file` is given without `key_file`"),
    ({"symmetric_key_file": "k"}, "either `certificate_file` and `key_file`, or `symmetric_key_file`"),
]


@pytest.mark.parametrize(("change", "message"), BAD_SETTINGS)
def test_a_wrong_setting_is_named(settings, change, message):
    """Before anything connects."""
    with pytest.raises(ChannelError, match=message) as raised:
        open_channel({**settings, **change})
    assert not raised.value.retryable


PINNED = [("absent", None, "No such file"), ("empty", b"{}", "names none"), ("garbage", b"no JSON", "not JSON")]


@pytest.mark.parametrize(("name", "content", "message"), PINNED)
def test_root_keys_that_cannot_be_used_are_named(*, opened, deployer, package, tmp_path, name, content, message):
    """A final error: without them no update can be trusted."""
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    channel = opened(root_keys_file=str(path))
    deployer.deploy(package)

    with pytest.raises(ChannelError, match=f"root_keys_file {path}.*{message}") as raised:
        channel.next_offer(WAIT)
    assert not raised.value.retryable


PROCESS = """\
import json, sys, threading
from adapters.azure.device import open_channel
channel = open_channel(json.loads(sys.argv[1]))
channel.next_offer(0.1)
print("asked", flush=True)
sys.stdin.readline()
channel.next_offer(0.1)
channel.close()
print(sorted(each.name for each in threading.enumerate() if not each.daemon), flush=True)
"""


def test_a_closed_channel_keeps_no_process_alive_and_has_printed_nothing(simulator, settings):
    """After a connection that dropped and came back, which the SDK likes to tell the terminal."""
    words = [sys.executable, "-c", PROCESS, json.dumps(settings)]
    surroundings = {"env": {**os.environ, "PYTHONPATH": str(ROOT)}, "text": True}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(words, **surroundings, **pipes) as process:
        assert process.stdout.readline() == "asked\n"
        simulator.disconnect(DEVICE)
        out, err = process.communicate("go on\n", timeout=WAIT)

    assert (process.returncode, out, err) == (0, "['MainThread']\n", "")

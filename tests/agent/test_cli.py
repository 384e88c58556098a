"""The command as a person uses it: real engine, real board of files, real signatures; the cloud is a list of offers."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agent.cloud.channel import Offer
from agent.cloud.uplink import UnopenedChannel
from agent.slots import Slot
from bridge.release.errors import ChannelError, FailureCode
from tests.agent.bench import FAR, NEW, Cloud, Device, offer_of
from tests.releases import MODEL, demanding, describe, whole


def test_install_restart_prove(device: Device, folder: Path, cloud: Cloud, capsys: pytest.CaptureFixture[str]):
    """From a folder to a committed release: installed, restarted, proved; and a second time there is nothing to do."""
    assert device.run("install", str(folder)) == 75
    assert capsys.readouterr().out == "restart the machine: the update goes on after it\n"
    assert device.slot(Slot.B)[: len(NEW)] == NEW

    assert device.restart() is Slot.B
    assert device.run("once") == 0
    assert capsys.readouterr().out == "installed: slot b runs 2.0.0\n"
    assert device.run("install", str(folder)) == 0
    assert cloud.reports == []  # the cloud ordered nothing
    assert device.restart() is Slot.B


@pytest.mark.usefixtures("cloud")
def test_unhealthy_release_falls_back(device: Device, folder: Path, capsys: pytest.CaptureFixture[str]):
    """A trial boot that is not healthy leads back to the old slot, and the exit code says so."""
    device.configure(healthy="'old image'")
    assert device.run("install", str(folder)) == 75
    assert device.restart() is Slot.B
    assert device.run("once") == 75
    assert device.restart() is Slot.A
    capsys.readouterr()

    assert device.run("once") == 19
    assert "fell-back: slot a runs 1.0.0 (health check image failed with exit status 1" in capsys.readouterr().out


@pytest.mark.usefixtures("cloud")
def test_checks_know_what_they_prove(device: Device, folder: Path):
    """A check is told slot and version of the release on trial, not of the one before it."""
    check = 'command = ["sh", "-c", "test $OTABRIDGE_SLOT$OTABRIDGE_RELEASE_VERSION = b2.0.0"]'
    device.configure(more=f'[[health.checks]]\nname = "version"\n{check}\nretries = 0\n')
    assert device.run("install", str(folder)) == 75
    device.restart()

    assert device.run("once") == 0


def test_release_without_a_channel_falls_back(device: Device, folder: Path, cloud: Cloud, monkeypatch, capsys):
    """A trial boot in which the agent cannot set up its channel is left: no other release could ever replace it."""

    def broken(_name: str, _settings: object) -> Cloud:
        raise ChannelError("the SDK is not installed", retryable=False)

    assert device.run("install", str(folder)) == 75
    device.restart()
    with monkeypatch.context() as patch:
        patch.setattr("agent.wiring.open_channel", broken)
        assert device.run("once") == 75
    assert device.restart() is Slot.A
    capsys.readouterr()
    assert device.run("once") == 19
    assert "the agent cannot set up its channel: the SDK is not installed" in capsys.readouterr().out
    assert cloud.reports == []


def test_the_cloud_hears_what_the_device_is(device: Device, folder: Path, cloud: Cloud):
    """Of each boot once, from slot, journal and watchdog; a boot that was not told of is in the count all the same."""
    device.run("once")
    device.run("install", str(folder))
    device.restart()
    device.run("once")
    (device.folder / "board" / "watchdog" / "watchdog0").mkdir(parents=True)
    (device.folder / "board" / "watchdog" / "watchdog0" / "bootstatus").write_text("32\n")
    device.restart()
    device.run("once")

    told = [(state.slot, state.release, state.boots, state.watchdog_resets, state.outcome) for state in cloud.states]
    assert told == [("a", "1.0.0", 1, 0, ""), ("b", "2.0.0", 2, 1, "installed")]
    assert {state.model for state in cloud.states} == {MODEL}


def test_offer_of_the_cloud(device: Device, cloud: Cloud, capsys: pytest.CaptureFixture[str]):
    """A release that was not signed by enough approvers is reported to the cloud and has its own exit code."""
    kit = device.kit
    package = kit.package(NEW, signers=kit.release_signers[:1], expires=FAR)
    cloud.offers = [Offer("job-1", package.document, (), {})]

    assert device.run("--output", "json", "once") == 11
    answer = json.loads(capsys.readouterr().out)
    assert answer["step"] == "concluded"
    assert answer["report"]["outcome"] == "rejected"
    assert [report.outcome for report in cloud.reports] == ["rejected"]
    assert device.slot(Slot.B)[:9] == b"\0" * 9


@pytest.mark.usefixtures("cloud")
def test_no_offer(device: Device, capsys: pytest.CaptureFixture[str]):
    """Without an offer `once` is done."""
    assert device.run("once", "--timeout", "0") == 0
    assert capsys.readouterr().out == "nothing to do: no offer\n"


def test_cloud_out_of_reach(device: Device, cloud: Cloud, capsys: pytest.CaptureFixture[str]):
    """When the cloud cannot be asked, `once` has failed, with its reason on stderr."""
    cloud.offers = [ChannelError("no route to the broker")]

    assert device.run("once") == 1
    assert capsys.readouterr() == ("", "otabridge-agent: no route to the broker\n")


def test_run_ends_for_a_restart(device: Device, folder: Path, cloud: Cloud, store: str):
    """The service fetches the offered release over HTTP, ends with 75 for the restart, and reports after it."""
    cloud.offers = [offer_of(folder, store), ChannelError("the test ends here", retryable=False)]
    device.configure(more="[download]\nallow_http = true\n")

    assert device.run("run") == 75
    assert device.slot(Slot.B)[: len(NEW)] == NEW
    assert device.restart() is Slot.B
    assert device.run("once") == 0
    assert [(report.outcome, report.slot, report.version) for report in cloud.reports] == [("installed", "b", "2.0.0")]


KEPT_OFF = "full_over_metered = false\nallow_http = true\nproxies = {}\n"


@pytest.mark.parametrize("meter", ['metered = "yes"', 'metered_command = ["true"]'])
def test_the_full_artifact_stays_off_a_metered_link(device: Device, folder: Path, cloud: Cloud, store: str, meter: str):
    """As the configuration has it: the update fails with its reason, and is there with another link."""
    device.configure(more=f"\n[download]\n{meter}\n{KEPT_OFF}")
    cloud.offers = [offer_of(folder, store)]

    assert device.run("once") == 1
    assert [report.code for report in cloud.reports] == [FailureCode.METERED]
    assert "the link is metered, and this device's configuration keeps the full artifact" in cloud.reports[0].detail

    device.configure(more=f'\n[download]\nmetered_command = ["false"]\n{KEPT_OFF}')
    cloud.offers = [replace(offer_of(folder, store), id="job-2")]
    assert device.run("once") == 75


def test_a_folder_is_no_link(device: Device, folder: Path):
    """What a person brings along costs nothing by the byte."""
    device.configure(more=f'\n[download]\nmetered = "yes"\n{KEPT_OFF}')

    assert device.run("install", str(folder)) == 75


def test_a_device_grants_the_memory_that_its_configuration_names(device: Device, capsys):
    """An artifact that takes more is refused before a byte is written."""
    data = demanding(whole(NEW), 50 << 20)
    folder = device.publish(device.kit.bundle(NEW, [(describe(NEW, data), data)], expires=FAR))
    device.configure(more="\n[download]\nmemory = 40000000\n")

    assert device.run("install", str(folder)) == 18
    assert "takes 52428800 bytes of memory to apply, this device grants 40000000" in capsys.readouterr().out
    device.configure()
    assert device.run("status") == 0


def test_http_needs_permission(device: Device, folder: Path, cloud: Cloud, store: str, capsys):
    """Without leave an http URL is refused before anything is asked for, and the report says which setting matters."""
    cloud.offers = [offer_of(folder, store)]

    assert device.run("once") == 1
    assert "must come over https, not 'http' (download.allow_http permits http)" in capsys.readouterr().out
    assert [report.code for report in cloud.reports] == [FailureCode.LINK_REFUSED]


@pytest.mark.parametrize(
    ("change", "code", "message"),
    [
        (
            {"expires": datetime(2020, 1, 1, tzinfo=UTC)},
            12,
            "rejected: slot a runs 1.0.0 (release gateway-os 2.0.0 exp",
        ),
        ({"model": "gateway-4"}, 14, "the release is for model 'gateway-3', this device is 'gateway-4'"),
    ],
)
def test_refusals(device: Device, capsys: pytest.CaptureFixture[str], change: Mapping[str, object], code: int, message):
    """Each refusal has its exit code and its sentence, and no byte of the other slot changes."""
    fields = {"expires": FAR, **change}
    device.configure(model=str(fields.pop("model", MODEL)))
    folder = device.publish(device.kit.package(NEW, **fields))

    assert device.run("install", str(folder)) == code
    assert message in capsys.readouterr().out
    assert device.slot(Slot.B)[:9] == b"\0" * 9


@pytest.mark.usefixtures("cloud")
def test_rotated_root_in_the_folder(device: Device):
    """A folder brings the roots that a device needs to believe newer keys."""
    device.kit.rotate()
    folder = device.publish(device.kit.package(NEW, expires=FAR))

    assert device.run("install", str(folder)) == 75


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda folder: (folder / "release.json").unlink(), "release.json cannot be read: No such file or directory"),
        (lambda folder: (folder / "rootfs.full").unlink(), "rootfs.full does not lie beside release.json"),
        (lambda folder: os.truncate(folder / "rootfs.full", 1000), "bytes shorter than signed; copy the release"),
    ],
)
def test_damaged_folder(
    device: Device, folder: Path, spoil: Callable[[Path], None], message: str, capsys: pytest.CaptureFixture[str]
):
    """What is missing in a release folder is named."""
    spoil(folder)

    assert device.run("install", str(folder)) == 1
    printed = capsys.readouterr()
    assert message in printed.out + printed.err


@pytest.mark.usefixtures("cloud")
def test_commit_and_rollback_by_hand(device: Device, folder: Path, capsys: pytest.CaptureFixture[str]):
    """A person may commit a trial boot, and later go back to the other slot."""
    assert device.run("commit") == 1
    assert "otabridge-agent: slot a is not on trial: there is nothing to commit" in capsys.readouterr().err
    device.run("install", str(folder))
    device.restart()
    assert device.run("commit") == 0
    assert device.restart() is Slot.B

    assert device.run("rollback") == 75
    assert device.restart() is Slot.A
    assert device.run("once") == 0


@pytest.mark.usefixtures("cloud")
def test_status(device: Device, folder: Path, capsys: pytest.CaptureFixture[str]):
    """The status tells the slots apart, for people and for programs, while an update is under way."""
    device.run("install", str(folder))
    device.restart()
    capsys.readouterr()

    assert device.run("status") == 0
    text = capsys.readouterr().out
    assert "slot a     1.0.0 (default, committed)" in text
    assert "slot b     unknown (runs, on trial)" in text
    assert device.run("--output", "json", "status") == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["booted"], answer["default"], answer["trial"]) == ("b", "a", "b")


CLOUD_CHECK = """
[[health.checks]]
name = "cloud"
cloud = true
retries = 0
"""


def test_a_release_that_does_not_reach_its_cloud_falls_back(device: Device, folder: Path, cloud: Cloud, capsys):
    """It would be the last one that this device ever gets: nobody could send it another."""
    device.configure(more=CLOUD_CHECK)
    assert device.run("install", str(folder)) == 75
    device.restart()
    cloud.silent = True
    assert device.run("once") == 75
    assert device.restart() is Slot.A
    capsys.readouterr()

    assert device.run("once") == 19
    assert "(health check cloud failed: no route to the broker)" in capsys.readouterr().out


def test_a_release_that_reaches_its_cloud_is_kept(device: Device, folder: Path, cloud: Cloud):
    """By the agent's own channel, once when the device comes up and once when it has settled."""
    device.configure(more=CLOUD_CHECK)
    assert device.run("install", str(folder)) == 75
    device.restart()

    assert device.run("once") == 0
    assert cloud.reached == 2


def test_a_quarantine_and_how_it_is_lifted(device: Device, folder: Path, cloud: Cloud, store: str, capsys):
    """A trial that fails, a refusal with its own exit code, the status that tells of it, and who ends it."""
    device.configure(healthy="'old image'", more="[download]\nallow_http = true\n")
    file = device.folder / "agent.toml"
    file.write_text(file.read_text().replace("[health]", "[health]\nquarantine_after = 1"))
    assert device.run("install", str(folder)) == 75
    assert device.restart() is Slot.B
    assert device.run("once") == 75
    assert device.restart() is Slot.A
    assert device.run("once") == 19

    cloud.offers = [offer_of(folder, store)]
    capsys.readouterr()
    assert device.run("once") == 33
    assert "rejected: slot a runs 1.0.0 (release gateway-os 2.0.0 is in quarantine" in capsys.readouterr().out
    assert [report.code for report in cloud.reports] == [FailureCode.QUARANTINED]
    device.run("status")
    assert "quarantine gateway-os 2.0.0: fell back once, last: health check image failed" in capsys.readouterr().out

    assert device.run("lift") == 0
    assert capsys.readouterr().out.startswith("lifted     gateway-os 2.0.0: fell back once, last: health check image")
    assert device.run("lift") == 0
    assert capsys.readouterr().out == "nothing to lift: no fallbacks\n"
    assert device.run("install", str(folder)) == 75


@pytest.mark.usefixtures("cloud")
def test_a_release_that_has_lost_its_watchdog_falls_back(device: Device, folder: Path, capsys):
    """Nothing would restart the machine when the next release hangs in its trial."""
    device.configure(more='[watchdog]\ndevice = "/nowhere/watchdog0"\n')
    assert device.run("install", str(folder)) == 75
    device.restart()
    assert device.run("once") == 75
    assert device.restart() is Slot.A
    capsys.readouterr()

    assert device.run("once") == 19
    words = (
        "(the trial boot is not guarded: watchdog.device /nowhere/watchdog0 cannot be opened: No such file or directory"
    )
    assert words in capsys.readouterr().out


def test_a_service_that_cannot_have_its_watchdog_works_all_the_same(device: Device, cloud: Cloud, caplog):
    """Between updates what runs is good: the next offer may bring the driver."""
    device.configure(more='[watchdog]\ndevice = "/nowhere/watchdog0"\nwhen = "always"\n')
    cloud.offers = [None, UnopenedChannel("the test ends here")]

    assert device.run("run") == 2
    assert "no watchdog guards it: watchdog.device /nowhere/watchdog0 cannot be opened" in caplog.text
    assert [state.slot for state in cloud.states] == ["a"]

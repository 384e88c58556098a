"""What the command says of its settings, its device and its own use."""

from __future__ import annotations

import fcntl
import json
import re
import sys
from pathlib import Path

import pytest

import adapters.aws
from agent import cli
from agent.cloud.channel import Offer
from agent.config import PATH_VARIABLE
from bridge.release.errors import ChannelError
from tests.agent.bench import Cloud, Device

REFERENCE = Path(__file__).parents[2] / "docs/reference/agent-cli.md"


def test_check(device: Device, capsys: pytest.CaptureFixture[str]):
    """A sound device has nothing but `ok`, and the network is not touched."""
    assert device.run("check") == 0
    lines = capsys.readouterr().out.splitlines()
    assert all(line.startswith("ok ") for line in lines)
    assert lines[0] == "ok    root: version 1, expires 2099-01-01"
    assert lines[1] == "ok    boot loader: slot a runs, slot a is the default"
    assert lines[2] == f"ok    slot a: {device.folder}/board/a.img, 400000 bytes"
    assert "ok    channel: aws" in lines
    assert not (device.folder / "state").exists()


def test_check_finds_faults(device: Device, capsys: pytest.CaptureFixture[str]):
    """Every fault is listed, not just the first."""
    (device.folder / "board/b.img").unlink()
    (device.folder / "state").write_text("a file")
    (device.folder / "root.json").write_text("{}")
    device.configure(more='[[health.checks]]\nname = "x"\ncommand = ["no-such-program"]')

    assert device.run("--output", "json", "check") == 1
    faults = {each["subject"]: each["detail"] for each in json.loads(capsys.readouterr().out) if not each["ok"]}
    assert "board/b.img cannot be opened: No such file or directory; correct the slots" in faults["slot b"]
    assert "is no folder that this user may write to" in faults["state"]
    assert faults["health check x"] == "there is no program 'no-such-program' that this user may run"
    assert "root is not TUF metadata" in faults["root"]


OF_EACH_KIND = """
[watchdog]
device = "/dev/null"

[[health.checks]]
name = "web"
http = { url = "http://127.0.0.1:1/" }

[[health.checks]]
name = "cloud"
cloud = "all"

[[health.checks]]
name = "unit"
unit = "gateway.service"
"""


def test_check_of_checks_of_each_kind(device: Device, monkeypatch, capsys: pytest.CaptureFixture[str]):
    """What a trial boot will ask is told and not asked; a watchdog is looked at and not started."""
    monkeypatch.setattr("agent.examine.shutil.which", lambda name: f"/usr/bin/{name}")
    device.configure(more=OF_EACH_KIND)

    assert device.run("check") == 0
    lines = capsys.readouterr().out.splitlines()
    assert "ok    health check web: GET http://127.0.0.1:1/" in lines
    assert "ok    health check cloud: each cloud answers" in lines
    assert "ok    health check unit: /usr/bin/systemctl, gateway.service" in lines
    assert "ok    watchdog: /dev/null" in lines


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ('device = "/nowhere"', "fault watchdog: watchdog.device /nowhere is no device: is its driver loaded?"),
        ('owner = "systemd"', "ok    watchdog: systemd feeds it, within 1min"),
    ],
)
def test_check_of_a_watchdog(device: Device, monkeypatch, capsys, settings: str, line: str):
    """One that is not there is found out before the first trial; systemd is asked for its own."""
    monkeypatch.setattr("agent.examine.runtime_watchdog", lambda _: "systemd feeds it, within 1min")
    device.configure(more=f"[watchdog]\n{settings}\n")
    device.run("check")

    assert line in capsys.readouterr().out.splitlines()


def test_check_of_authorities_that_cannot_be_read(device: Device, capsys: pytest.CaptureFixture[str]):
    """The check and its field are named."""
    device.configure(more='[[health.checks]]\nname = "web"\nhttp = { url = "https://x/", ca_file = "no.pem" }\n')

    assert device.run("check") == 1
    words = f"fault agent: health check web: http.ca_file {device.folder}/no.pem cannot be used"
    assert words in capsys.readouterr().out


def test_check_finds_a_slot_that_no_image_may_be_written_to(device: Device, capsys: pytest.CaptureFixture[str]):
    """What an update would be refused for is known before the first offer."""
    board = device.folder / "board"
    (board / "b.img").unlink()
    (board / "b.img").symlink_to("a.img")

    assert device.run("check") == 1
    assert f"fault slot b: {board}/b.img and {board}/a.img, the slot that runs, are the same" in capsys.readouterr().out


def test_check_online(device: Device, cloud: Cloud, capsys: pytest.CaptureFixture[str]):
    """With --online the cloud is asked, and what it says is a finding."""
    cloud.offers = [Offer("job-7", b"", (), {}), ChannelError("the certificate was revoked")]

    assert device.run("check", "--online") == 0
    assert "ok    cloud: connected, offer job-7" in capsys.readouterr().out
    assert device.run("check", "--online") == 1
    assert "fault cloud: the certificate was revoked" in capsys.readouterr().out


TWO_CLOUDS = '[channel]\ncloud = "aws"\n', '[channel]\nclouds = ["aws", "azure"]\n\n[channel.azure]\n'


def test_check_of_a_device_in_two_clouds(device: Device, monkeypatch, capsys: pytest.CaptureFixture[str]):
    """Each cloud is a finding of its own: one that is down is seen, however well the other does."""
    file = device.folder / "agent.toml"
    file.write_text(file.read_text().replace(*TWO_CLOUDS))
    clouds = {"aws": Cloud([Offer("job-7", b"", (), {})]), "azure": Cloud([ChannelError("no such device")])}
    monkeypatch.setattr("agent.wiring.open_channel", lambda name, _settings: clouds[name])

    assert device.run("check", "--online") == 1
    lines = capsys.readouterr().out.splitlines()
    assert "ok    channel: aws, azure" in lines
    assert lines[-2:] == ["ok    cloud aws: connected, offer job-7", "fault cloud azure: no such device"]


def test_a_device_in_two_clouds_takes_what_comes(device: Device, monkeypatch, capsys: pytest.CaptureFixture[str]):
    """The whole agent, from its configuration on: one cloud is down, the other's foreign offer is answered."""
    file = device.folder / "agent.toml"
    file.write_text(file.read_text().replace(*TWO_CLOUDS))
    clouds = {"aws": Cloud([ChannelError("no route")]), "azure": Cloud([Offer("wf-1", b"{}", (), {})])}
    monkeypatch.setattr("agent.wiring.open_channel", lambda name, _settings: clouds[name])

    assert device.run("once") == 10
    assert "rejected" in capsys.readouterr().out
    assert (len(clouds["aws"].reports), len(clouds["azure"].reports)) == (0, 1)


def test_missing_sdk(device: Device, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Without the SDK of its cloud the agent says which extra to install."""
    monkeypatch.setitem(sys.modules, "awscrt", None)
    monkeypatch.setattr(adapters, "aws", adapters.aws)  # put back, too, once it was imported anew
    for name in [name for name in sys.modules if name.startswith("adapters.aws")]:
        monkeypatch.delitem(sys.modules, name)

    assert device.run("once") == 2
    assert "pip install 'otabridge[device-aws]'" in capsys.readouterr().err


@pytest.mark.usefixtures("cloud")
def test_one_agent_at_a_time(device: Device, capsys: pytest.CaptureFixture[str]):
    """While the service works, a second agent does not touch the slots; it may look."""
    (device.folder / "state").mkdir()
    with (device.folder / "state/lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert device.run("once") == 1
        assert device.run("status") == 0

    assert capsys.readouterr().err == (
        f"otabridge-agent: another otabridge-agent works with {device.folder}/state; stop it first, as by "
        "`systemctl stop otabridge-agent`\n"
    )


@pytest.mark.parametrize(
    ("find", "replace", "message"),
    [
        ('boot_loader = "file"', 'boot_loader = "lilo"', "slots.boot_loader is 'lilo'; there are: file"),
        (
            'root = "root.json"',
            'root = "none.json"',
            "none.json cannot be read: No such file or directory; put the owner",
        ),
        ("[health]", '[download]\nca_file = "none.pem"\n[health]', "none.pem cannot be used"),
        (
            "[health]",
            '[download]\ncertificate_file = "none.pem"\nkey_file = "none.key"\n[health]',
            "none.key cannot be used: [Errno 2] No such file or directory; both must be PEM",
        ),
        ('directory = "state"', 'directory = "root.json/x"', "root.json/x cannot be used: Not a directory"),
    ],
)
def test_unusable_settings(device: Device, find: str, replace: str, message: str, capsys: pytest.CaptureFixture[str]):
    """Settings that only the device itself can judge are refused as well as misspelt ones, with exit code 2."""
    path = device.folder / "agent.toml"
    path.write_text(path.read_text().replace(find, replace))

    assert device.run("once") == 2
    assert message in capsys.readouterr().err


def test_config_from_the_environment(device: Device, monkeypatch: pytest.MonkeyPatch, capsys):
    """The variable names the file where no option does."""
    monkeypatch.setenv(PATH_VARIABLE, str(device.folder / "agent.toml"))

    assert cli.main(["status"]) == 0
    assert "version    1.0.0" in capsys.readouterr().out


@pytest.mark.parametrize(
    "words",
    [[], ["explode"], ["once", "--timeout", "-1"], ["once", "--timeout", "soon"], ["--output", "xml", "status"]],
)
def test_misuse(words: list[str], capsys: pytest.CaptureFixture[str]):
    """Misuse ends with 2 and says how it is meant."""
    with pytest.raises(SystemExit) as end:
        cli.main(words)
    assert end.value.code == 2
    assert "usage: otabridge-agent" in capsys.readouterr().err


def test_version(capsys: pytest.CaptureFixture[str]):
    """The version is that of the distribution."""
    with pytest.raises(SystemExit) as end:
        cli.main(["--version"])
    assert end.value.code == 0
    assert capsys.readouterr().out.startswith("otabridge-agent ")


def test_reference_is_complete():
    """The reference names exactly the commands, options and exit codes that there are."""
    text = REFERENCE.read_text()
    parser = cli.build_parser()
    commands = parser._subparsers._group_actions[0].choices
    options = {option for action in parser._actions for option in action.option_strings}
    options |= {o for command in commands.values() for action in command._actions for o in action.option_strings}

    assert set(re.findall(r"^\| `([a-z-]+)[^`]*` \|", text, re.MULTILINE)) == set(commands)
    assert set(re.findall(r"(?<![\w-])--[a-z]+", text)) == {o for o in options if o.startswith("--")} - {"--help"}
    assert [int(code) for code in re.findall(r"^\| (\d+) \|", text, re.MULTILINE)] == [
        *(0, 1, 2, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 32, 33, 75, 130)
    ]

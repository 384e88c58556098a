"""The tables of handlers: what a person reads when one is wrong, what `check` finds, and who becomes a handler."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from agent.config import ConfigError, load
from agent.disk import SystemDisk
from agent.handler_parts import handlers_of
from agent.handlers.package import PackageHandler
from agent.handlers.rauc import RaucHandler
from agent.handlers.script import ScriptHandler
from agent.handlers.settings import KINDS
from agent.handlers.swupdate import SwupdateHandler
from agent.pace import Timing
from bridge.release.step import Place, Step
from tests.agent.bench import Device
from tests.agent.bootloaders.rigs import require
from tests.agent.handlers.rigs import GUIDE

LEAST = """
[device]
model = "gateway-3"
hardware = "r2"
[slots]
boot_loader = "file"
directory = "slots"
[trust]
root = "root.json"
[channel]
cloud = "aws"
"""
REFERENCE = Path(__file__).parents[3] / "docs/reference/agent-config.md"
EACH = """
[handlers.modem]
kind = "script"
command = ["/bin/sh", "{file}"]
[handlers.apps]
kind = "package"
root = "system"
[handlers.rauc]
kind = "rauc"
[handlers.swu]
kind = "swupdate"
a = "stable,a"
b = "stable,b"
"""


def file(folder: Path, text: str) -> Path:
    """A configuration with `text` behind the least there can be."""
    path = folder / "agent.toml"
    path.write_text(LEAST + text)
    return path


def test_each_kind(tmp_path: Path):
    """Each table becomes a handler; paths start from the file, package files are kept in the state directory."""
    config = load(file(tmp_path, EACH))
    handlers = handlers_of(config, Timing(), SystemDisk())

    assert {name: type(handler) for name, handler in handlers.items()} == {
        "modem": ScriptHandler,
        "apps": PackageHandler,
        "rauc": RaucHandler,
        "swu": SwupdateHandler,
    }
    apps = handlers["apps"]
    assert isinstance(apps, PackageHandler)
    assert (apps._dpkg.root, apps._kept.directory) == (tmp_path / "system", Path("/var/lib/otabridge/packages"))


def test_without_any(tmp_path: Path):
    """A device that takes images alone needs no table."""
    assert handlers_of(load(file(tmp_path, "")), Timing(), SystemDisk()) == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "[handlers.image]\nkind = 'script'",
            "handlers.image: that handler is the agent itself; name this one otherwise",
        ),
        ("[handlers.Modem]\nkind = 'script'", "handlers.'Modem' is no name of a handler; use lower-case letters"),
        ("[handlers]\nmodem = 5", "handlers.modem is 5: a handler is a table, [handlers.modem]"),
        ("[handlers.modem]\n", "handlers.modem.kind is missing; there are: package, rauc, script, swupdate"),
        ("[handlers.modem]\nkind = 'deb'", "handlers.modem.kind is 'deb'; there are: package, rauc, script, swupdate"),
        ("[handlers.modem]\nkind = 'script'", "handlers.modem: command is missing"),
        (
            "[handlers.modem]\nkind = 'script'\ncommand = []",
            "handlers.modem: command is []: expected `array` of length >= 1",
        ),
        (
            "[handlers.modem]\nkind = 'script'\ncommand = ['{file}']",
            'handlers.modem: command begins with "{file}", which is no program by itself; put its interpreter first',
        ),
        (
            "[handlers.modem]\nkind = 'script'\ncommand = ['x']\ntimout_seconds = 5",
            "handlers.modem: timout_seconds is no field; there are: command, timeout_seconds",
        ),
        (
            "[handlers.swu]\nkind = 'swupdate'\na = 'stable,a'",
            "handlers.swu: b is missing; a step of the slot may be for",
        ),
        (
            "[handlers.swu]\nkind = 'swupdate'\na = 'stable,a'\nb = 'stable,a'",
            "handlers.swu: a and b both select stable,a; an image would always go to the same slot",
        ),
        (
            "[handlers.swu]\nkind = 'swupdate'\na = 'stable'\nb = 'x,y'",
            "handlers.swu: a is 'stable': expected `str` matching",
        ),
        (
            "[handlers.rauc]\nkind = 'rauc'\ntimeout_seconds = 0",
            "handlers.rauc: timeout_seconds is 0: expected `float` > 0",
        ),
        (
            "[handlers.apps]\nkind = 'package'\n[writer]\n",
            "handlers.apps needs an agent that is root, and with [writer] it",
        ),
    ],
)
def test_refusals(tmp_path: Path, text: str, message: str):
    """Each mistake is one sentence that names the file, the handler, the field, its value, and what would be right."""
    with pytest.raises(ConfigError) as refusal:
        load(file(tmp_path, text))

    assert str(refusal.value).startswith(f"{tmp_path}/agent.toml: ")
    assert message in str(refusal.value)


def test_no_tables_at_all(tmp_path: Path):
    """One handler instead of a table of them."""
    path = tmp_path / "agent.toml"
    path.write_text("handlers = 5" + LEAST)
    with pytest.raises(ConfigError, match=r"handlers is 5: expected `object`, got `int`$"):
        load(path)


def test_scripts_beside_the_slot_writer(tmp_path: Path):
    """They need no more rights than they are given."""
    config = load(file(tmp_path, "[handlers.modem]\nkind = 'script'\ncommand = ['x']\n[writer]\n"))

    assert set(config.handlers) == {"modem"}


@pytest.mark.parametrize("kind", KINDS)
def test_the_reference_is_complete(kind: str):
    """It names exactly the fields that a table of each kind has."""
    section = REFERENCE.read_text().partition(f'### `kind = "{kind}"`\n')[2].partition("\n#")[0]
    documented = re.findall(r"^\| `handlers\.NAME\.([a-z_]+)` \|", section, re.MULTILINE)

    assert documented == [field.encode_name for field in msgspec.structs.fields(KINDS[kind])]


def test_examples_of_the_guide(tmp_path: Path):
    """Each can be copied as it stands."""
    examples = re.findall(r"```toml\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    config = load(file(tmp_path, "\n".join(examples)))

    assert sorted(config.handlers) == ["apps", "modem", "rauc", "release-script", "swu"]


def test_check_looks_at_each_handler(device: Device, capsys: pytest.CaptureFixture[str]):
    """A program or a database that is missing is found before the first release that needs it."""
    require("dpkg", "swupdate")
    device.configure(
        more=EACH.replace('root = "system"', "") + f'[handlers.lost]\nkind = "script"\ncommand = ["no-such-program"]\n'
        f'[handlers.empty]\nkind = "package"\nroot = "{device.folder}"\n'
    )
    assert device.run("check") == 1
    lines = [line for line in capsys.readouterr().out.splitlines() if " handler " in line]

    assert lines[0].startswith("ok    handler modem: script, ")
    assert f"files kept in {device.folder}/state/packages" in lines[1]
    assert lines[2].startswith("fault handler rauc: handlers.rauc: ")
    assert lines[3].startswith("ok    handler swu: swupdate, ")
    assert lines[4].startswith("fault handler lost: handlers.lost: there is no program 'no-such-program'")
    assert lines[5].startswith(
        f"fault handler empty: handlers.empty: there is no database of dpkg at {device.folder}/var"
    )


def test_a_device_does_what_its_configuration_names(device: Device, tmp_path: Path):
    """From the table to the program: a handler is asked whether it is ready for a step."""
    said = tmp_path / "said"
    device.configure(more=f'[handlers.modem]\nkind = "script"\ncommand = ["sh", "-c", "echo $0 > {said}"]\n')
    handlers = handlers_of(load(device.folder / "agent.toml"), Timing(), SystemDisk())
    handlers["modem"].require_ready(Step("firmware", "modem", Place.DEVICE))

    assert said.read_text() == "ready\n"

"""U-Boot's environment through libubootenv: what is written for U-Boot, and what is refused."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.bootloaders.partitions import Partitions
from agent.bootloaders.uboot import MAX_COUNT, NO_DEFAULTS, Environment, UBoot, _variables, parse, render
from agent.slots import BootEnvironmentError, Slot
from tests.agent.bootloaders.rigs import DEVICES, UBootRig

ENVIRONMENTS = st.builds(
    Environment,
    default=st.just(Slot.A),
    unbootable=st.none() | st.just(Slot.B),
    counted=st.booleans(),
    count=st.integers(0, MAX_COUNT),
) | st.builds(
    Environment, st.just(Slot.B), st.just(Slot.A), st.none(), counted=st.booleans().filter(bool), count=st.just(2)
)


class Said:
    """A tool that says what it is told to, and remembers what it was asked."""

    def __init__(self, *answers: str) -> None:
        self.answers, self.asked = list(answers), []

    def __call__(self, command, text=""):
        self.asked.append((tuple(command), text))
        return self.answers.pop(0)


def loader(tmp_path: Path, tool: Said) -> UBoot:
    """Slot a runs."""
    (tmp_path / "cmdline").write_text("otabridge.slot=a")
    return UBoot(Partitions(DEVICES, tmp_path / "cmdline"), Path("/etc/fw_env.config"), tool)


@given(ENVIRONMENTS)
def test_an_environment_comes_back(environment):
    """What fw_setenv is told, fw_printenv says; deleted variables are not there."""
    lines = [line for line in render(environment).splitlines() if not line.endswith("=")]

    assert parse(_variables("\n".join([*lines, "bootcmd=run x; y=z"]))) == environment


def test_a_verb_is_one_call(tmp_path: Path):
    """All variables in one write of one copy, by the rules of U-Boot's own counter."""
    before, after = (
        "otabridge_default=a\n",
        "otabridge_default=a\notabridge_trial=b\nupgrade_available=1\nbootcount=0\n",
    )
    tool = Said(before, "", after)
    loader(tmp_path, tool).try_slot(Slot.B)
    line = ("-c", "/etc/fw_env.config", "-f", NO_DEFAULTS)

    assert tool.asked == [
        (("fw_printenv", *line), ""),
        (
            ("fw_setenv", *line, "-s", "-"),
            "otabridge_default=a\notabridge_trial=b\notabridge_unbootable=\nupgrade_available=1\nbootcount=0\n",
        ),
        (("fw_printenv", *line), ""),
    ]


def test_other_variables_stay(tmp_path: Path):
    """The environment may be U-Boot's own."""
    rig = UBootRig(tmp_path)
    subprocess.run(["fw_setenv", "-c", rig.config, "ethaddr", "02:00:00:00:00:01"], check=True)
    rig.loader.try_slot(Slot.B)

    shown = subprocess.run(["fw_printenv", "-c", rig.config], check=True, capture_output=True, text=True).stdout
    assert "ethaddr=02:00:00:00:00:01\n" in shown
    assert "upgrade_available=1\n" in shown


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        (
            ["Cannot read environment, using default\na=b\n"],
            "no copy of the U-Boot environment of /etc/fw_env",
        ),
        (
            ["bootcmd=x\n"],
            "otabridge_default is not set; start the board once with otabridge's boot.cmd, or set",
        ),
        (["otabridge_default=c\n"], "otabridge_default is 'c', and not a or b"),
        (["otabridge_default=a\nbootcount=many\n"], "bootcount is 'many', and not a number"),
        (["otabridge_default=a\nx=1\notabridge_default=b\n"], "otabridge_default is there twice"),
        (["otabridge_default=a\n", "", "otabridge_default=a\n"], "does not hold what was written: it says nothing"),
        (
            ["otabridge_default=a\n", "Cannot read environment, using default"],
            "does not hold what was written: Cannot read environment, using default",
        ),
    ],
)
def test_an_environment_that_cannot_be_used(tmp_path: Path, answers: list[str], message: str):
    """The message names the configuration of libubootenv, the variable, and what to do."""
    with pytest.raises(BootEnvironmentError, match=message):
        loader(tmp_path, Said(*answers)).try_slot(Slot.B)


def test_defaults_on_the_device_do_not_stand_in(tmp_path: Path):
    """libubootenv takes its file of defaults for an environment that it cannot read: we give it none."""
    rig = UBootRig(tmp_path)
    rig.spoil()

    with pytest.raises(BootEnvironmentError, match=r"fw_printenv .* failed with status .*: Cannot read environment"):
        rig.loader.default()


@pytest.mark.parametrize("flag", [0, 127, 128, 254, 255])
def test_the_flag_goes_round(tmp_path: Path, flag: int):
    """The byte that tells the newer copy wraps from 255 to 0, for fw_setenv and U-Boot alike."""
    rig = UBootRig(tmp_path)
    rig.set_newest_flag(flag)
    rig.loader.try_slot(Slot.B)

    assert [rig.power_up() for _ in range(4)] == [Slot.B] * 3 + [Slot.A]
    assert rig.loader.trial() is None

"""Boot loaders by configuration: what the `[slots]` table takes, what it makes, what `check` finds wrong."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from agent.access import firmware_of
from agent.bootloaders import inspection
from agent.bootloaders.boot_id import boot_id
from agent.bootloaders.file import FileBootLoader
from agent.bootloaders.grub import Grub
from agent.bootloaders.partitions import Partitions
from agent.bootloaders.rauc import Rauc
from agent.bootloaders.sdboot import ENTRIES, SystemdBoot, SystemFolder
from agent.bootloaders.uboot import UBoot
from agent.config import ConfigError, load
from agent.disk import SystemDisk
from agent.firmware import BOOT_LOADERS
from agent.kernel import Linux
from agent.proof.crashes import PSTORE
from agent.proof.watchdog import WATCHDOGS
from agent.slots import BootEnvironmentError, Slot
from bridge.release.errors import FailureCode
from tests.agent.bench import Device

REST = """
[device]
model = "gateway-3"
hardware = "r2"

[trust]
root = "root.json"

[channel]
cloud = "aws"
"""
DEVICES = 'a = "/dev/mmcblk0p2"\nb = "/dev/mmcblk0p3"\n'
REFERENCE = Path(__file__).parents[3] / "docs/how-to/prepare-the-boot-loader.md"


def settings(folder: Path, table: str):
    """The `[slots]` table in a configuration."""
    path = folder / "agent.toml"
    path.write_text(f"[slots]\n{table}\n{REST}")
    return load(path).slots


@pytest.mark.parametrize(
    ("table", "kind"),
    [
        ('boot_loader = "file"\ndirectory = "/board"', FileBootLoader),
        (f'boot_loader = "uboot"\n{DEVICES}', UBoot),
        (f'boot_loader = "uboot"\n{DEVICES}[slots.uboot]\nconfig = "fw_env.config"', UBoot),
        (f'boot_loader = "grub"\n{DEVICES}[slots.grub]\nenvironment = "/boot/grubenv"', Grub),
        (f'boot_loader = "systemd-boot"\n{DEVICES}[slots.systemd-boot]\nboot = "/efi"', SystemdBoot),
        ('boot_loader = "rauc"', Rauc),
        ('boot_loader = "rauc"\n[slots.rauc]\na = "system.0"\nb = "system.1"\ntrial = "trial"', Rauc),
    ],
)
def test_each_boot_loader_has_its_name(tmp_path: Path, table: str, kind: type):
    """A real one has the kernel's boot id, watchdogs and crash records; a board of files its own."""
    firmware = firmware_of(settings(tmp_path, table), SystemDisk())
    real = kind is not FileBootLoader

    assert isinstance(firmware.boots, kind)
    assert (firmware.boot_id is boot_id) == real
    assert (firmware.watchdogs == WATCHDOGS) == (firmware.crashes == PSTORE) == real


def test_slots_are_where_the_configuration_says(tmp_path: Path):
    """Relative paths start from the file, as everywhere."""
    table = settings(tmp_path, 'boot_loader = "uboot"\na = "one"\nb = "/dev/two"\n[slots.uboot]\nconfig = "env"')
    boots = firmware_of(table, SystemDisk()).boots

    assert (boots.device(Slot.A), boots.device(Slot.B)) == (tmp_path / "one", Path("/dev/two"))
    assert table.uboot is not None
    assert table.uboot.config == tmp_path / "env"


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ('boot_loader = "file"', 'slots: directory is missing; boot_loader = "file" needs directory'),
        ('boot_loader = "uboot"\na = "/dev/x"', 'slots: b is missing; boot_loader = "uboot" needs a and b'),
        (
            f'boot_loader = "uboot"\n{DEVICES}directory = "x"',
            'slots: directory is given; boot_loader = "uboot" takes a, b, uboot',
        ),
        (
            f'boot_loader = "grub"\n{DEVICES}[slots.systemd-boot]',
            'slots: systemd-boot is given; boot_loader = "grub" takes a, b, grub',
        ),
        (f'boot_loader = "rauc"\n{DEVICES}', 'slots: a is given; boot_loader = "rauc" takes rauc'),
        (
            'boot_loader = "grub"\na = "/dev/x"\nb = "/dev/x"',
            "slots: a and b are both /dev/x; an update needs two",
        ),
        (
            f'boot_loader = "grub"\n{DEVICES}[slots.grub]\nblock = "x"',
            "slots.grub.block is no field; there are: env",
        ),
        (
            f'boot_loader = "systemd-boot"\n{DEVICES}[slots.systemd-boot]\nboot = 5',
            "slots.systemd-boot.boot is 5: expected the path of a file or folder",
        ),
        (
            f'boot_loader = "systemd-boot"\n{DEVICES}[slots.systemd-boot]\nesp = "x"',
            "slots.systemd-boot.esp is no field; there are: boot",
        ),
        ('boot_loader = "rauc"\n[slots.rauc]\na = "rootfs"', "slots.rauc.a is 'rootfs': expected `str` matching regex"),
    ],
)
def test_a_table_that_does_not_fit(tmp_path: Path, table: str, message: str):
    """The message names the field, and what this boot loader takes."""
    with pytest.raises(ConfigError, match=re.escape(message)):
        settings(tmp_path, table)


def test_an_unknown_boot_loader(tmp_path: Path):
    """There are five."""
    with pytest.raises(ConfigError, match="is 'lilo'; there are: file, uboot, grub, systemd-boot, rauc"):
        firmware_of(settings(tmp_path, 'boot_loader = "lilo"'), SystemDisk())


@pytest.mark.parametrize("name", [name for name in BOOT_LOADERS if name != "file"])
def test_the_guide_has_a_configuration_for_each(tmp_path: Path, name: str):
    """Each example can be copied as it stands."""
    examples = re.findall(r"```toml\n(.*?)```", REFERENCE.read_text(), re.DOTALL)
    example = next(text for text in examples if f'boot_loader = "{name}"' in text)
    path = tmp_path / "agent.toml"
    path.write_text(f"{example}\n{REST}")

    slots = load(path).slots
    assert slots.boot_loader == name
    assert firmware_of(slots, SystemDisk()).boot_id is boot_id


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("/dev/mmcblk0 0x100000 0x4000\n", "names 1 copies of the environment; it takes two, in a line each"),
        ("# nothing\n\n", "names 0 copies"),
    ],
)
def test_an_environment_of_uboot_in_one_copy(tmp_path: Path, text: str, message: str):
    """A power cut while fw_setenv writes would leave a board without any."""
    path = tmp_path / "fw_env.config"
    path.write_text(text)

    with pytest.raises(BootEnvironmentError, match=message):
        inspection.of_uboot(path)
    path.write_text(text + "/dev/mmcblk0 0x100000 0x4000\n" * (2 - text.count("mmcblk")))
    assert inspection.of_uboot(path) == f"two copies of the environment, by {path}"
    path.write_text("uboot:\n  size : 0x4000\n")
    assert inspection.of_uboot(path) == f"the environment of {path}"


MOUNTS = """\
22 1 8:2 / / rw,relatime shared:1 - ext4 /dev/sda2 rw
23 22 8:1 / /boot\\040here rw - {kind} {source} rw
"""


@pytest.mark.parametrize(
    ("kind", "source", "found"),
    [
        ("vfat", "/dev/sda1", "/boot here/grubenv on vfat"),
        ("btrfs", "/dev/sda1", "is on btrfs of /dev/sda1, where GRUB cannot count boots"),
        ("ext4", "/dev/mapper/vg-boot", "is on ext4 of /dev/mapper/vg-boot, where GRUB cannot count boots"),
        ("ext4", "/dev/md0", "without LVM, RAID or encryption"),
    ],
)
def test_where_grub_can_write(tmp_path: Path, kind: str, source: str, found: str):
    """save_env writes into the blocks of the file, on a bare partition and few file systems."""
    mounts = tmp_path / "mountinfo"
    mounts.write_text(MOUNTS.format(kind=kind, source=source))
    try:
        said = inspection.of_grub(Path("/boot here/grubenv"), mounts)
    except BootEnvironmentError as error:
        said = str(error)

    assert found in said


@pytest.fixture
def esp(tmp_path: Path) -> Path:
    """A boot partition with an entry for each slot."""
    entries = tmp_path / ENTRIES
    entries.mkdir(parents=True)
    for slot, name in ((Slot.A, "otabridge-2-a.conf"), (Slot.B, "otabridge-1-b.unbootable")):
        (tmp_path / f"vmlinuz-{slot}").touch()
        entries.joinpath(name).write_text(
            f"linux /vmlinuz-{slot}\noptions root=PARTLABEL={slot} otabridge.slot={slot}\n"
        )
    (tmp_path / "cmdline").write_text("otabridge.slot=a")
    return tmp_path


def look(esp: Path) -> str:
    """What `check` says of the boot partition."""
    boots = SystemdBoot(Partitions({}, esp / "cmdline"), SystemFolder(esp / ENTRIES, Linux()), esp / ENTRIES)
    return inspection.of_systemd_boot(boots, esp, esp / ENTRIES)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda esp: (esp / "vmlinuz-b").unlink(), "otabridge-1-b.unbootable names /vmlinuz-b, which is not on"),
        (
            lambda esp: (esp / ENTRIES / "otabridge-2-a.conf").write_text("linux /vmlinuz-a\noptions quiet\n"),
            "otabridge-2-a.conf does not give the kernel otabridge.slot=a: add it to its options",
        ),
        (
            lambda esp: (esp / "loader/loader.conf").write_text("timeout 0\ndefault otabridge-2-a.conf\n"),
            "loader.conf has a default, which overrules the entries' order: remove that line",
        ),
        (
            lambda esp: (esp / ENTRIES / "otabridge-2-a.conf").rename(esp / ENTRIES / "debian.conf"),
            "has no entry for slot a; put one there, as otabridge-1-a.conf",
        ),
    ],
)
def test_entries_of_systemd_boot(esp: Path, spoil, message: str):
    """A slip in an entry shows before the first update, and not at the first fallback."""
    assert look(esp) == f"entries in {esp / ENTRIES}"
    spoil(esp)

    with pytest.raises(BootEnvironmentError, match=message) as caught:
        look(esp)
    assert caught.value.code is FailureCode.BOOT_ENVIRONMENT


def test_check_finds_a_board_that_is_not_set_up(device: Device, capsys: pytest.CaptureFixture[str]):
    """`otabridge-agent check` says what the first update would have stumbled over, before it."""
    file, config = device.folder / "agent.toml", device.folder / "fw_env.config"
    config.write_text("/dev/none 0x100000 0x4000\n")
    text = re.sub(r'directory = ".*board"\n', 'a = "/dev/none2"\nb = "/dev/none3"\n', file.read_text())
    text = text.replace('boot_loader = "file"', 'boot_loader = "uboot"')
    file.write_text(f'{text}\n[slots.uboot]\nconfig = "fw_env.config"\n')

    assert device.run("--output", "json", "check") == 1
    faults = {each["subject"]: each["detail"] for each in json.loads(capsys.readouterr().out) if not each["ok"]}
    assert "fw_printenv" in faults["boot loader"]
    assert faults["boot loader set-up"].startswith(f"{config} names 1 copies of the environment; it takes two")
    assert faults["slot b"].startswith(("/proc/cmdline", "/dev/none3"))

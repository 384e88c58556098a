"""A device in QEMU with everything that belongs to it: its disk, its identity, its cloud's view of it."""

from __future__ import annotations

import shutil
from pathlib import Path

from agent.slots import Slot
from bridge.demo.settings import channel_tables
from tests.boot import recording
from tests.boot.cloud import GuestCloud
from tests.boot.disk import DATA_MIB
from tests.boot.hardware import Hardware
from tests.boot.images import file_system
from tests.boot.machine import Machine
from tests.releases import HARDWARE, MODEL

FACTORY_VERSION = "1.0.0"
DATA_PARTITION = 4
IDENTITY = Path("/data/identity")
"""Where the guest finds what `Device` puts into the folder of the same name."""
CONFIG = f"""\
[device]
model = "{MODEL}"
hardware = "{HARDWARE}"
version = "{FACTORY_VERSION}"

[trust]
root = "{IDENTITY}/root.json"

[state]
directory = "/data/otabridge"

[download]
ca_file = "{IDENTITY}/ca.pem"

[health]
settle_seconds = 1
deadline_seconds = 60

[[health.checks]]
name = "release"
command = ["busybox", "sh", "/check.sh"]

[watchdog]
device = "/dev/watchdog0"
timeout_seconds = 30

[reboot]
command = []

[slots]
"""


class Device:
    """One device of `cloud`; its files are in `folder`. The factory puts `image` into slot a."""

    def __init__(self, folder: Path, hardware: Hardware, cloud: GuestCloud, image: Path) -> None:
        self.hardware = hardware
        self._folder = folder
        self._cloud = cloud
        self.console = folder / "console.log"
        self._assemble(image)
        self.is_recorded = False
        self.machine = Machine(hardware.line(), self.console, hardware.banner)

    def power_on(self) -> None:
        """Switch it on; it restarts by itself from then on."""
        self.machine.power_on()

    def cut_power(self) -> None:
        """Take the power away, whatever it does."""
        self.machine.cut_power()

    def record(self, log: Path) -> None:
        """Record every write to the disk in `log`, until `end_recording`. Only while the power is off."""
        recording.begin(log)
        self.machine.rewire(recording.recorded(self.hardware.line(), self.hardware.disk.path, log))
        self.is_recorded = True

    def end_recording(self) -> None:
        """Go on without; takes a power cut."""
        self.cut_power()
        self.machine.rewire(self.hardware.line())
        self.is_recorded = False
        self.power_on()

    def state(self) -> tuple[Slot, Slot | None]:
        """What the boot loader's environment on the disk says: the default slot, and the slot on trial."""
        boots = self.hardware.boots()
        return boots.default(), boots.trial()

    def _assemble(self, image: Path) -> None:
        self.hardware.create(image)
        data = self._folder / "data.img"
        file_system(data, DATA_MIB, self._write_data(), journal=True)
        self.hardware.disk.fill(DATA_PARTITION, data)

    def _write_data(self) -> Path:
        """The shared partition as a factory leaves it."""
        data = self._folder / "data"
        identity = data / "identity"
        identity.mkdir(parents=True)
        settings = {**self._cloud.add_device(identity), **IN_GUEST, "reconnect_most_seconds": 2.0}
        shutil.copy2(self._cloud.ca_file, identity / "ca.pem")
        (identity / "root.json").write_bytes(self._cloud.owner.pinned)
        (data / "agent.toml").write_text(CONFIG + self.hardware.slots + "\n" + channel_tables("aws", settings))
        if self.hardware.boot_partition:
            (data / "boot-partition").write_text(self.hardware.boot_partition)
        return data


IN_GUEST = {
    "certificate_file": str(IDENTITY / "device.pem"),
    "key_file": str(IDENTITY / "device.key"),
    "ca_file": str(IDENTITY / "ca.pem"),
}

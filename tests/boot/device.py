"""A device in QEMU with everything that belongs to it: its disk, its identity, its cloud's view of it."""

from __future__ import annotations

import shutil
from pathlib import Path

from agent.slots import Slot
from bridge.demo.settings import channel_tables
from tests.boot import recording, uboot
from tests.boot.board import PARTITIONS, Board
from tests.boot.cloud import GuestCloud
from tests.boot.disk import DATA_MIB
from tests.boot.images import SLOT_MIB, file_system
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

[slots]
boot_loader = "uboot"
a = "/dev/nvme0n1p{PARTITIONS[Slot.A]}"
b = "/dev/nvme0n1p{PARTITIONS[Slot.B]}"

[slots.uboot]
config = "/etc/fw_env.config"

[trust]
root = "{IDENTITY}/root.json"

[state]
directory = "/data/otabridge"

[download]
ca_file = "{IDENTITY}/ca.pem"

[health]
settle_seconds = 2
deadline_seconds = 60

[[health.checks]]
name = "release"
command = ["busybox", "sh", "-c", "echo @@ release $(busybox cat /etc/release) is checked >/dev/console"]

[reboot]
command = []

"""


class Device:
    """One device of `cloud`; its files are in `folder`. The factory puts `image` into slot a."""

    def __init__(self, folder: Path, cloud: GuestCloud, image: Path) -> None:
        self.board = Board(folder, SLOT_MIB)
        self._folder = folder
        self._cloud = cloud
        self.console = folder / "console.log"
        self._assemble(image)
        self.is_recorded = False
        self.machine = Machine(self._line(), self.console)

    def power_on(self) -> None:
        """Switch it on; it restarts by itself from then on."""
        self.machine.power_on()

    def cut_power(self) -> None:
        """Take the power away, whatever it does."""
        self.machine.cut_power()

    def record(self, log: Path) -> None:
        """Record every write to the disk in `log`, until `end_recording`. Only while the power is off."""
        recording.begin(log)
        self.machine.rewire(recording.recorded(self._line(), self.board.disk.path, log))
        self.is_recorded = True

    def end_recording(self) -> None:
        """Go on without; takes a power cut."""
        self.cut_power()
        self.machine.rewire(self._line())
        self.is_recorded = False
        self.power_on()

    def state(self) -> tuple[Slot, Slot | None]:
        """What the environment on the disk says: the default slot, and the slot on trial."""
        boots = self.board.agent_in(Slot.A)
        return boots.default(), boots.trial()

    def _line(self) -> list[str]:
        return uboot.networked(uboot.command(self.board.disk.path, self.board.flash))

    def _assemble(self, image: Path) -> None:
        self.board.create()
        self.board.disk.fill(PARTITIONS[Slot.A], image)
        data = self._folder / "data.img"
        file_system(data, DATA_MIB, self._write_data(), journal=True)
        self.board.disk.fill(DATA_PARTITION, data)

    def _write_data(self) -> Path:
        """The shared partition as a factory leaves it."""
        data = self._folder / "data"
        identity = data / "identity"
        identity.mkdir(parents=True)
        settings = {**self._cloud.add_device(identity), **IN_GUEST, "reconnect_most_seconds": 2.0}
        shutil.copy2(self._cloud.ca_file, identity / "ca.pem")
        (identity / "root.json").write_bytes(self._cloud.owner.pinned)
        (data / "agent.toml").write_text(CONFIG + channel_tables("aws", settings))
        return data


IN_GUEST = {
    "certificate_file": str(IDENTITY / "device.pem"),
    "key_file": str(IDENTITY / "device.key"),
    "ca_file": str(IDENTITY / "ca.pem"),
}

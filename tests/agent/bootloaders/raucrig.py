"""A board whose slots RAUC owns: the real `rauc` and its service on a bus of its own, GRUB's environment behind it.

GRUB's side is what RAUC's documentation gives as its script: one boot of each slot that is good and was not tried.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from agent.bootloaders.grubenv import Block, parse, render
from agent.bootloaders.rauc import Rauc
from agent.bootloaders.tool import SystemTool
from agent.disk import SystemDisk
from agent.slots import Slot
from tests.agent.bootloaders.rigs import process, require

PATIENCE_SECONDS = 30
NAMES = {Slot.A: "rootfs.0", Slot.B: "rootfs.1"}
SYSTEM = """\
[system]
compatible=board
bootloader=grub
grubenv={folder}/grubenv
mountprefix={folder}/mnt
statusfile={folder}/status
[keyring]
path={folder}/none.pem
[slot.rootfs.0]
device={folder}/a.img
type=raw
bootname=A
[slot.rootfs.1]
device={folder}/b.img
type=raw
bootname=B
"""
BUS = """\
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type><listen>unix:path={folder}/bus</listen><auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/><allow user="*"/>
  </policy>
</busconfig>
"""


class RaucRig:
    """See Rig. RAUC's own script makes one attempt."""

    attempts = 1

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.place = str(folder / "trial")
        self.environment = {**os.environ, "DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={folder}/bus"}
        self.grubenv = folder / "grubenv"
        self.service = ExitStack()
        tool = SystemTool(environment={"DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={folder}/bus"})
        self.loader = Rauc(NAMES, folder / "trial", tool, SystemDisk())

    @classmethod
    @contextmanager
    def started(cls, folder: Path) -> Iterator[RaucRig]:
        """A board with slot a running."""
        require("rauc", "dbus-daemon", "grub-editenv")
        rig = cls(folder)
        rig._configure()
        with process(["dbus-daemon", f"--config-file={folder}/bus.conf", "--nofork"], folder / "log", rig.environment):
            rig._wait((folder / "bus").exists)
            with rig.service:
                rig.power_up()
                rig.loader.refill()
                yield rig

    def power_up(self) -> Slot:
        """See Rig."""
        variables = dict(parse(self.grubenv.read_bytes()).variables)
        chosen = _choice(variables)
        self.grubenv.write_bytes(render(Block((), variables)))
        self.service.close()
        line = ["rauc", "service", f"--conf={self.folder}/system.conf", f"--override-boot-slot={chosen.upper()}"]
        self.service.enter_context(process(line, self.folder / "log", self.environment))
        self._wait(self._answers)
        return chosen

    def spoil(self) -> None:
        """See Rig: here, the file of ours."""
        (self.folder / "trial").write_text("trial?")

    def remembered(self) -> object:
        """See Rig."""
        return self.grubenv.read_bytes(), (self.folder / "trial").read_bytes()

    def _configure(self) -> None:
        self.folder.joinpath("system.conf").write_text(SYSTEM.format(folder=self.folder))
        self.folder.joinpath("bus.conf").write_text(BUS.format(folder=self.folder))
        first = {"ORDER": "A B", "A_OK": "1", "A_TRY": "0", "B_OK": "0", "B_TRY": "0"}
        self.grubenv.write_bytes(render(Block((), first)))
        for slot in Slot:
            self.folder.joinpath(f"{slot}.img").write_bytes(bytes(4096))

    def _answers(self) -> bool:
        line = ["rauc", "status", "--output-format=json"]
        return subprocess.run(line, check=False, env=self.environment, capture_output=True).returncode == 0

    def _wait(self, ready) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not ready():
            assert time.monotonic() < deadline, (self.folder / "log").read_text()
            time.sleep(0.02)


def _choice(env: dict[str, str]) -> Slot:
    for name in env["ORDER"].split():
        if env[f"{name}_OK"] == "1" and env[f"{name}_TRY"] == "0":
            env[f"{name}_TRY"] = "1"
            return Slot(name.lower())
    env.update({f"{name}_TRY": "0" for name in ("A", "B") if env[f"{name}_OK"] == "1"})
    return _choice(env)

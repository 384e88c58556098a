"""A device whose slot RAUC writes: the real `rauc`, its service on a bus of its own, and no boot loader behind it."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from agent.disk import SystemDisk
from agent.handlers.rauc import RaucHandler
from agent.handlers.settings import RaucBundleSettings
from agent.handling import Work
from agent.slots import Slot
from bridge.release.step import Step
from tests.agent.bootloaders.raucrig import BUS
from tests.agent.bootloaders.rigs import process, require
from tests.agent.handlers.rigs import PATIENCE_SECONDS, SLOT_BYTES, Life, Signer, call, folder_of

SYSTEM = """\
[system]
compatible=board
bootloader=noop
activate-installed=false
mountprefix={folder}/mnt
statusfile={folder}/status
[keyring]
path={folder}/cert.pem
[slot.rootfs.0]
device={folder}/a.img
type=raw
bootname=A
[slot.rootfs.1]
device={folder}/b.img
type=raw
bootname=B
[slot.data.0]
device={folder}/data.img
type=raw
"""
MANIFEST = """\
[update]
compatible=board
version=2
[bundle]
format=plain
"""
HOOK = "[hooks]\nfilename=hook.sh\n"


class RaucRig:
    """See Rig. Slot a runs."""

    stride = 1

    def __init__(self, folder: Path) -> None:
        self.folder, self.life, self.signer = folder, Life(), Signer(folder)
        self.running, self.target = folder / "a.img", folder / "b.img"
        self.bus = {"DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={folder}/bus"}
        for path, content in ((self.running, b"r"), (self.target, b"o"), (folder / "data.img", b"d")):
            path.write_bytes(content * SLOT_BYTES)
        (folder / "mnt").mkdir()
        (folder / "system.conf").write_text(SYSTEM.format(folder=folder))
        (folder / "bus.conf").write_text(BUS.format(folder=folder))
        self.handler = self.of()
        bundle = self.bundle({"rootfs": ""})
        self.work = Work(Step("rootfs", "rauc"), bundle, folder_of(folder), "2.0.0", 7, Slot.B, self.target)

    @classmethod
    @contextmanager
    def started(cls, folder: Path) -> Iterator[RaucRig]:
        """With RAUC's service."""
        require("rauc", "dbus-daemon", "mksquashfs", "openssl")
        rig = cls(folder)
        with (
            process(["dbus-daemon", f"--config-file={folder}/bus.conf", "--nofork"], folder / "log", rig.environment),
            rig.service(),
        ):
            yield rig

    @property
    def environment(self) -> dict[str, str]:
        """Of programs that speak to the service."""
        return {**os.environ, **self.bus}

    @contextmanager
    def service(self) -> Iterator[None]:
        """RAUC's, that answers."""
        line = ["rauc", "service", f"--conf={self.folder}/system.conf", "--override-boot-slot=A"]
        self._wait((self.folder / "bus").exists)
        with process(line, self.folder / "log", self.environment):
            self._wait(self._answers)
            yield

    def of(self, *, owns_boot_loader: bool = False, seconds: float = PATIENCE_SECONDS) -> RaucHandler:
        """A handler of this device."""
        settings = RaucBundleSettings(self.folder / "system.conf")
        runner = self.life.runner(seconds, **self.bus)
        return RaucHandler("rauc", settings, runner, SystemDisk(), owns_boot_loader=owns_boot_loader)

    def bundle(self, images: Mapping[str, str], name: str = "image") -> Path:
        """With an image for each class, and what its section says further."""
        content, target = self.folder / f"{name}-content", self.folder / f"{name}.raucb"
        content.mkdir()
        hook = HOOK if any(images.values()) else ""
        sections = "".join(f"[image.{kind}]\nfilename={kind}.img\n{further}\n" for kind, further in images.items())
        (content / "manifest.raucm").write_text(MANIFEST + hook + sections)
        (content / "hook.sh").write_text("#!/bin/sh\n")
        (content / "hook.sh").chmod(0o755)
        for kind in images:
            (content / f"{kind}.img").write_bytes(b"n" * SLOT_BYTES)
        call("rauc", "bundle", f"--cert={self.signer.certificate}", f"--key={self.signer.key}", content, target)
        return target

    def is_before(self) -> bool:
        """See Rig. A slot that does not run may hold anything."""
        return self.running.read_bytes() == b"r" * SLOT_BYTES

    def is_installed(self) -> bool:
        """See Rig."""
        return self.target.read_bytes() == b"n" * SLOT_BYTES and self.is_before()

    def _answers(self) -> bool:
        line = ["rauc", "status", "--output-format=json"]
        return subprocess.run(line, check=False, env=self.environment, capture_output=True).returncode == 0

    def _wait(self, ready) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not ready():
            assert time.monotonic() < deadline, (self.folder / "log").read_text()
            time.sleep(0.02)

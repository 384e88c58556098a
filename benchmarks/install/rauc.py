"""`rauc install` of a plain bundle: a service on a bus of its own, slots in plain files, GRUB's environment block.

A verity bundle needs the kernel's device mapper. The plain one is read twice: for its signature, for its content.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from benchmarks.install.contestant import Checks, Facts, Session, Spent
from benchmarks.install.credentials import Credentials
from benchmarks.install.payload import LEVEL, Payload, made
from benchmarks.install.programs import Unavailable, require, run, version_of
from benchmarks.install.services import running, wait_until

NAME = "rauc install"
CHECKS = Checks(before="CMS signature of the whole bundle")
MANIFEST = """\
[update]
compatible=bench
version=2
[bundle]
format=plain
[image.rootfs]
filename=rootfs.img
"""
SYSTEM = """\
[system]
compatible=bench
bootloader=grub
grubenv={folder}/grubenv
mountprefix={folder}/mnt
statusfile={folder}/status
[keyring]
path={certificate}
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
FIRST_ENVIRONMENT = ("ORDER=A B", "A_OK=1", "A_TRY=0", "B_OK=0", "B_TRY=0")


class Rauc:
    """The bundle's squashfs is packed with zstd."""

    def __init__(self, payload: Payload, folder: Path, credentials: Credentials) -> None:
        """Raises: Unavailable."""
        require("rauc", "dbus-daemon", "grub-editenv", "mksquashfs")
        self._folder = folder
        self.artifact = made(payload.kept / "image.raucb", lambda target: _bundle(target, payload.new, credentials))
        self.sources = (self.artifact,)
        self.slot = folder / "b.img"
        self.facts = Facts(NAME, version_of("rauc"), "a file", f"squashfs, zstd -{LEVEL}", CHECKS)
        _configure(folder, credentials)

    @contextmanager
    def session(self) -> Iterator[Session]:
        """See Contestant."""
        folder = self._folder
        _forget(folder)
        bus, environment = folder / "bus", {**os.environ, "DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={folder}/bus"}
        with running(["dbus-daemon", f"--config-file={folder}/bus.conf", "--nofork"], folder / "bus.log") as daemon:
            wait_until(bus.exists, folder / "bus.log")
            line = ["rauc", "service", f"--conf={folder}/system.conf", "--override-boot-slot=A"]
            with running(line, folder / "rauc.log", environment) as service:
                wait_until(lambda: _answers(environment), folder / "rauc.log")
                yield Session(lambda: self._install(environment), (daemon, service))

    def _install(self, environment: Mapping[str, str]) -> Spent:
        run(["rauc", "install", self.artifact], environment=environment)
        return Spent()


def _bundle(target: Path, image: Path, credentials: Credentials) -> None:
    content = target.with_name("rauc.content")
    content.mkdir(exist_ok=True)
    (content / "manifest.raucm").write_text(MANIFEST)
    (content / "rootfs.img").unlink(missing_ok=True)
    run(["cp", "--reflink=auto", image, content / "rootfs.img"])
    keys = [f"--cert={credentials.certificate}", f"--key={credentials.key}"]
    packing = f"--mksquashfs-args=-comp zstd -Xcompression-level {LEVEL}"
    run(["rauc", "bundle", *keys, packing, content, target])
    shutil.rmtree(content)


def _configure(folder: Path, credentials: Credentials) -> None:
    (folder / "mnt").mkdir()
    (folder / "a.img").write_bytes(b"")
    (folder / "system.conf").write_text(SYSTEM.format(folder=folder, certificate=credentials.certificate))
    (folder / "bus.conf").write_text(BUS.format(folder=folder))


def _forget(folder: Path) -> None:
    """Nothing was ever installed: RAUC skips an image that its status file knows."""
    for name in ("status", "grubenv", "bus"):
        (folder / name).unlink(missing_ok=True)
    run(["grub-editenv", folder / "grubenv", "create"])
    run(["grub-editenv", folder / "grubenv", "set", *FIRST_ENVIRONMENT])


def _answers(environment: Mapping[str, str]) -> bool:
    try:
        run(["rauc", "status"], environment=environment)
    except Unavailable:
        return False
    return True

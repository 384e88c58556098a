"""`mender install`, standalone: its root has to be a partition, so both slots are loop devices and it runs in a chroot.

The active partition is a file system of nothing but places to mount the host's programs at. Mender hands `fw_setenv`
lines `name value`, of which libubootenv wants `name=value`: a shim in between puts that right, or no slot is switched.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.install.contestant import Checks, Facts, Session, Spent
from benchmarks.install.credentials import Credentials
from benchmarks.install.environment import configuration, read_environment, write_environment
from benchmarks.install.payload import Payload, made
from benchmarks.install.programs import Unavailable, require, run, version_of
from benchmarks.install.serving import HTTP, Server
from benchmarks.install.slots import attached

NAME = "mender install"
CHECKS = Checks("RSA signature of the manifest", "sha256 of the unpacked image")
PLACES = ("dev", "etc", "proc", "shared", "tmp", "usr", "var/lib/mender")
LINKS = ("bin", "sbin", "lib", "lib64")
SHARED = Path("/shared")
SHIM = """\
#!/bin/sh
if [ "$1" = -s ]; then
  sed -E 's/^([^ =]+) +/\\1=/' | /usr/bin/fw_setenv -s -
else
  exec /usr/bin/fw_setenv "$@"
fi
"""
BEGIN = """\
set -e
root=$1 active=$2 shared=$3
shift 3
mount "$active" "$root"
mount --rbind /usr "$root/usr"
mount --rbind /dev "$root/dev"
mount --bind "$shared" "$root/shared"
mount -t proc proc "$root/proc"
mount -t tmpfs tmpfs "$root/tmp"
mount -t overlay overlay -o "ro,lowerdir=$shared/etc:/etc" "$root/etc"
PATH=/shared/bin:/usr/bin:/usr/sbin exec chroot "$root" "$@"
"""
PROGRAMS = ("mender", "mender-artifact", "mke2fs", "losetup", "fw_setenv", "fw_printenv", "unshare", "chroot")
ACTIVE_SIZE = "16M"


class Mender:
    """Streams a gzipped artifact, the only packing that its artifacts of Debian have beside LZMA."""

    def __init__(self, payload: Payload, folder: Path, credentials: Credentials, server: Server) -> None:
        """Raises: Unavailable."""
        require(*PROGRAMS)
        self._folder = folder
        self.artifact = made(payload.kept / "image.mender", lambda target: _artifact(target, payload.new, credentials))
        self.sources = (self.artifact,)
        self.slot = folder / "b.img"
        self._url = server.url(self.artifact)
        self.facts = Facts(NAME, version_of("mender-client"), HTTP, "gzip", CHECKS)
        _configure(folder, credentials)

    @contextmanager
    def session(self) -> Iterator[Session]:
        """See Contestant."""
        folder = self._folder
        shutil.copyfile(folder / "first.img", folder / "a.img")
        with attached(folder / "a.img") as active, attached(self.slot) as other:
            (folder / "shared/etc/mender/mender.conf").write_text(settings(active, other))
            write_environment(folder / "shared", first_environment(active))
            yield Session(lambda: self._install(active))
            if read_environment(folder / "shared").get("mender_boot_part") != number(other):
                raise Unavailable("mender did not switch to the slot that it wrote")

    def _install(self, active: Path) -> Spent:
        own_root = ["unshare", "--mount", "sh", "-c", BEGIN, "sh"]
        tool = ["/usr/bin/mender", "--no-syslog", "install", self._url]
        run([*own_root, self._folder / "root", active, self._folder / "shared", *tool])
        return Spent()


def settings(active: Path, other: Path) -> str:
    """mender.conf of a device with these two partitions."""
    values = {
        "RootfsPartA": str(active),
        "RootfsPartB": str(other),
        "DeviceTypeFile": str(SHARED / "etc/mender/device_type"),
        "ServerURL": "https://localhost",
        "ArtifactVerifyKey": str(SHARED / "etc/mender/key.pem"),
    }
    return json.dumps(values, indent=2)


def first_environment(active: Path) -> dict[str, str]:
    """What the boot loader knows before any update."""
    part = number(active)
    return {
        "mender_boot_part": part,
        "mender_boot_part_hex": f"{int(part):x}",
        "upgrade_available": "0",
        "bootcount": "0",
    }


def number(device: Path) -> str:
    """By which Mender calls a partition: the digits at the end of its name."""
    return device.name.lstrip("abcdefghijklmnopqrstuvwxyz")


def _artifact(target: Path, image: Path, credentials: Credentials) -> None:
    what: list[str | Path] = ["--device-type", "bench", "--artifact-name", "release-2", "--file", image]
    key: list[str | Path] = ["--key", credentials.rsa_private]
    run(["mender-artifact", "--compression", "gzip", "write", "rootfs-image", *what, *key, "--output-path", target])


def _configure(folder: Path, credentials: Credentials) -> None:
    shared = folder / "shared"
    for place in (shared / "bin", shared / "etc/mender", folder / "root"):
        place.mkdir(parents=True)
    (shared / "bin/fw_setenv").write_text(SHIM)
    (shared / "bin/fw_setenv").chmod(0o755)
    (shared / "etc/fw_env.config").write_text(configuration(SHARED))
    (shared / "etc/mender/device_type").write_text("device_type=bench\n")
    (shared / "etc/mender/artifact_info").write_text("artifact_name=release-1\n")
    shutil.copy(credentials.rsa_public, shared / "etc/mender/key.pem")
    _make_active(folder / "first.img", folder / "skeleton")


def _make_active(target: Path, skeleton: Path) -> None:
    for place in PLACES:
        (skeleton / place).mkdir(parents=True)
    for link in LINKS:
        (skeleton / link).symlink_to(f"usr/{link}")
    run(["mke2fs", "-q", "-t", "ext4", "-d", skeleton, target, ACTIVE_SIZE])

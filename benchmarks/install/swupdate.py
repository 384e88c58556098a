"""`swupdate`: a signed description, an image that is unpacked straight into a plain file, U-Boot's environment.

Debian's build reads /etc/fw_env.config and nothing else: each run has an /etc of its own, with that file laid over it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.install.contestant import Checks, Facts, Session, Spent
from benchmarks.install.credentials import Credentials
from benchmarks.install.environment import configuration, read_environment, write_environment
from benchmarks.install.payload import LEVEL, Payload, made
from benchmarks.install.programs import Unavailable, require, run, version_of
from benchmarks.install.serving import HTTP, Server

FILE_NAME, HTTP_NAME = "swupdate -i", "swupdate -d"
CHECKS = Checks("CMS signature of the description", "sha256 of the packed image", synced=False)
PACKED = "image.zst"
DESCRIPTION = """\
software = {{
  version = "2.0";
  hardware-compatibility: [ "1.0" ];
  stable = {{
    b: {{
      images: ( {{
        filename = "{name}";
        sha256 = "{sha256}";
        device = "{slot}";
        type = "raw";
        compressed = "zstd";
        installed-directly = true;
      }} );
      bootenv: ( {{ name = "boot_slot"; value = "B"; }}, {{ name = "bootcount"; value = "0"; }} );
    }};
  }};
}}
"""
MEMBERS = ("sw-description", "sw-description.sig", PACKED)
FIRST_ENVIRONMENT = {"boot_slot": "A", "bootcount": "0"}
BEGIN = 'mount -t overlay overlay -o "ro,lowerdir=$1:/etc" /etc && shift && exec "$@"'


class Swupdate:
    """From a file, or streaming from a server."""

    def __init__(self, payload: Payload, folder: Path, credentials: Credentials, server: Server | None = None) -> None:
        """Raises: Unavailable."""
        require("swupdate", "fw_setenv", "openssl", "cpio", "zstd", "unshare")
        self._folder = folder
        self._certificate = credentials.certificate
        self.slot = folder / "b.img"
        packed = made(payload.kept / PACKED, lambda target: _pack(target, payload.new))
        self.artifact = _archive(folder, packed, self.slot, credentials)
        self.sources = (self.artifact,)
        self._from = ["--image", str(self.artifact)]
        if server is not None:
            self._from = ["--download", f"--url {server.url(self.artifact)}"]
        name, delivery = (FILE_NAME, "a file") if server is None else (HTTP_NAME, HTTP)
        self.facts = Facts(name, version_of("swupdate"), delivery, f"zstd -{LEVEL}", CHECKS)

    @contextmanager
    def session(self) -> Iterator[Session]:
        """See Contestant."""
        write_environment(self._folder, FIRST_ENVIRONMENT)
        yield Session(self._install)
        if read_environment(self._folder).get("boot_slot") != "B":
            raise Unavailable("swupdate did not switch to the slot that it wrote")

    def _install(self) -> Spent:
        tool = ["swupdate", "--bootloader", "uboot", "--loglevel", "1", "--key", str(self._certificate)]
        choice = ["--select", "stable,b", "--hwrevision", "bench:1.0"]
        own_etc = ["unshare", "--mount", "sh", "-c", BEGIN, "sh", str(self._folder / "etc")]
        run([*own_etc, *tool, *choice, *self._from])
        return Spent()


def _pack(target: Path, image: Path) -> None:
    run(["zstd", "--quiet", f"-{LEVEL}", "--threads=0", image, "-o", target])


def _archive(folder: Path, packed: Path, slot: Path, credentials: Credentials) -> Path:
    """The .swu, and the /etc that the tool will see."""
    (folder / "etc").mkdir()
    (folder / "etc/fw_env.config").write_text(configuration(folder))
    (folder / PACKED).symlink_to(packed)
    (folder / MEMBERS[0]).write_text(description(packed, slot))
    signer: list[str | Path] = ["-signer", credentials.certificate, "-inkey", credentials.key]
    form = ["-outform", "DER", "-nosmimecap", "-binary"]
    run(["openssl", "cms", "-sign", "-in", MEMBERS[0], "-out", MEMBERS[1], *signer, *form], folder=folder)
    listed = "\\n".join(MEMBERS)
    run(["sh", "-c", f"printf '{listed}\\n' | cpio --quiet -o -L -H crc > image.swu"], folder=folder)
    return folder / "image.swu"


def description(packed: Path, slot: Path) -> str:
    """The sw-description of an image that goes from `packed` into `slot`."""
    with packed.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return DESCRIPTION.format(name=PACKED, sha256=sha256, slot=slot)

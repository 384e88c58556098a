"""Devices for the contract of handlers: each with one handler, a step for it, and what shows whether it is in effect.

The programs are the real ones. A step is cut off where the agent is stopped: at one of its signs of life.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from agent.disk import SystemDisk
from agent.handlers.dpkg import Dpkg
from agent.handlers.kept import Kept
from agent.handlers.package import PackageHandler
from agent.handlers.runner import Runner
from agent.handlers.script import ScriptHandler
from agent.handlers.settings import OWN_FILE, ScriptSettings, SwupdateSettings
from agent.handlers.swupdate import SwupdateHandler
from agent.handling import Handler, Work
from agent.pace import StopRequested, Timing
from agent.slots import Slot
from bridge.release.step import Place, Step
from tests.agent.bootloaders.rigs import require

PATIENCE_SECONDS = 60.0
GUIDE = Path(__file__).parents[3] / "docs/how-to/give-a-device-handlers.md"
SLOT_BYTES = 256 * 1024


@dataclass
class Life:
    """The agent's signs of life, after so many of which it is stopped."""

    left: int | None = None
    beats: int = 0

    def beat(self) -> None:
        """See Timing."""
        self.beats += 1
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                raise StopRequested

    def runner(self, seconds: float = PATIENCE_SECONDS, **environment: str) -> Runner:
        """One that lives so."""
        return Runner(Timing(beat=self.beat, sleep=lambda _: self.beat()), seconds, environment)


class Rig(Protocol):
    """A device with one handler."""

    life: Life
    handler: Handler
    work: Work
    stride: int
    """Signs of life between two that a step is cut off at."""

    def is_before(self) -> bool:
        """Nothing of the step is in effect, as before it."""

    def is_installed(self) -> bool:
        """The step is in effect."""


def folder_of(folder: Path) -> Path:
    """The step's own."""
    own = folder / "step"
    own.mkdir()
    return own


def example() -> str:
    """The script of the guide."""
    found = re.search(r"```sh\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    assert found is not None
    return found[1]


class ScriptRig:
    """The guide's program, which replaces a file. `brought`: by the release."""

    stride = 1

    def __init__(self, folder: Path, *, brought: bool = False) -> None:
        self.life = Life()
        self.firmware, file, program = folder / "firmware", folder / "file", folder / "update-modem"
        self.firmware.write_text("old")
        file.write_text("new")
        program.write_text(example())
        program.chmod(0o755)
        settings = {"target": str(self.firmware)}
        command: tuple[str, ...] = (str(program),)
        if brought:
            # the program is the file, so what it installs is itself
            file.write_text(example())
            settings["undo"] = "yes"
            command = ("/bin/sh", OWN_FILE)
        self.new = file.read_text()
        self.handler = ScriptHandler("modem", ScriptSettings(command), self.life.runner())
        step = Step("firmware", "modem", Place.DEVICE, settings)
        self.work = Work(step, file, folder_of(folder), "2.0.0", 7)

    def is_before(self) -> bool:
        """See Rig."""
        return self.firmware.read_text() == "old"

    def is_installed(self) -> bool:
        """See Rig."""
        return self.firmware.read_text() == self.new


def package(folder: Path, version: str, *, name: str = "gateway", content: str = "", **scripts: str) -> Path:
    """A package file of that version, with a program of that content, or that says its version; `scripts` are what its
    maintainer has dpkg run."""
    tree = folder / f"tree-{name}-{version}-{content}"
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "opt").mkdir()
    (tree / f"opt/{name}").write_text(content or version)
    about = {"Package": name, "Version": version, "Architecture": "all", "Maintainer": "a <a@b>", "Description": "c"}
    (tree / "DEBIAN/control").write_text("".join(f"{field}: {value}\n" for field, value in about.items()))
    for script, text in scripts.items():
        (tree / "DEBIAN" / script).write_text(f"#!/bin/sh\n{text}\n")
        (tree / "DEBIAN" / script).chmod(0o755)
    file = folder / f"{name}-{version}{content}.deb"
    subprocess.run(["dpkg-deb", "--root-owner-group", "--build", tree, file], check=True, capture_output=True)
    return file


class PackageRig:
    """A system of its own, with version 1.0 of a package, whose file is kept; or without the package."""

    stride = 1
    options = ("--force-not-root", "--force-script-chrootless")
    """A system without a shell of its own, and tests that need not be root."""

    def __init__(self, folder: Path, *, absent: bool = False, **scripts: str) -> None:
        require("dpkg", "dpkg-deb", "dpkg-query")
        self.life, self.root, self.folder = Life(), folder / "root", folder
        database = self.root / "var/lib/dpkg"
        for name in ("info", "updates"):
            (database / name).mkdir(parents=True)
        (database / "status").touch()
        self.dpkg = Dpkg(self.life.runner(), self.root, self.options)
        self.kept = Kept(folder / "kept", SystemDisk())
        self.before = "" if absent else "1.0"
        if not absent:
            old = package(folder, "1.0")
            self.dpkg.install("rig", old)
            self.kept.keep(old, "gateway", "1.0")
        self.handler = PackageHandler("apps", self.dpkg, self.kept, SystemDisk())
        step = Step("app", "apps", Place.DEVICE, {"package": "gateway"})
        self.work = Work(step, package(folder, "2.0", **scripts), folder_of(folder), "2.0.0", 7)

    def is_before(self) -> bool:
        """See Rig."""
        return self.version() == self.before and self.listed() == self.before

    def is_installed(self) -> bool:
        """See Rig."""
        return self.version() == "2.0" and self.listed() == "2.0"

    def version(self) -> str:
        """Of the program that the package brings; "" where there is none."""
        program = self.root / "opt/gateway"
        return program.read_text() if program.exists() else ""

    def listed(self) -> str:
        """The version that dpkg knows, "" where it knows none."""
        return self.dpkg.standing("rig", "gateway").version


@dataclass
class Signer:
    """A key and its certificate, for what verifies signatures."""

    folder: Path
    certificate: Path = field(init=False)
    key: Path = field(init=False)

    def __post_init__(self) -> None:
        self.certificate, self.key = self.folder / "cert.pem", self.folder / "key.pem"
        where = ["-keyout", self.key, "-out", self.certificate]
        call("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=test", "-days", "9", *where)


def call(*command: str | Path, folder: Path | None = None) -> None:
    """Run one of the programs that make files for the handlers."""
    done = subprocess.run([str(word) for word in command], check=False, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"


ENTRY = '{{ filename = "{name}"; sha256 = "{sha256}"; {where}; }}'


def swu(signer: Signer, modes: dict[str, Sequence[tuple[Path, str, str]]], *, lacking: str = "") -> Path:
    """An image with modes of the set `stable`, each of files with the section and the place that they belong to.

    It does not hold the file `lacking`.
    """
    folder = signer.folder
    described = "".join(f"{mode}: {{ {_sections(entries)} }};\n" for mode, entries in modes.items())
    text = f'software = {{ version = "1"; hardware-compatibility: [ "1.0" ]; stable = {{ {described} }}; }}\n'
    (folder / "sw-description").write_text(text)
    signed = ["-signer", signer.certificate, "-inkey", signer.key, "-outform", "DER", "-nosmimecap", "-binary"]
    description, signature = folder / "sw-description", folder / "sw-description.sig"
    call("openssl", "cms", "-sign", "-in", description, "-out", signature, *signed)
    files = {file.name for entries in modes.values() for file, _, _ in entries} - {lacking}
    members = "".join(f"{name}\\n" for name in ["sw-description", "sw-description.sig", *sorted(files)])
    call("sh", "-c", f"printf '{members}' | cpio --quiet -o -H crc > image.swu", folder=folder)
    return folder / "image.swu"


def _sections(entries: Sequence[tuple[Path, str, str]]) -> str:
    sections = {section: [entry for entry in entries if entry[1] == section] for _, section, _ in entries}
    return " ".join(f"{name}: ( {', '.join(map(_entry, those))} );" for name, those in sections.items())


def _entry(entry: tuple[Path, str, str]) -> str:
    file, section, where = entry
    at = {"images": f'device = "{where}"; type = "raw"; installed-directly = true', "files": f'path = "{where}"'}
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    return ENTRY.format(name=file.name, sha256=sha256, where=at.get(section, 'type = "shellscript"'))


class SwupdateRig:
    """Files in place of devices. `beside`: the step is not one of the slot, and has its way back in the image."""

    stride = 40  # each line of its long log is a sign of life, and each run takes it seconds

    def __init__(self, folder: Path, *, beside: bool = False) -> None:
        require("swupdate", "openssl", "cpio")
        self.life, self.signer = Life(), Signer(folder)
        self.running, self.target = folder / "a.img", folder / "b.img"
        self.new, self.old = folder / "new.bin", folder / "old.bin"
        for path, content in ((self.running, b"r"), (self.target, b"o"), (self.new, b"n"), (self.old, b"o")):
            path.write_bytes(content * SLOT_BYTES)
        modes = {
            "slot-a": [(self.new, "images", str(self.running))],
            "slot-b": [(self.new, "images", str(self.target))],
            "back": [(self.old, "images", str(self.target))],
        }
        self.beside = beside
        self.handler = self.of(SwupdateSettings(self.command, "stable,slot-a", "stable,slot-b"))
        self.work = self.work_with(swu(self.signer, modes), folder_of(folder))

    @property
    def command(self) -> tuple[str, ...]:
        """The device's own."""
        return ("swupdate", "-l", "1", "-k", str(self.signer.certificate), "-H", "board:1.0")

    def of(self, settings: SwupdateSettings, seconds: float = PATIENCE_SECONDS) -> SwupdateHandler:
        """A handler with `settings`."""
        return SwupdateHandler("swu", settings, self.life.runner(seconds), SystemDisk())

    def work_with(self, image: Path, folder: Path) -> Work:
        """The step with that image."""
        if self.beside:
            settings = {"install": "stable,slot-b", "undo": "stable,back"}
            return Work(Step("modem", "swu", Place.DEVICE, settings), image, folder, "2.0.0", 7)
        return Work(Step("rootfs", "swu"), image, folder, "2.0.0", 7, Slot.B, self.target)

    def is_before(self) -> bool:
        """See Rig. A slot that does not run may hold anything."""
        return self.running.read_bytes() == b"r" * SLOT_BYTES and (
            not self.beside or self.target.read_bytes()[:1] == b"o"
        )

    def is_installed(self) -> bool:
        """See Rig."""
        return self.target.read_bytes() == b"n" * SLOT_BYTES and self.running.read_bytes() == b"r" * SLOT_BYTES

"""Releases of several steps for the device in memory, and a handler that changes parts of it: files beside the slots.

A part holds, in its first line, its name and the version of the release that it came with.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from random import Random
from types import MappingProxyType

from agent.disk import Disk
from agent.handling import StepError, Work
from bridge.release.image import Image
from bridge.release.manifest import Artifact, Codec
from bridge.release.step import Place, Step
from tests.agent.power import SimulatedKernel
from tests.releases import FULL_NAME, Package, ReleaseKit, describe, image_of, sha256, whole

PARTS = Path("/parts")
SCRIPT = "script"
BEFORE = "before"
"""The way back: a file in the step's folder."""
BOOT = Step("boot", SCRIPT, Place.DEVICE)
ROOTFS = Step("rootfs")
FOREIGN = Step("rootfs", SCRIPT, Place.SLOT)
APP = Step("app", SCRIPT, Place.DEVICE)
RESTARTED = Step("boot", SCRIPT, Place.DEVICE, restart=True)
IMAGE, BY_HANDLER, IN_PLACE, WITH_RESTART = "image", "slot by a handler", "in place", "in place, with a restart"
KINDS = MappingProxyType(
    {
        IMAGE: (BOOT, ROOTFS, APP),
        BY_HANDLER: (BOOT, FOREIGN, APP),
        IN_PLACE: (BOOT, APP),
        WITH_RESTART: (RESTARTED, APP),
    }
)
"""The steps of a release, by what is told of it."""
PART_BYTES = {"boot": 3_000, "app": 70_000}


@cache
def part(name: str, version: str) -> bytes:
    """What part `name` is in release `version`."""
    head = f"{name} {version}\n".encode()
    return head + Random(f"{name} {version}").randbytes(PART_BYTES.get(name, 5_000) - len(head))


def stepped(kit: ReleaseKit, image: bytes, steps: tuple[Step, ...], version: str, sequence: int, **more) -> Package:
    """A signed release of `steps`; `image` is what a step of the slot makes."""
    made = [_made(step, image, version) for step in steps]
    return kit.bundle(image, made, steps=steps, version=version, sequence=sequence, **more)


def _made(step: Step, image: bytes, version: str) -> tuple[Artifact, bytes]:
    if step.handler == SCRIPT:
        data = image if step.place is Place.SLOT else part(step.name, version)
        return _file(step, data), data
    data = whole(image)
    known = describe(image, data)
    return Artifact(FULL_NAME, known.length, known.sha256, known.image, step=step.name), data


def _file(step: Step, data: bytes) -> Artifact:
    made: Image = image_of(data)
    return Artifact(f"{step.name}.bin", len(data), sha256(data), made, Codec.FILE, step=step.name)


@dataclass
class ScriptedHandler:
    """agent.handling.Handler. It keeps its way back before it changes a part, and bears being interrupted anywhere.

    Each verb is a moment of the kernel as it begins, and another as it ends. `broken` counts how often a verb is going
    to fail, by its moment; `unfit` says why a step cannot be done here.
    """

    disk: Disk
    kernel: SimulatedKernel
    broken: dict[str, int] = field(default_factory=dict)
    unfit: dict[str, str] = field(default_factory=dict)
    spoils: bool = False
    """Whether the slot gets other bytes than it was to get."""

    def require_ready(self, step: Step) -> None:
        """See Handler."""
        if step.name in self.unfit:
            raise StepError(f"step {step.name}: {self.unfit[step.name]}")

    def install(self, work: Work) -> None:
        """See Handler."""
        self._begin("install", work)
        if work.device is not None:
            self._write(work.device, work.file)
        else:
            self._keep_way_back(work)
            self.disk.replace(self._part(work), self._content(work.file))
        self.kernel.moment(f"installed {work.step.name}")

    def undo(self, work: Work) -> None:
        """See Handler."""
        self._begin("undo", work)
        before = self.disk.read(work.folder / BEFORE)
        if before:
            self.disk.replace(self._part(work), before)
        elif before is not None:
            self.disk.remove(self._part(work))
        self.kernel.moment(f"undone {work.step.name}")

    def settle(self, work: Work) -> None:
        """See Handler."""
        self._begin("settle", work)
        self.disk.remove(work.folder / BEFORE)
        self.kernel.moment(f"settled {work.step.name}")

    def _begin(self, verb: str, work: Work) -> None:
        moment = f"{verb} {work.step.name}"
        self.kernel.moment(moment)
        if self.broken.get(moment):
            self.broken[moment] -= 1
            raise StepError(f"step {work.step.name}: its script ended with status 1")

    def _keep_way_back(self, work: Work) -> None:
        """Once: what is there later is what this step has brought."""
        if self.disk.read(work.folder / BEFORE) is None:
            self.disk.replace(work.folder / BEFORE, self.disk.read(self._part(work)) or b"")

    def _write(self, device: Path, file: Path) -> None:
        slot, data = self.disk.open_slot(device), self._content(file)
        try:
            slot.write(0, data[:-1] + b"?" if self.spoils else data)
            slot.sync()
        finally:
            slot.close()

    def _part(self, work: Work) -> Path:
        return PARTS / work.step.name

    def _content(self, file: Path) -> bytes:
        data = self.disk.read(file)
        assert data is not None
        return data

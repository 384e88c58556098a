"""A device of an honest owner, and whatever stands between them: the cloud account, the store, the line, the clock."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache

from agent.bootloaders.file import image_path
from agent.cloud.channel import Channel, Offer
from agent.download.connections import Connections
from agent.download.fetch import HttpDownload, Limits
from agent.download.link import Links
from agent.slots import Slot
from bridge.release.manifest import Artifact
from bridge.release.report import Outcome, Report
from tests.agent.attacks.attack import Attack
from tests.agent.attacks.clouds import Hearing
from tests.agent.device import FOLDER, JOURNAL, SimulatedCloud, SimulatedDevice, SimulatedLink, delta_package, image
from tests.agent.fileserver import Fault, FileServer, Sleeper
from tests.agent.stepping import IN_PLACE, KINDS, stepped
from tests.releases import NOW, Package, ReleaseKit, describe, whole

STEPS = JOURNAL.with_name("steps")
STORE = "https://store.example/"
LATER = datetime(2029, 6, 1, tzinfo=NOW.tzinfo)
HONEST = 90
"""Sequence of the release that the owner publishes when the attack is over."""


@cache
def full_artifact(sequence: int) -> tuple[Artifact, bytes]:
    """The artifact of that release; making one takes longer than an attack."""
    data = whole(image(sequence))
    return describe(image(sequence), data), data


@dataclass(frozen=True, slots=True)
class Ending:
    """How an attack ended: what the device reported, the slot that runs, and what became of the rest.

    `is_verified`: the slot that runs holds an image that the owner signed, or the factory's. `is_untouched`: the other
    slot is as it was. `is_whole`: no part beside the slots is of another release than the one that runs. `afterwards`
    is how the owner's next release ended, and `is_clean`: no file of any step is left then.
    """

    report: Report | None
    slot: Slot
    version: str
    is_verified: bool
    is_untouched: bool
    is_whole: bool
    afterwards: Outcome | None
    is_clean: bool


@dataclass(repr=False)
class Scene:
    """`owner` signs with two of three keys, `thief` with keys of their own. The device runs 1.0.0 in slot a."""

    owner: ReleaseKit = field(default_factory=ReleaseKit)
    thief: ReleaseKit = field(default_factory=ReleaseKit)
    device: SimulatedDevice = field(init=False)
    images: set[bytes] = field(init=False)
    offer: Offer | None = None
    stack: ExitStack = field(default_factory=ExitStack)

    def __post_init__(self) -> None:
        self.device = SimulatedDevice.built(pinned=self.owner.pinned)
        self.images = {image(1)}

    def release(self, sequence: int = 2, **changes) -> Package:
        """The owner's release of that sequence."""
        self.images.add(image(sequence))
        fields = {"version": f"{sequence}.0.0", "sequence": sequence, **changes}
        return self.owner.bundle(image(sequence), [full_artifact(sequence)], **fields)

    def stepped(self, kind: str = IN_PLACE, sequence: int = 2, **changes) -> Package:
        """The owner's release of that sequence with the steps KINDS[kind], or `changes`; parts of 1.0.0 are there."""
        self.device.fit_parts("boot", "app")
        self.images.add(image(sequence))
        steps = changes.pop("steps", KINDS[kind])
        return stepped(self.owner, image(sequence), steps, f"{sequence}.0.0", sequence, **changes)

    def delta(self, sequence: int, source: int) -> Package:
        """The owner's release with a delta from image `source` beside the full artifact."""
        made = delta_package(sequence, source)
        self.images.add(made.image)
        pairs = [(artifact, made.files[artifact.name]) for artifact in made.release.artifacts]
        return self.owner.bundle(made.image, pairs, version=made.release.version, sequence=sequence)

    def install(self, *packages: Package) -> None:
        """Honest updates, before the attack."""
        for number, packed in enumerate(packages):
            offer = self.device.offer(packed, f"earlier-{number}", self.owner.later_roots)
            report = self.device.run(offer)
            assert report is not None
            assert report.outcome is Outcome.INSTALLED, report.detail

    def present(self, packed: Package, roots: tuple[bytes, ...] = (), **changes) -> Offer:
        """Offer `packed`, with `changes` to the offer."""
        self.offer = replace(self.device.offer(packed, "attack", roots), **changes)
        return self.offer

    def serve(self, name: str, data: bytes, packed: Package) -> None:
        """Put `data` behind the URL of that artifact."""
        signed = next(each for each in packed.release.artifacts if each.name == name)
        self.device.link.files[signed.sha256] = data

    def through(self, channel: Channel) -> None:
        """The device talks to this cloud."""
        self.device.cloud = self.stack.enter_context(Hearing(channel))

    def over_http(self, packed: Package, *faults: Fault, url: str = "", allow_http: bool = True) -> None:
        """Offer `packed` from a real server that answers with `faults`, or from `url`, by the agent's real download."""
        offer = self.present(packed)
        server = self.stack.enter_context(serving(*faults))
        connections = Connections(connect_seconds=5, read_seconds=5, proxies={})
        self.stack.callback(connections.close)
        links, timing = Links(connections, allow_http=allow_http), Sleeper().timing()
        self.device.link = HttpDownload(links, Limits(faults=2), timing)
        self.device.start_agent()
        self.offer = replace(offer, urls=dict.fromkeys(offer.urls, url or server.url))

    def slots(self) -> dict[Slot, bytes]:
        """What both slots hold."""
        return {slot: self.device.kernel.content(image_path(FOLDER, slot)) for slot in Slot}

    def recover(self) -> Outcome | None:
        """The attack is over, and the owner publishes a release: how it ends."""
        self.device.cloud, self.device.link, self.device.now = SimulatedCloud(), SimulatedLink(), NOW
        self.device.start_agent()
        packed = self.release(HONEST, expires=LATER)
        report = self.device.run(self.device.offer(packed, "honest", self.owner.later_roots))
        self.device.start_agent()
        self.device.run()
        return None if report is None else report.outcome


def play(attack: Attack) -> Ending:
    """The attack on a device of its own, to its end."""
    scene = Scene()
    with scene.stack:
        attack.strike(scene)
        before, ran = scene.slots(), scene.device.booted
        report = scene.device.run(scene.offer)
        device, is_verified = scene.device, scene.device.running_image() in scene.images
        if isinstance(device.cloud, Hearing):
            report = device.cloud.heard
        version, slot = device.engine.status().version, device.booted
        untouched = scene.slots()[ran.other] == before[ran.other]
        is_whole = set(device.parts().values()) <= {version}
        afterwards = scene.recover()
        is_clean = not [path for path in device.kernel.files() if STEPS in path.parents]
        return Ending(report, slot, version, is_verified, untouched, is_whole, afterwards, is_clean)


@contextmanager
def serving(*faults: Fault) -> Iterator[FileServer]:
    """A real HTTP server that answers with each of `faults` in turn."""
    with FileServer() as server:
        server.faults = list(faults)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()

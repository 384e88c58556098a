"""Attacks by the steps of a release: their files in the store, what is signed of them, and what handlers are told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from tuf.api.metadata import Targets

from agent.handlers.runner import Runner
from agent.handlers.script import ScriptHandler
from agent.handlers.settings import OWN_FILE, ScriptSettings, SwupdateSettings
from agent.handlers.swupdate import SwupdateHandler
from agent.handling import Handler
from agent.pace import Timing
from bridge.release.errors import FailureCode
from bridge.release.manifest import render
from bridge.release.report import Outcome
from bridge.release.step import Place, Step
from tests.agent.attacks.attack import Attack, Door
from tests.agent.attacks.documents import rewritten
from tests.agent.attacks.scene import Scene
from tests.agent.device import IMAGE_BYTES, SimulatedDevice, flipped, image
from tests.agent.stepping import APP, BY_HANDLER, SCRIPT, ScriptedHandler, part
from tests.releases import sign_targets

APP_FILE, BOOT_FILE, BUNDLE = "app.bin", "boot.bin", "rootfs.bin"
RUNNER = Runner(Timing(), 60.0)
SCARCE = 1_050_000
"""Free bytes of a device that has hardly room for its journal."""


def holding(name: str, change: Callable[[bytes], bytes]) -> Callable[[Scene], None]:
    """A store in which the file `name` is another one."""

    def strike(scene: Scene) -> None:
        packed = scene.stepped()
        scene.present(packed)
        scene.serve(name, change(packed.files[name]), packed)

    return strike


def another_bundle(scene: Scene) -> None:
    """The image of release 3 where a handler is to be handed that of release 2."""
    packed = scene.stepped(BY_HANDLER)
    scene.present(packed)
    scene.serve(BUNDLE, image(3), packed)


def lying_bundle(scene: Scene) -> None:
    """Its bytes are the signed ones, and the handler writes others."""
    scene.present(scene.stepped(BY_HANDLER))
    scene.device.spoils = True
    scene.device.start_agent()


def scarce(scene: Scene) -> None:
    """Made for devices with another medium."""
    scene.present(scene.stepped())
    scene.device.kernel.free_bytes = SCARCE


def overflowing(scene: Scene) -> None:
    """Somebody else took the space in between."""
    scene.present(scene.stepped())
    scene.device.kernel.faults["write app.file"] = OSError(28, "No space left on device")


def altered(change: Callable[[dict], object]) -> Callable[[Scene], None]:
    """The owner's release of two steps, its JSON changed after signing."""

    def strike(scene: Scene) -> None:
        packed = scene.stepped()
        scene.present(packed, release=rewritten(packed.document, change))

    return strike


def steps_of(change: Callable[[list], object]) -> Callable[[Scene], None]:
    """The same, the list of its steps changed."""
    return altered(lambda document: change(document["signed"]["custom"]["steps"]))


def without_app(document: dict) -> None:
    """The second step, and what it would be handed."""
    document["signed"]["custom"]["steps"].pop()
    del document["signed"]["targets"][APP_FILE]


def without_steps(document: dict) -> None:
    """As a release of an image alone looks."""
    custom = document["signed"]["custom"]
    custom["spec"] = 1
    del custom["steps"]


def signed_anyway(change: Callable[[Targets], object]) -> Callable[[Scene], None]:
    """The owner's keys sign what the owner's tools would not make."""

    def strike(scene: Scene) -> None:
        packed = scene.stepped()
        targets = render(packed.release)
        change(targets)
        scene.present(packed, release=sign_targets(targets, scene.owner.release_signers[:2]))

    return strike


def custom_of(targets: Targets) -> dict:
    """What TUF has no field for."""
    return targets.unrecognized_fields["custom"]


def first_step(**fields: object) -> Callable[[Scene], None]:
    """So signed, with other fields of its first step."""
    return signed_anyway(lambda targets: custom_of(targets)["steps"][0].update(fields))


def named(name: str) -> Callable[[Scene], None]:
    """So signed, with another name for the file of its first step."""

    def rename(targets: Targets) -> None:
        file = targets.targets.pop(BOOT_FILE)
        file.path = name
        targets.targets[name] = file

    return signed_anyway(rename)


@dataclass
class Equipped(SimulatedDevice):
    """A device that asks a real handler whether it is ready for a step."""

    asked: Handler | None = None

    def _handler(self) -> ScriptedHandler:
        handler = super()._handler()
        if self.asked is not None:
            handler.require_ready = self.asked.require_ready  # type: ignore[method-assign] # that alone is real
        return handler


def for_handler(make: Callable[[SimulatedDevice], Handler], **settings: str) -> Callable[[Scene], None]:
    """A signed release with such settings, on a device with that handler."""

    def strike(scene: Scene) -> None:
        scene.device = Equipped.built(pinned=scene.owner.pinned, asked=make(scene.device))
        scene.present(scene.stepped(steps=(Step("boot", SCRIPT, Place.DEVICE, settings), APP)))

    return strike


def swupdate(device: SimulatedDevice) -> Handler:
    """SWUpdate's handler; it is not asked for more than what it makes of settings."""
    return SwupdateHandler(SCRIPT, SwupdateSettings(command=("true",)), RUNNER, device.disk)


def brought_along(_device: SimulatedDevice) -> Handler:
    """Programs come with the release."""
    return ScriptHandler(SCRIPT, ScriptSettings(command=("sh", OWN_FILE)), RUNNER)


def unknown_handler(scene: Scene) -> None:
    """A device that is configured otherwise than the release wants."""
    scene.present(scene.stepped())
    scene.device.handlers = ("shell",)
    scene.device.start_agent()


file = partial(Attack, door=Door.STEPS, outcome=Outcome.FAILED, code=FailureCode.ALTERED)
document = partial(Attack, door=Door.STEPS, code=FailureCode.ALTERED, says="it was altered after signing")
signed = partial(Attack, door=Door.STEPS, code=FailureCode.MALFORMED)
refused = partial(Attack, door=Door.STEPS, code=FailureCode.INCOMPATIBLE)

ATTACKS = (
    file(
        "file exchanged",
        "puts another program where that of a step lies",
        strike=holding(BOOT_FILE, lambda data: b"#!/bin/sh\nreboot\n".ljust(len(data))),
        says="artifact boot.bin of step boot has 3000 bytes with sha256",
    ),
    file(
        "one bit of a file",
        "flips one bit of the last file that comes",
        strike=holding(APP_FILE, lambda data: flipped(data, len(data) - 1)),
        says="artifact app.bin of step app has 70000 bytes with sha256",
    ),
    file(
        "file cut short",
        "cuts the file of a step",
        strike=holding(APP_FILE, lambda data: data[:-1]),
        says="artifact app.bin of step app has 69999 bytes",
    ),
    file(
        "file with a byte more",
        "appends a byte to the file of a step",
        strike=holding(BOOT_FILE, lambda data: data + b"\0"),
        says="artifact boot.bin of step boot has 3001 bytes",
    ),
    file(
        "file without end",
        "makes the file of a step long enough to fill the disk",
        strike=holding(BOOT_FILE, lambda data: data + bytes(50_000_000)),
        says="artifact boot.bin of step boot has 10000 bytes",
    ),
    file(
        "file of another release",
        "puts the file of a later release, signed for that one, where that of this release lies",
        strike=holding(APP_FILE, lambda _: part("app", "3.0.0")),
        says="signed were 70000 with",
    ),
    file(
        "file of another step",
        "puts the file of one step where that of another lies",
        strike=holding(BOOT_FILE, lambda _: part("app", "2.0.0")),
        says="artifact boot.bin of step boot has",
    ),
    file(
        "bundle of another release",
        "exchanges the bundle by which another installer writes the slot",
        strike=another_bundle,
        says=f"artifact rootfs.bin of step rootfs has {IMAGE_BYTES} bytes with sha256",
    ),
    file(
        "an installer that was subverted",
        "lets the other installer write something else than the bundle, and say that all went well",
        strike=lying_bundle,
        code=FailureCode.SLOT_MISMATCH,
        says="the slot gave back",
        writes=True,
    ),
    file(
        "more than there is room for",
        "hands out a release whose files fill the disk on which the journal lies",
        strike=scarce,
        code=FailureCode.STEP,
        says="the files of the steps need 73000 bytes more",
    ),
    file(
        "a disk that runs full",
        "fills the disk while files come",
        strike=overflowing,
        code=FailureCode.STEP,
        says="app.file cannot be written: No space left on device; make room there",
    ),
    document("step left out", "takes a step and its file out of a signed release", strike=altered(without_app)),
    signed(
        "file of a step left out",
        "takes a step out of a signed release, and leaves its file",
        strike=steps_of(lambda steps: steps.pop()),
        says="artifact app.bin is for step 'app', which the release has not",
    ),
    document("steps in another order", "reverses the steps", strike=steps_of(lambda steps: steps.reverse())),
    document(
        "another handler",
        "names another handler for the same file",
        strike=steps_of(lambda steps: steps[0].update(handler="shell")),
    ),
    document(
        "another setting",
        "tells a handler something else",
        strike=steps_of(lambda steps: steps[0]["settings"].update(board="rev-a")),
    ),
    document(
        "another place",
        "claims that a step of the device is one of the slot, whose parts need no undoing",
        strike=steps_of(lambda steps: steps[0].update(place="slot")),
    ),
    signed(
        "no steps",
        "makes it a release of an image alone, in the format of such",
        strike=altered(without_steps),
        says="is for step 'app', which the release has not",
    ),
    signed(
        "format without steps",
        "claims the earlier format, whose readers would pass the steps over",
        strike=altered(lambda signed: signed["signed"]["custom"].update(spec=1)),
        says="custom.spec is 1 and there are steps, of which that knows none",
    ),
    signed(
        "format without steps, with good signatures",
        "claims the earlier format with the owner's keys",
        strike=signed_anyway(lambda targets: custom_of(targets).update(spec=1)),
        says="custom.spec is 1 and there are steps, of which that knows none",
    ),
    signed(
        "path for a step",
        "names a step so that its file would lie elsewhere, with the owner's keys",
        strike=first_step(name="../../etc/cron.d/x"),
        says="matching regex",
    ),
    signed(
        "path for a file",
        "names an artifact so that it would be written elsewhere, with the owner's keys",
        strike=named("../../../etc/shadow"),
        says="matching regex",
    ),
    signed(
        "path for a handler",
        "names a program instead of a handler, with the owner's keys",
        strike=first_step(handler="/bin/sh"),
        says="matching regex",
    ),
    signed(
        "lines in a setting",
        "hides a second line in what a handler is told, with the owner's keys",
        strike=first_step(settings={"board": "rev-b\nLD_PRELOAD=/tmp/x.so"}),
        says="matching regex",
    ),
    signed(
        "variable of the loader",
        "names a setting as the dynamic loader's variables are, with the owner's keys",
        strike=first_step(settings={"LD_PRELOAD": "/tmp/x.so"}),
        says="matching regex",
    ),
    signed(
        "two steps of the slot",
        "has the slot written twice, with the owner's keys",
        strike=signed_anyway(lambda targets: [step.update(place="slot") for step in custom_of(targets)["steps"]]),
        says="both write the slot",
    ),
    refused(
        "a handler that the device lacks",
        "hands out a release for devices that are configured otherwise",
        strike=unknown_handler,
        says="step boot needs the handler script, which this device has not; it has: shell",
    ),
    refused(
        "option in a setting",
        "writes an option where SWUpdate is told what to install, with the owner's keys",
        strike=for_handler(swupdate, install="--no-downgrading,x", undo="stable,boot"),
        says="expected a software set and a mode",
    ),
    refused(
        "a setting that nobody reads",
        "adds a setting, for whatever program reads it, with the owner's keys",
        strike=for_handler(swupdate, install="stable,boot", undo="stable,old", preexec="/tmp/x"),
        says="settings.preexec is not understood",
    ),
    refused(
        "a program without a way back",
        "brings a program that does not say that it can undo, with the owner's keys",
        strike=for_handler(brought_along),
        says="the release does not declare that its program undoes what it installs",
    ),
)

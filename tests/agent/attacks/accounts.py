"""Attacks by whoever holds the cloud account: any job document, any twin. The device's channels are the real ones."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from agent.slots import Slot
from bridge.release.errors import FailureCode
from bridge.release.report import Outcome
from tests.agent.attacks.attack import Attack, Door
from tests.agent.attacks.clouds import Deployment, aws, job
from tests.agent.attacks.scene import Scene

INSTALLED = {"outcome": Outcome.INSTALLED, "slot": Slot.B, "runs": "2.0.0", "writes": True, "code": None}
by_job = partial(Attack, door=Door.AWS)
by_update = partial(Attack, door=Door.AZURE)


def queued(make: Callable[[Scene], object]) -> Callable[[Scene], None]:
    """A job with the document that `make` makes."""
    return lambda scene: scene.through(aws(make(scene)))


def changed(**changes: object) -> Callable[[Scene], None]:
    """An honest job with other members."""
    return queued(lambda scene: job(served(scene), **changes))


def served(scene: Scene):
    """The owner's release, its artifact in the store."""
    packed = scene.release()
    scene.device.offer(packed)
    return packed


def deployed(change: Callable[[Deployment], None] = lambda _: None) -> Callable[[Scene], None]:
    """An honest deployment after `change`; the service signs whatever it is told to."""

    def strike(scene: Scene) -> None:
        deployment = Deployment(served(scene))
        change(deployment)
        scene.through(deployment.channel())

    return strike


def forged_update(scene: Scene) -> None:
    """The service's signature is good; the release inside is the thief's."""
    packed = scene.thief.package(b"evil" * 1000)
    scene.device.offer(packed)
    scene.through(Deployment(packed).channel())


def other_handler(deployment: Deployment) -> None:
    """A step that would run a script."""
    deployment.steps[0]["handler"] = "microsoft/script:1"


def two_steps(deployment: Deployment) -> None:
    """Our handler twice."""
    deployment.steps *= 2


def other_release_file(deployment: Deployment) -> None:
    """Other bytes at the URL of the signed file."""
    deployment.blobs = dict.fromkeys(deployment.blobs, b"other")


def no_release_file(deployment: Deployment) -> None:
    """An update of artifacts alone."""
    deployment.steps[0]["files"] = ["rootfs.full"]


def path_for_a_name(deployment: Deployment) -> None:
    """A file that would land elsewhere."""
    deployment.files["rootfs.full"]["fileName"] = "../../etc/passwd"


def bad_signature(deployment: Deployment) -> None:
    """The owner of the twin is not the service."""
    deployment.signature = "e30.e30.c2ln"


def no_urls(deployment: Deployment) -> None:
    """The files are nowhere."""
    deployment.urls = {}


FOREIGN, MALFORMED = FailureCode.FOREIGN, FailureCode.MALFORMED

ATTACKS = (
    by_job(
        "work for another agent",
        "queues a script for some other program",
        code=FOREIGN,
        strike=queued(lambda _: {"version": "1.0", "steps": [{"action": {"name": "run", "command": "rm -rf /"}}]}),
        says="the job document is not for this agent: its schema is 'None'",
    ),
    by_job(
        "no object",
        "queues a document that is a list",
        code=FOREIGN,
        strike=queued(lambda _: ["rm", "-rf", "/"]),
        says="the job document is no JSON object but list",
    ),
    by_job(
        "other operation",
        "asks for an operation that does not exist",
        code=FOREIGN,
        strike=changed(operation="shell"),
        says="asks for operation 'shell', not 'ota'",
    ),
    by_job(
        "later schema",
        "claims a format that this agent must not misread",
        code=FOREIGN,
        strike=changed(schema="otabridge/2"),
        says="this agent reads 'otabridge/1': update it",
    ),
    by_job(
        "metadata that is no base64",
        "sends bytes that cannot be decoded",
        code=MALFORMED,
        strike=changed(metadata="%%%"),
        says="job document: Invalid base64 encoded string - at `$.metadata`",
    ),
    by_job(
        "no metadata", "leaves the release out", code=MALFORMED, strike=changed(metadata=None), says="at `$.metadata`"
    ),
    by_job(
        "too many roots",
        "fills the document with roots",
        code=MALFORMED,
        strike=changed(roots=["eHh4"] * 65),
        says="at `$.roots`",
    ),
    by_job(
        "names that are paths",
        "names an artifact so that it would land elsewhere",
        code=MALFORMED,
        strike=changed(artifacts={"../../etc/passwd": "https://store.example/x"}),
        says="at `key` in `$.artifacts`",
    ),
    by_job(
        "placeholder left in",
        "takes the right to sign URLs away",
        code=MALFORMED,
        strike=changed(artifacts={"rootfs.full": "${aws:iot:s3-presigned-url:https://s3/x}"}),
        says="still holds a placeholder: AWS IoT could not sign the URL",
    ),
    by_job(
        "other name on the label",
        "calls the release in the console otherwise than it is",
        strike=changed(release={"name": "harmless", "version": "99"}),
        **INSTALLED,
        so="the label is for people who look at the job; the device goes by what is signed",
    ),
    by_job(
        "forged release in a good job",
        "queues a release signed with keys of their own",
        code=FailureCode.ALTERED,
        strike=queued(lambda scene: job(scene.thief.package(b"evil" * 1000))),
        says="which is no release key of the root",
    ),
    by_update(
        "twin written by somebody else",
        "writes the twin without Device Update's signature",
        code=FailureCode.UNSIGNED,
        strike=deployed(bad_signature),
        says="signature of the update manifest",
    ),
    by_update(
        "forged release, signed by the service",
        "has Device Update sign a release of their own",
        code=FailureCode.ALTERED,
        strike=forged_update,
        says="which is no release key of the root",
    ),
    by_update(
        "work for another agent",
        "deploys a script",
        code=FOREIGN,
        strike=deployed(other_handler),
        says="the update is not for this agent: it needs microsoft/script:1",
    ),
    by_update(
        "two steps",
        "asks for our step twice",
        code=MALFORMED,
        strike=deployed(two_steps),
        says="2 steps for otabridge/release:1; a release is one",
    ),
    by_update(
        "metadata exchanged",
        "moves other bytes to where release.json lies",
        code=FailureCode.ALTERED,
        strike=deployed(other_release_file),
        says="is not the file whose hash is signed",
    ),
    by_update(
        "no metadata",
        "deploys an artifact without release.json",
        code=MALFORMED,
        strike=deployed(no_release_file),
        says="release.json is not among the files of the step",
    ),
    by_update(
        "names that are paths",
        "names a file so that it would land elsewhere",
        code=MALFORMED,
        strike=deployed(path_for_a_name),
        says="'../../etc/passwd' is no name of an artifact",
    ),
    by_update(
        "later format",
        "claims a manifest that this agent must not misread",
        code=FOREIGN,
        strike=deployed(lambda deployment: setattr(deployment, "version", "6")),
        says="manifestVersion is '6'; this agent reads 4 and 5: update it",
    ),
    by_update(
        "no URLs",
        "names no place for any file",
        code=MALFORMED,
        strike=deployed(no_urls),
        says="fileUrls has no URL for release.json",
    ),
)

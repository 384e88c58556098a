"""Attacks by the bytes of `release.json`: altered after signing, or no metadata at all."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial

from bridge.release.errors import FailureCode
from bridge.release.manifest import MAX_RELEASE_BYTES
from tests.agent.attacks.attack import Attack, Door
from tests.agent.attacks.scene import Scene

release = partial(Attack, door=Door.RELEASE)


def bytes_of(change: Callable[[bytes], bytes]) -> Callable[[Scene], None]:
    """The owner's release with other bytes than were published."""

    def strike(scene: Scene) -> None:
        packed = scene.release()
        scene.present(packed, release=change(packed.document))

    return strike


def edited(change: Callable[[dict], object]) -> Callable[[Scene], None]:
    """The owner's release, its JSON changed and written in the same form as before."""
    return bytes_of(lambda document: rewritten(document, change))


def rewritten(document: bytes, change: Callable[[dict], object]) -> bytes:
    """The JSON of `document`, changed and in the same form as before."""
    value = json.loads(document)
    change(value)
    return json.dumps(value, indent=1, separators=(",", ": "), sort_keys=True).encode() + b"\n"


def one_key_twice(document: dict) -> None:
    """An approval once more, in place of the one that is missing."""
    document["signatures"] = [document["signatures"][0]] * 2


def one_key_twice_under_another_name(document: dict) -> None:
    """The same under a made-up key id."""
    first = document["signatures"][0]
    document["signatures"] = [first, {**first, "keyid": "ab" * 32}]


def set_name(document: dict) -> None:
    """Another product's."""
    document["signed"]["custom"]["name"] = "router-os"


def mixed_metadata(scene: Scene) -> None:
    """The artifacts of release 3 in the metadata of release 2."""
    two, three = json.loads(scene.release(2).document), json.loads(scene.release(3).document)
    two["signed"]["targets"] = three["signed"]["targets"]
    document = json.dumps(two, indent=1, separators=(",", ": "), sort_keys=True).encode() + b"\n"
    scene.present(scene.release(2), release=document)


ATTACKS = (
    release(
        "wrong name",
        "gives another product's name to a signed release",
        strike=edited(set_name),
        code=FailureCode.ALTERED,
        says="it was altered after signing",
    ),
    release(
        "artifacts of another release, in the metadata",
        "puts the artifacts of one signed release into the metadata of another",
        strike=mixed_metadata,
        code=FailureCode.ALTERED,
        says="it was altered after signing",
    ),
    release(
        "unsigned",
        "strips the signatures",
        strike=edited(lambda document: document.update(signatures=[])),
        code=FailureCode.UNSIGNED,
        says="signed by nobody; 2 signatures are needed",
    ),
    release(
        "one key twice",
        "repeats the one signature they have",
        strike=edited(one_key_twice),
        code=FailureCode.MALFORMED,
        says="Multiple signatures found for keyid",
    ),
    release(
        "one key twice, under another name",
        "repeats the one signature they have under a made-up key id",
        strike=edited(one_key_twice_under_another_name),
        code=FailureCode.ALTERED,
        says="which is no release key of the root",
    ),
    release(
        "one key of JSON twice",
        "writes `version` twice, hoping that checker and installer each read another one",
        strike=bytes_of(lambda document: document.replace(b'"version": 2\n', b'"version": 9,\n  "version": 2\n')),
        code=FailureCode.ALTERED,
        says="is not in canonical form",
    ),
    release(
        "unsigned fields",
        "adds a field beside what is signed",
        strike=edited(lambda document: document.update(note="trust me")),
        code=FailureCode.ALTERED,
        says="holds fields that no signature covers",
    ),
    release(
        "one byte changed",
        "raises the version by one",
        strike=bytes_of(lambda document: document.replace(b'"version": 2\n', b'"version": 3\n')),
        code=FailureCode.ALTERED,
        says="it was altered after signing",
    ),
    release(
        "later format",
        "claims a format that this agent must not misread",
        strike=edited(lambda document: document["signed"]["custom"].update(spec=3)),
        code=FailureCode.MALFORMED,
        says="this program reads up to 2: update otabridge first",
    ),
    release(
        "oversized",
        "sends metadata longer than any release has",
        strike=bytes_of(lambda document: document + b" " * MAX_RELEASE_BYTES),
        code=FailureCode.MALFORMED,
        says="the limit is 16384",
    ),
    release(
        "deep JSON",
        "nests ten thousand levels, to exhaust the stack",
        strike=bytes_of(lambda _: b"[" * 10_000),
        code=FailureCode.MALFORMED,
        says="is not TUF metadata",
    ),
    release(
        "huge numbers",
        "writes a number of five thousand digits",
        strike=bytes_of(lambda document: document.replace(b'"version": 2\n', b'"version": ' + b"9" * 5000 + b"\n")),
        code=FailureCode.MALFORMED,
        says="is not TUF metadata",
    ),
    release(
        "rubbish",
        "sends bytes that are no metadata",
        strike=bytes_of(lambda _: b"\xff\xfe" * 2000),
        code=FailureCode.MALFORMED,
        says="is not TUF metadata",
    ),
    release(
        "cut short",
        "sends the first half",
        strike=bytes_of(lambda document: document[: len(document) // 2]),
        code=FailureCode.MALFORMED,
        says="is not TUF metadata",
    ),
    release(
        "a root in its place",
        "sends other metadata of the owner's, well signed",
        strike=lambda scene: scene.present(scene.release(), release=scene.owner.pinned),
        code=FailureCode.MALFORMED,
        says="holds metadata of role 'root', expected 'targets'",
    ),
)

"""`otabridge release build --steps`: releases of several steps, from files to acceptance."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from bridge.folder import RELEASE_FILE
from tests.releases import sha256

SEED = random.Random(13)
OLD = SEED.randbytes(60_000)
NEW = OLD[:20_000] + b"new" + OLD[20_003:]
BUNDLE = SEED.randbytes(4000)
FACTS = ("--name", "gateway-os", "--version", "2.0.0", "--sequence", "2", "--model", "gateway-3", "--level", "1")
THREE = """\
[[steps]]
name = "boot"
handler = "script"
place = "device"
file = "boot.sh"
restart = true
[steps.settings]
board = "rev-b"

[[steps]]
name = "rootfs"
handler = "image"

[[steps]]
name = "application"
handler = "package"
place = "device"
file = "app.deb"
"""
BUNDLED = """\
[[steps]]
name = "bundle"
handler = "rauc"
place = "slot"
file = "slot.raucb"
image = "../new.img"
"""


@pytest.fixture
def owner(otabridge):
    """Images here, what handlers take and the steps in a folder of their own; alice alone approves."""
    given = {"old.img": OLD, "new.img": NEW}
    made = {"boot.sh": b"#!/bin/sh\n", "app.deb": b"!<arch>\n", "slot.raucb": BUNDLE}
    texts = {"three.toml": THREE.encode(), "bundled.toml": BUNDLED.encode()}
    Path("parts").mkdir()
    for name, data in {**given, **{f"parts/{name}": data for name, data in {**made, **texts}.items()}}.items():
        Path(name).write_bytes(data)
    for name in ("rita", "alice"):
        otabridge("keys", "create", name, "--no-passphrase")
    otabridge("root", "init", "--root-key", "rita.pub.json", "--release-key", "alice.pub.json", "--sign", "rita.pem")
    return otabridge


def build(otabridge, *more):
    """A release folder."""
    return otabridge("release", "build", "--out", "rel", *FACTS, *more)


def test_a_release_of_steps_from_files_to_acceptance(owner):
    """Built, shown step by step, signed, judged with every byte."""
    built = build(owner, "--image", "new.img", "--steps", "parts/three.toml", "--no-full-over-metered")
    assert (built.exit_code, built.err) == (0, "")
    assert built.out.splitlines()[-7:-3] == [
        "metered     the full artifact is never fetched, nor a file of a step, over such a link",
        "step        boot: script, on the device, restart, board=rev-b",
        "step        rootfs: image, on the slot",
        "step        application: package, on the device",
    ]
    assert "artifact    gateway-os-2.0.0.step-boot.sh: 10 bytes, for step boot\n" in built.out
    shown = owner("release", "show", "rel")
    assert "step        boot: script, on the device, restart, board=rev-b\n" in shown.out

    owner("release", "sign", "rel", "--key", "alice.pem")
    ran = owner("release", "verify", "rel")

    assert (ran.exit_code, ran.err) == (0, "")
    for name in ("full", "step-boot.sh", "step-application.deb"):
        assert f"artifact    gateway-os-2.0.0.{name}: length and sha256 as signed\n" in ran.out
    assert ran.out.endswith("accepted\n")


def test_a_delta_travels_among_the_steps(owner):
    """For the step that writes the image."""
    built = build(owner, "--image", "new.img", "--steps", "parts/three.toml", "--delta-from", "old.img", "-o", "json")

    artifacts = {artifact["step"]: [] for artifact in built.json["release"]["artifacts"]}
    for artifact in built.json["release"]["artifacts"]:
        artifacts[artifact["step"]].append(artifact["source"])
    assert artifacts == {
        "boot": [None],
        "rootfs": [None, {"length": len(OLD), "sha256": sha256(OLD)}],
        "application": [None],
    }


def test_a_handler_that_writes_the_slot(owner):
    """No image travels; what the slot must hold is signed, and shown."""
    built = build(owner, "--steps", "parts/bundled.toml")
    assert (built.exit_code, built.err) == (0, "")
    line = (
        f"gateway-os-2.0.0.step-bundle.raucb: {len(BUNDLE)} bytes, for step bundle, which makes an image of 60000 bytes"
    )
    assert line in built.out

    owner("release", "sign", "rel", "--key", "alice.pem")
    ran = owner("release", "verify", "rel")
    seen = owner("release", "verify", "rel", "-o", "json").json

    assert (
        "raucb: length and sha256 as signed; what the handler of step bundle makes of it, devices read back" in ran.out
    )
    assert ran.out.endswith("accepted\n")
    assert [(each["codec"], each["step"], each["is_applied"]) for each in seen["artifacts"]] == [
        ("file", "bundle", False)
    ]


def test_programs_learn_the_steps(owner):
    """As they are signed."""
    build(owner, "--image", "new.img", "--steps", "parts/three.toml")

    release = owner("release", "show", "rel", "-o", "json").json["release"]

    assert release["steps"] == [
        {"name": "boot", "handler": "script", "place": "device", "settings": {"board": "rev-b"}, "restart": True},
        {"name": "rootfs", "handler": "image", "place": "slot", "settings": {}, "restart": False},
        {"name": "application", "handler": "package", "place": "device", "settings": {}, "restart": False},
    ]


def test_an_altered_file_is_refused_by_name(owner):
    """As any artifact."""
    build(owner, "--image", "new.img", "--steps", "parts/three.toml")
    owner("release", "sign", "rel", "--key", "alice.pem")
    Path("rel/gateway-os-2.0.0.step-boot.sh").write_bytes(b"#!/bin/sx\n")

    ran = owner("release", "verify", "rel")

    assert ran.exit_code == 15
    assert "artifact gateway-os-2.0.0.step-boot.sh: its sha256 is" in ran.err


MISUSE = {
    "neither image nor steps": ((), "give --image, or --steps"),
    "steps that are not there": (("--steps", "no.toml"), "steps no.toml cannot be read: No such file or directory"),
    "an image that no step writes": (
        ("--image", "new.img", "--steps", "parts/bundled.toml"),
        '--image new.img: no step has the handler "image", which would write it',
    ),
    "a step of ours and no image": (("--steps", "parts/three.toml"), "step rootfs writes an image: give --image"),
    "a delta and no step of ours": (
        ("--steps", "parts/bundled.toml", "--delta-from", "old.img"),
        "--delta-from old.img: no step writes an image, of which deltas could be made",
    ),
    "a mistake in the file": (
        ("--steps", "new.toml"),
        'new.toml: steps[0].place: must be slot or device, not "board"',
    ),
}


@pytest.mark.parametrize(("more", "says"), MISUSE.values(), ids=MISUSE)
def test_misuse_is_explained(owner, more, says):
    """With exit code 2, a sentence, and no release."""
    Path("new.toml").write_text(THREE.replace('"device"', '"board"', 1))

    ran = build(owner, *more)

    assert (ran.exit_code, ran.out) == (2, "")
    assert says in ran.err
    assert not Path("rel", RELEASE_FILE).exists()

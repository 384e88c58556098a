"""What the peers are told, and what becomes of a peer that cannot run."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from benchmarks.install import rauc, swupdate
from benchmarks.install.environment import configuration
from benchmarks.install.mender import SHIM, first_environment, number, settings
from benchmarks.install.payload import made, payload_in
from benchmarks.install.programs import Unavailable, require, run
from benchmarks.install.slots import BLOCK_BYTES, require_image, spoil


def test_rauc_writes_the_slot_that_does_not_run(tmp_path):
    """The service is started as slot A, so that the group of B is the target; both files lie in the same folder."""
    config = ConfigParser()
    config.read_string(rauc.SYSTEM.format(folder=tmp_path, certificate="cert.pem"))
    assert config["slot.rootfs.1"]["device"] == f"{tmp_path}/b.img"
    assert config["slot.rootfs.1"]["bootname"] == "B"
    assert config["system"]["compatible"] == "bench"
    assert config["keyring"]["path"] == "cert.pem"


def test_the_bus_of_rauc_is_its_own(tmp_path):
    """It listens nowhere but in the folder of the bench."""
    bus = ET.fromstring(rauc.BUS.format(folder=tmp_path))
    assert bus.findtext("listen") == f"unix:path={tmp_path}/bus"


def test_swupdate_is_told_the_hash_of_the_packed_image(tmp_path):
    """It checks that hash while it writes: a wrong one would end every run."""
    packed = tmp_path / "image.zst"
    packed.write_bytes(b"packed")
    text = swupdate.description(packed, tmp_path / "b.img")
    assert f'sha256 = "{hashlib.sha256(b"packed").hexdigest()}"' in text
    assert f'device = "{tmp_path}/b.img"' in text
    assert text.count("{") == text.count("}")


def test_mender_knows_its_partitions_by_number():
    """The boot environment names the digits at the end of a device's name."""
    assert number(Path("/dev/loop12")) == "12"
    assert first_environment(Path("/dev/loop12"))["mender_boot_part_hex"] == "c"
    told = json.loads(settings(Path("/dev/loop3"), Path("/dev/loop4")))
    assert (told["RootfsPartA"], told["RootfsPartB"]) == ("/dev/loop3", "/dev/loop4")


def test_the_shim_of_mender_puts_an_equals_sign_between_name_and_value(tmp_path):
    """libubootenv ignores a line without one, and the slot would not be switched."""
    tool = tmp_path / "fw_setenv"
    tool.write_text("#!/bin/sh\ncat\n")
    tool.chmod(0o755)
    shim = tmp_path / "shim"
    shim.write_text(SHIM.replace("/usr/bin/fw_setenv", str(tool)))
    ended = subprocess.run(
        ["sh", shim, "-s", "-"], input="mender_boot_part 7\n", capture_output=True, text=True, check=True
    )
    assert ended.stdout == "mender_boot_part=7\n"


def test_the_boot_environment_has_two_copies(tmp_path):
    """As on a device: the second begins where the first ends."""
    assert configuration(tmp_path).splitlines() == [
        f"{tmp_path}/uboot.env 0x0 0x4000",
        f"{tmp_path}/uboot.env 0x4000 0x4000",
    ]


def test_a_program_that_is_not_there_is_named():
    """The table says why a peer was skipped."""
    with pytest.raises(Unavailable, match="no program no-such-program here"):
        require("sh", "no-such-program")


def test_a_program_that_fails_gives_its_own_words():
    """They are the proof."""
    with pytest.raises(Unavailable, match=r"^sh ended with 3: no such device$"):
        run(["sh", "-c", "echo no such device >&2; exit 3"])


def test_what_was_made_is_made_once(tmp_path):
    """And never seen half made."""
    target = tmp_path / "made"

    def fail(partial):
        partial.write_bytes(b"half")
        raise Unavailable("no room")

    with pytest.raises(Unavailable):
        made(target, fail)
    assert not target.exists()
    assert made(target, lambda partial: partial.write_bytes(b"whole")).read_bytes() == b"whole"
    assert made(target, fail) == target


def test_another_image_has_another_folder(tmp_path):
    """Nothing that was packed of other images is installed."""
    images = [tmp_path / name for name in ("old", "new", "other")]
    for image in images:
        image.write_bytes(os.fsencode(image.name))
    first, again = payload_in(tmp_path / "cache", *images[:2]), payload_in(tmp_path / "cache", *images[:2])
    assert first == again
    assert payload_in(tmp_path / "cache", images[0], images[2]).kept != first.kept


def test_a_slot_is_spoilt_before_and_compared_after(tmp_path):
    """A tool that wrote nothing is found out."""
    slot, image = tmp_path / "slot", tmp_path / "image"
    image.write_bytes(bytes(BLOCK_BYTES + 5))
    spoil(slot, 2 * BLOCK_BYTES)
    assert slot.stat().st_size == 2 * BLOCK_BYTES
    with pytest.raises(Unavailable, match="cmp ended with 1"):
        require_image(slot, image)
    slot.write_bytes(image.read_bytes() + b"more of the slot")
    require_image(slot, image)


def test_the_module_is_a_command():
    """`python -m benchmarks.install --help` names what it needs, without making any image."""
    checkout = Path(__file__).parents[3]
    line = [sys.executable, "-m", "benchmarks.install", "--help"]
    ended = subprocess.run(line, capture_output=True, text=True, check=True, cwd=checkout)
    assert "OLD NEW" in ended.stdout

"""`otabridge rollout rehearse`: how a rollout would go on virtual devices."""

from __future__ import annotations

import msgspec
import pytest

from bridge.folder import RELEASE_FILE
from bridge.release.image import Image
from tests.bridge.cli.desk import NEXT_YEAR
from tests.stepped import BOOT, handed

AWS = """\
cloud = "aws"
region = "eu-central-1"
bucket = "artifacts"
role_arn = "arn:aws:iam::123456789012:role/downloads"
cost_a_gigabyte = 0.1
"""
VIRTUAL = ("--devices", "factory=500", "--devices", "depot:rev-a=400", "--devices", "depot:rev-b=100", "--runs", "3")


@pytest.fixture
def stage(desk):
    """A desk whose fleets have whole settings: what they give is asked of them, not of a cloud."""
    (desk.folder / "otabridge.toml").write_text(f"[fleets.factory]\n{AWS}\n[fleets.depot]\n{AWS}")
    return desk


def test_a_bad_release_is_stopped_early(stage):
    """The figure that matters: of 1000 devices few meet a release that fails on one device in two."""
    ended = stage.otabridge("rollout", "rehearse", "rollout.yaml", *VIRTUAL, "--failing", "50", "-o", "json")

    assert ended.code == 0, ended.err
    assert ended.json["devices"] == 1000
    assert ended.json["endings"] == {"stopped": 3}
    assert 0 < ended.json["exposed_before_stop"]["most"] < 300
    assert ended.json["cost"]["most"] > 0


def test_a_stop_fits_a_narrow_terminal(stage, monkeypatch):
    """The figures stay in their columns; the reasons go to further lines."""
    monkeypatch.setenv("COLUMNS", "60")

    ended = stage.otabridge("rollout", "rehearse", "rollout.yaml", *VIRTUAL, "--failing", "50")

    lines = ended.out.splitlines()
    assert [line for line in lines if len(line) > 60] == []
    assert [len(line) for line in lines if line.startswith(("devices exposed", "  if not completed"))] == [59, 59]


def test_a_good_release_in_words(stage):
    """Every figure in a line of its own that fits a narrow terminal."""
    assume = stage.folder / "devices.toml"
    assume.write_text("failing = 0\nfalling_back = 0\nsilent = 0\noffline = 0\n")
    ended = stage.otabridge("rollout", "rehearse", "rollout.yaml", *VIRTUAL, "--assume", assume)

    assert ended.code == 0, ended.err
    assert "rehearsed gates: 1000 devices, 3 runs" in ended.out
    assert "completed: 3 runs" in ended.out
    assert "devices exposed" in ended.out
    assert "\nhours " in ended.out
    assert "\nMB sent " in ended.out
    assert [line for line in ended.out.splitlines() if len(line) > 60] == []
    assert "cost" in ended.out


def test_without_numbers_the_fleets_are_counted(stage):
    """As many devices as the fleets have; nothing is offered to them."""
    ended = stage.otabridge("rollout", "rehearse", "rollout.yaml", "--runs", "1", "-o", "json")

    assert ended.code == 0, ended.err
    assert ended.json["devices"] == 40
    assert not stage.factory.orders


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--devices", "attic=5"), "no such fleet; it has factory, depot"),
        (("--devices", "factory=many"), "write FLEET=COUNT or FLEET:MODEL=COUNT"),
        (("--devices", "factory=0"), "1 to 5000000 devices"),
        (("--every", "soon"), "write a duration such as 30s or 5m"),
        (("--every", "0s"), "must pass some time between its passes"),
        (("--assume", "none.toml"), "none.toml"),
    ],
)
def test_wrong_words_are_refused_by_name(stage, words, message):
    """Exit code 2, one sentence."""
    ended = stage.otabridge("rollout", "rehearse", "rollout.yaml", *words)

    assert ended.code == 2
    assert message in ended.err


def test_a_release_of_steps_costs_the_bytes_of_all(stage):
    """Also where no step is of the slot, so that there is no full artifact: here, two files of a gigabyte."""
    image = Image(10**9, "a" * 64)
    file = msgspec.structs.replace(handed(BOOT, b""), length=image.length, sha256=image.sha256, image=image)
    modem = msgspec.structs.replace(BOOT, name="modem")
    files = (file, msgspec.structs.replace(file, name="modem.bin", step="modem"))
    package = stage.kit.bundle(b"", [(each, b"") for each in files], steps=(BOOT, modem), expires=NEXT_YEAR)
    (stage.folder / "release" / RELEASE_FILE).write_bytes(package.document)

    ended = stage.otabridge("rollout", "rehearse", "rollout.yaml", *VIRTUAL, "--failing", "0", "-o", "json")

    assert ended.code == 0, ended.err
    assert ended.json["gigabytes"]["most"] == 2 * ended.json["exposed"]["most"] > 0
    assert ended.json["cost"]["most"] == pytest.approx(ended.json["gigabytes"]["most"] * 0.1)

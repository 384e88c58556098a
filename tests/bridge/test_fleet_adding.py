"""A fleet put into the file: whole or not at all, whoever else edits it."""

from __future__ import annotations

import multiprocessing
import os
import stat
import tomllib

import pytest

from bridge import fleet_adding
from bridge.errors import UsageError
from bridge.fleet_adding import add_fleet
from tests.bridge.tool_configs import AWS, AZURE

SETTINGS = AWS["fleet"]


def accept(_config) -> None:
    """Takes every fleet."""


def refuse(_config) -> None:
    """Takes none."""
    raise UsageError("fleet plant: no")


def add(file, name="plant", settings=SETTINGS, judge=accept, *, replace=False):
    """As the command does."""
    return add_fleet(file, name, settings, judge, replace=replace)


def test_a_file_is_made_and_then_left_alone(tmp_path):
    """Doing it again is doing it once."""
    file = tmp_path / "conf/otabridge.toml"

    first, again = add(file), add(file)

    assert tomllib.loads(file.read_text()) == {"fleets": {"plant": SETTINGS}}
    assert (first.is_new, len(first.changes)) == (True, len(SETTINGS))
    assert (again.is_new, again.changes) == (False, ())
    assert [each.name for each in file.parent.iterdir()] == ["otabridge.toml"]


def test_permissions_and_links_stay(tmp_path):
    """The file may hold a password of the store, and may lie elsewhere."""
    real, link = tmp_path / "real.toml", tmp_path / "otabridge.toml"
    real.write_text("[store]\nurl = 'postgresql://u:secret@db/x'\n")
    real.chmod(0o600)
    link.symlink_to(real)

    add(link)

    assert link.is_symlink()
    assert stat.S_IMODE(real.stat().st_mode) == 0o600
    assert "[fleets.plant]" in real.read_text()


def test_another_fleet_is_not_replaced_unasked(tmp_path):
    """The refusal shows what --replace would change, and the file is as it was."""
    file = tmp_path / "otabridge.toml"
    add(file)
    before = file.read_bytes()

    with pytest.raises(UsageError) as refused:
        add(file, settings={**SETTINGS, "region": "eu-west-1"})

    assert str(refused.value) == (
        f"{file}: fleets.plant is there with other settings; --replace takes these:\n"
        '  ~ region = "eu-central-1" -> "eu-west-1"'
    )
    assert file.read_bytes() == before
    assert add(file, settings={**SETTINGS, "region": "eu-west-1"}, replace=True).changes[0].field == "region"


WRONG = {
    "a fleet that its adapter refuses": ("", "plant", refuse, "fleet plant: no"),
    "a file that is wrong already": ("[stores]\n", "plant", accept, "unknown field `stores`"),
    "a file that is not TOML": ("[store", "plant", accept, "not valid TOML"),
    "a name that is none": ("", "Plant 1", accept, "NAME is 'Plant 1': a fleet's name must be lower-case letters"),
    "fleets in one line": ("fleets = {}\n", "plant", accept, "cannot be edited safely"),
    "a fleet too many": (
        "".join(f"[fleets.f{number}]\ncloud = 'aws'\n" for number in range(256)),
        "plant",
        accept,
        "expected `object` of length <= 256",
    ),
    "a file that is full": ("#" * (256 * 1024 - 10), "plant", accept, "would be larger than 262144 bytes"),
}


@pytest.mark.parametrize(("text", "name", "judge", "words"), WRONG.values(), ids=WRONG)
def test_a_refusal_leaves_the_file_as_it_was(tmp_path, text, name, judge, words):
    """Nothing is half-applied."""
    file = tmp_path / "otabridge.toml"
    file.write_text(text)

    with pytest.raises(UsageError) as refused:
        add(file, name, judge=judge)

    assert words in str(refused.value)
    assert file.read_text() == text
    assert [each.name for each in tmp_path.iterdir()] == ["otabridge.toml"]


def test_a_full_disk_leaves_the_old_file(tmp_path, monkeypatch):
    """The new one takes its place when it is whole, and not before."""
    file = tmp_path / "otabridge.toml"
    add(file)
    before = file.read_bytes()
    monkeypatch.setattr(fleet_adding.os, "fsync", _no_space)

    with pytest.raises(UsageError, match=r"otabridge\.toml cannot be written: No space left"):
        add(file, "yard")

    assert file.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["otabridge.toml"]


def test_what_a_crash_left_behind_is_in_nobodys_way(tmp_path):
    """The half-written file of a process that died is written anew."""
    file = tmp_path / "otabridge.toml"
    (tmp_path / "otabridge.toml.partial").write_text("[fle")

    add(file)

    assert tomllib.loads(file.read_text())["fleets"] == {"plant": SETTINGS}


def test_processes_that_add_at_once_lose_nothing(tmp_path):
    """Two pipelines of two clouds, one file."""
    file = tmp_path / "otabridge.toml"
    context = multiprocessing.get_context("spawn")
    names = [f"fleet-{number}" for number in range(4)]
    processes = [context.Process(target=add, args=(file, name, AZURE["fleet"])) for name in names]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)

    assert [process.exitcode for process in processes] == [0] * len(names)
    assert sorted(tomllib.loads(file.read_text())["fleets"]) == names


def _no_space(_descriptor) -> None:
    raise OSError(28, os.strerror(28))

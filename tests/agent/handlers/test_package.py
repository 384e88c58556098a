"""Debian packages as steps: a way back for each version that is installed, and only where there is one."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from agent.disk import SystemDisk
from agent.handlers.dpkg import Dpkg
from agent.handlers.package import PackageHandler
from agent.handling import StepError
from agent.pace import Timing
from bridge.release.step import Place, Step
from tests.agent.handlers.rigs import PackageRig, package


@pytest.fixture
def rig(tmp_path: Path) -> PackageRig:
    """A system with version 1.0, whose file is kept."""
    return PackageRig(tmp_path)


def refusal_of(rig: PackageRig, **settings: str) -> str:
    """Why the device refuses a step with these settings."""
    with pytest.raises(StepError) as refusal:
        rig.handler.require_ready(Step("app", "apps", Place.DEVICE, settings))
    return str(refusal.value)


def test_without_a_way_back_nothing_is_fetched(rig: PackageRig):
    """A package of the factory, of which nobody kept the file: the message says where to put it."""
    rig.kept.file("gateway", "1.0").unlink()

    assert refusal_of(rig, package="gateway") == (
        "step app: gateway 1.0 could not be brought back: its file is not kept; put it there as "
        f"{rig.folder}/kept/gateway_1.0.deb"
    )


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "step app: settings.package is missing; handler 'apps' needs: package"),
        ({"package": "../x"}, "step app: settings.package is '../x': expected the name of a package, as gateway"),
    ],
)
def test_a_step_that_names_no_package(rig: PackageRig, settings: dict[str, str], message: str):
    """The name ends in the names of files, and is needed before the file is there."""
    assert refusal_of(rig, **settings) == message


def test_a_step_of_the_slot(rig: PackageRig):
    """dpkg installs into a system that runs."""
    with pytest.raises(StepError) as refusal:
        rig.handler.require_ready(Step("app", "apps", Place.SLOT, {"package": "gateway"}))
    assert str(refusal.value) == "step app: place is 'slot'; a package is installed in a system that runs"


def test_another_package_than_was_promised(rig: PackageRig):
    """The way back that was judged is not that of the file: nothing is installed."""
    other = package(rig.folder, "2.0", name="other")
    with pytest.raises(StepError, match=r"^step app: the file is of package other, and settings\.package is gateway$"):
        rig.handler.install(replace(rig.work, file=other))
    assert rig.is_before()


def test_a_way_back_that_has_rotted(rig: PackageRig):
    """It is read before anything changes, not when it is needed."""
    kept = rig.kept.file("gateway", "1.0")
    data = kept.read_bytes()
    kept.unlink()
    kept.write_bytes(data[:-40])
    with pytest.raises(StepError, match=r"^step app: dpkg-deb ended with status 2"):
        rig.handler.install(rig.work)
    assert rig.is_before()


def test_a_package_whose_installation_fails(tmp_path: Path):
    """dpkg leaves it half configured; what was there before comes back."""
    rig = PackageRig(tmp_path, postinst="echo the port is taken; exit 1")
    with pytest.raises(StepError, match=r"^step app: dpkg ended with status 1: .*processing: gateway$"):
        rig.handler.install(rig.work)
    assert refusal_of(rig, package="gateway") == (
        "step app: package gateway is half-configured; repair it, see `dpkg --audit`"
    )
    rig.handler.undo(rig.work)

    assert rig.is_before()


def test_a_new_package_that_cannot_even_be_unpacked(tmp_path: Path):
    """There was nothing before, and there is nothing after."""
    rig = PackageRig(tmp_path, absent=True, preinst="exit 1")
    with pytest.raises(StepError):
        rig.handler.install(rig.work)
    rig.handler.undo(rig.work)

    assert rig.is_before()


def test_a_package_that_cannot_be_removed_says_so(tmp_path: Path):
    """A step that stays is told of, with dpkg's own words."""
    rig = PackageRig(tmp_path, absent=True, prerm="exit 1")
    rig.handler.install(rig.work)
    with pytest.raises(StepError, match=r"^step app: dpkg ended with status 1: "):
        rig.handler.undo(rig.work)


def test_one_version_of_two_releases(rig: PackageRig):
    """A package that was built anew without a new number: its file comes back, not only its number."""
    rig.handler.install(replace(rig.work, file=package(rig.folder, "1.0", content="rebuilt")))
    assert (rig.version(), rig.listed()) == ("rebuilt", "1.0")
    rig.handler.undo(rig.work)

    assert rig.is_before()


def test_what_is_kept(rig: PackageRig):
    """The file of the version that is installed, for the next release, and no other; those of other packages stay."""
    rig.kept.directory.joinpath("gateway-extra_1.0.deb").touch()
    rig.handler.install(rig.work)
    assert sorted(path.name for path in rig.kept.directory.iterdir()) == ["gateway-extra_1.0.deb", "gateway_1.0.deb"]
    rig.handler.settle(rig.work)

    assert sorted(path.name for path in rig.kept.directory.iterdir()) == ["gateway-extra_1.0.deb", "gateway_2.0.deb"]
    rig.work.file.unlink()
    rig.handler.require_ready(rig.work.step)


def test_a_system_of_the_other_slot(rig: PackageRig, tmp_path: Path):
    """Where each slot has a database of its own, what was done in the new system is not undone in the old one."""
    folder = tmp_path / "old"
    folder.mkdir()
    old = PackageRig(folder)
    rig.handler.install(rig.work)
    other = PackageHandler("apps", old.dpkg, rig.kept, SystemDisk())
    other.undo(rig.work)

    assert old.is_before()
    assert rig.is_installed()


def test_another_release_has_another_way_back(rig: PackageRig):
    """What a release left that could not be undone is not what the next one goes back to."""
    rig.handler.install(rig.work)
    rig.kept.keep(rig.work.file, "gateway", "2.0")
    next_one = replace(rig.work, file=package(rig.folder, "3.0"), version="3.0.0", sequence=8)
    rig.handler.install(next_one)
    rig.handler.undo(next_one)

    assert rig.is_installed()


def test_a_note_that_cannot_be_read(rig: PackageRig):
    """It is not guessed what was there before."""
    rig.handler.install(rig.work)
    note = rig.root / "var/lib/dpkg/otabridge-gateway"
    note.write_text("{")
    with pytest.raises(StepError) as failure:
        rig.handler.undo(rig.work)
    assert str(failure.value).startswith(f"step app: {note} does not say what was there before (")


HOLD = "import fcntl, sys; f = open(sys.argv[1], 'a'); fcntl.lockf(f, fcntl.LOCK_EX); print(flush=True); input()"


@pytest.fixture
def other_dpkg(rig: PackageRig) -> Iterator[subprocess.Popen[bytes]]:
    """One that has locked the database until it is told to end."""
    command = [sys.executable, "-c", HOLD, rig.root / "var/lib/dpkg/lock"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process
        process.kill()


def test_another_dpkg_is_waited_for(rig: PackageRig, other_dpkg: subprocess.Popen[bytes]):
    """An upgrade in the night does not fail a release."""
    naps: list[float] = []

    def sleep(seconds: float) -> None:
        naps.append(seconds)
        other_dpkg.communicate(b"\n")

    dpkg = replace(rig.dpkg, runner=replace(rig.dpkg.runner, timing=Timing(sleep=sleep)))
    PackageHandler("apps", dpkg, rig.kept, SystemDisk()).install(rig.work)

    assert len(naps) == 1
    assert rig.is_installed()


def test_another_dpkg_that_never_ends(rig: PackageRig, other_dpkg: subprocess.Popen[bytes]):
    """It is told which lock is held."""
    dpkg = replace(rig.dpkg, runner=replace(rig.dpkg.runner, seconds=0.1))
    with pytest.raises(StepError) as failure:
        dpkg.install("step app", rig.work.file)

    assert str(failure.value) == f"step app: another dpkg has held {rig.root}/var/lib/dpkg/lock for 0.1 s"
    assert other_dpkg.poll() is None


def test_no_system_at_all(rig: PackageRig, tmp_path: Path):
    """A root that was not mounted, or was misspelt."""
    nowhere = Dpkg(rig.dpkg.runner, tmp_path / "nowhere")
    with pytest.raises(StepError, match=r"is there a system with dpkg at .*/nowhere\?$"):
        nowhere.install("step app", rig.work.file)

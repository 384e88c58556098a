"""Steps done by dpkg: one Debian package each. What was there before comes back from the file of that version, which is
kept from the release that brought it, or put there at the factory.

What a step found is noted in the database's own folder. A system that has a database of its own in each slot so never
takes what was changed in one for a change of the other.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from agent.disk import Disk
from agent.handlers.dpkg import ABSENT, INSTALLED, PACKAGE, Dpkg, Standing
from agent.handlers.kept import Kept
from agent.handlers.runner import program
from agent.handlers.wanted import require_place, require_settings, who
from agent.handling import StepError, Work
from bridge.release.step import Place, Step

SETTING = "package"
"""Of a step: the name of its package; a device can so tell before it fetches the file whether there is a way back."""


class Note(msgspec.Struct, frozen=True):
    """What a step of a release found."""

    sequence: int
    version: str
    step: str
    before: Standing


class PackageHandler:
    """agent.handling.Handler; `name` is that of its table."""

    def __init__(self, name: str, dpkg: Dpkg, kept: Kept, disk: Disk) -> None:
        self._name = name
        self._dpkg = dpkg
        self._kept = kept
        self._disk = disk

    def inspect(self) -> str:
        """Whether dpkg is there, and its database. Raises: StepError."""
        table = f"handlers.{self._name}"
        path = program(table, "dpkg")
        if not self._dpkg.database.is_dir():
            raise StepError(f"{table}: there is no database of dpkg at {self._dpkg.database}; correct {table}.root")
        return f"package, {path}, files kept in {self._kept.directory}"

    def require_ready(self, step: Step) -> None:
        """See Handler."""
        require_place(step, Place.DEVICE, "a package is installed in a system that runs")
        require_settings(step, (SETTING,))
        program(who(step), "dpkg")
        self._require_way_back(step, self._dpkg.standing(who(step), _package(step)))

    def install(self, work: Work) -> None:
        """See Handler."""
        name, package = who(work.step), _package(work.step)
        found, version = self._dpkg.named(name, work.file)
        if found != package:
            raise StepError(f"{name}: the file is of package {found}, and settings.{SETTING} is {package}")
        self._note(work)
        self._dpkg.install(name, work.file)
        self._require_standing(work.step, Standing(INSTALLED, version))
        self._dpkg.runner.sync_all(name)

    def undo(self, work: Work) -> None:
        """See Handler."""
        note = self._noted(work)
        if note is None:
            return
        self._bring_back(work, note.before)  # in any case: two releases may have different files of one version
        self._require_standing(work.step, note.before)
        self._dpkg.runner.sync_all(who(work.step))
        self._forget(work)

    def settle(self, work: Work) -> None:
        """See Handler. The file becomes the way back of the next release."""
        package, version = self._dpkg.named(who(work.step), work.file)
        try:
            self._kept.keep(work.file, package, version)
        except OSError as error:
            raise StepError(
                f"{who(work.step)}: the file of {package} {version} cannot be kept in {self._kept.directory}: "
                f"{error.strerror or error}; without it the next release of the package is refused"
            ) from error
        self._forget(work)

    def _require_way_back(self, step: Step, standing: Standing) -> None:
        package = _package(step)
        if not standing.is_settled:
            raise StepError(f"{who(step)}: package {package} is {standing.state}; repair it, see `dpkg --audit`")
        if standing.state != INSTALLED:
            return
        file = self._kept.file(package, standing.version)
        if not file.is_file():
            raise StepError(
                f"{who(step)}: {package} {standing.version} could not be brought back: its file is not kept; put it "
                f"there as {file}"
            )

    def _note(self, work: Work) -> None:
        """What was there, noted once; what would bring it back is sound."""
        if self._noted(work) is not None:
            return
        standing = self._dpkg.standing(who(work.step), _package(work.step))
        self._require_way_back(work.step, standing)
        if standing.state == INSTALLED:
            self._dpkg.require_sound(who(work.step), self._kept.file(_package(work.step), standing.version))
        self._write(work, msgspec.json.encode(Note(work.sequence, work.version, work.step.name, standing)))

    def _bring_back(self, work: Work, before: Standing) -> None:
        name, package = who(work.step), _package(work.step)
        if before.state == INSTALLED:
            self._dpkg.install(name, self._kept.file(package, before.version))
            return
        if not self._dpkg.standing(name, package).is_settled:  # its list of files may be that of the other version
            self._dpkg.unpack(name, work.file)
        self._dpkg.remove(name, package, with_configuration=before.state == ABSENT)

    def _require_standing(self, step: Step, wanted: Standing) -> None:
        standing = self._dpkg.standing(who(step), _package(step))
        if standing != wanted:
            raise StepError(
                f"{who(step)}: {_package(step)} is {_shown(standing)} after dpkg; it should be {_shown(wanted)}"
            )

    def _noted(self, work: Work) -> Note | None:
        """What this step of this release found; None where it found nothing yet, in this system."""
        path = self._place(work)
        try:
            data = self._disk.read(path)
            note = None if data is None else msgspec.json.decode(data, type=Note)
        except OSError as error:
            raise StepError(f"{who(work.step)}: {path} cannot be read: {error.strerror or error}") from error
        except msgspec.DecodeError as error:
            raise StepError(
                f"{who(work.step)}: {path} does not say what was there before ({error}); remove it once the package is "
                "as it should be"
            ) from error
        ours = note is not None and (note.sequence, note.version, note.step) == _identity(work)
        return note if ours else None

    def _forget(self, work: Work) -> None:
        try:
            self._disk.remove(self._place(work))
        except OSError as error:
            raise StepError(f"{who(work.step)}: {self._place(work)} cannot be removed: {error.strerror}") from error

    def _write(self, work: Work, data: bytes) -> None:
        try:
            self._disk.replace(self._place(work), data)
        except OSError as error:
            raise StepError(f"{who(work.step)}: {self._place(work)} cannot be written: {error.strerror}") from error

    def _place(self, work: Work) -> Path:
        return self._dpkg.database / f"otabridge-{_package(work.step)}"


def _identity(work: Work) -> tuple[int, str, str]:
    return work.sequence, work.version, work.step.name


def _package(step: Step) -> str:
    """Raises: StepError where it is no name of a package: it ends in the names of files."""
    package = step.settings.get(SETTING, "")
    if not PACKAGE.fullmatch(package):
        raise StepError(f"{who(step)}: settings.{SETTING} is {package!r}: expected the name of a package, as gateway")
    return package


def _shown(standing: Standing) -> str:
    return f"{standing.state} {standing.version}".rstrip()

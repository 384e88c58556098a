"""What people and local programs have said about the release at hand: yes, no, not now. Kept over restarts.

The file has two kinds of writers: the command `otabridge-agent`, and the agent in the name of local programs. A lock
beside it makes them take turns; the file itself is replaced whole, so that a reader needs no lock.
"""

from __future__ import annotations

import fcntl
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path

import msgspec

from agent.disk import Disk
from agent.permit.permission import Moment
from bridge.release.errors import OtabridgeError

ANSWERS = "answers.json"
MAX_BYTES = 16 * 1024

logger = logging.getLogger(__name__)


class UnusableAnswer(OtabridgeError):
    """Nobody waits for this answer, or it goes beyond what is allowed."""

    @property
    def exit_code(self) -> int:
        """2, as for every misuse of a command line."""
        return 2


class Said(StrEnum):
    """What somebody can say to an update."""

    YES = "yes"
    NO = "no"
    LATER = "later"


class Answers(msgspec.Struct, frozen=True):
    """All that was said of the release whose release.json has the sha256 `digest`.

    `yes` to these moments; `refused`: no. Put off for `granted` minutes `until` a time of day, and for `spent` minutes
    in all.
    """

    digest: str = ""
    yes: tuple[Moment, ...] = ()
    refused: bool = False
    until: datetime | None = None
    granted: int = 0
    spent: int = 0

    def agreeing(self, moment: Moment) -> Answers:
        """These, and yes to `moment`: what was said before against it is taken back."""
        yes = tuple(dict.fromkeys((*self.yes, moment)))
        return msgspec.structs.replace(self, yes=yes, refused=False, until=None, granted=0)

    def refusing(self) -> Answers:
        """These, and no."""
        return msgspec.structs.replace(self, yes=(), refused=True, until=None, granted=0)

    def putting_off(self, minutes: int, most: int, now: datetime) -> Answers:
        """These, and not now, counted from `now`. Raises: UnusableAnswer beyond `most` minutes in all."""
        left = most - self.spent
        if not 0 < minutes <= left:
            raise UnusableAnswer(
                f"{minutes} minutes: this release can be put off for {left} more of {most} minutes in all "
                "(consent.most_minutes)"
            )
        until = now + timedelta(minutes=minutes)
        return msgspec.structs.replace(self, until=until, granted=minutes, spent=self.spent + minutes)


class AnswerBook:
    """The file with the answers. Used by any thread and any process."""

    def __init__(self, disk: Disk, folder: Path, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._disk = disk
        self._path = folder / ANSWERS
        self._clock = clock

    def of(self, digest: str) -> Answers:
        """What was said of the release `digest`; nothing where the file cannot be read, so that it is asked again."""
        answers = self._read()
        return answers if answers.digest == digest else Answers(digest)

    def mark(self) -> tuple[int, int]:
        """Differs once something was said."""
        try:
            found = self._path.stat()
        except OSError:
            return (0, 0)
        return (found.st_ino, found.st_ctime_ns)

    def take_back(self) -> bool:
        """Forget that somebody said no to the last release of which anything was said; whether anybody had.

        Raises: OSError.
        """
        answers = self._read()
        if answers.refused:
            self._change(answers.digest, lambda known: msgspec.structs.replace(known, refused=False))
        return answers.refused

    def agree(self, digest: str, moment: Moment) -> None:
        """Somebody says yes. Raises: OSError."""
        self._change(digest, lambda answers: answers.agreeing(moment))

    def refuse(self, digest: str) -> None:
        """Somebody says no. Raises: OSError."""
        self._change(digest, Answers.refusing)

    def put_off(self, digest: str, minutes: int, most: int) -> None:
        """Somebody says not now. Raises: OSError; UnusableAnswer."""
        self._change(digest, lambda answers: answers.putting_off(minutes, most, self._clock()))

    def _change(self, digest: str, change: Callable[[Answers], Answers]) -> None:
        with self._alone():
            self._disk.replace(self._path, msgspec.json.encode(change(self.of(digest))))
            _give(self._path)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        path = self._path.with_suffix(".lock")
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            _give(path)
            yield
        finally:
            os.close(descriptor)

    def _read(self) -> Answers:
        try:
            data = self._disk.read(self._path)
            return Answers() if data is None else msgspec.json.decode(data[:MAX_BYTES], type=Answers)
        except (OSError, msgspec.MsgspecError) as error:
            logger.warning("%s is not usable, so everything is asked again: %s", self._path, error)
            return Answers()


def _give(path: Path) -> None:
    """What root writes belongs to the agent, whose folder it is."""
    owner, found = path.parent.stat(), path.stat()
    if (found.st_uid, found.st_gid) != (owner.st_uid, owner.st_gid) and os.geteuid() == 0:
        os.chown(path, owner.st_uid, owner.st_gid)

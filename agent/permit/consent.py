"""Consent: an update waits until somebody on the device has said yes, and ends when somebody says no."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Literal

import msgspec

from agent.permit.answers import AnswerBook, Answers, Said, UnusableAnswer
from agent.permit.permission import ALLOWED, MOST_SECONDS, Answer, Facts, Later, Moment, Refused
from agent.update.record import Update

CONSENT = "consent"
POSTPONEMENT = "not now"
LATER_MINUTES = 60
"""What "later" means without a number."""
BEFORE_COMMIT = frozenset({Moment.DOWNLOAD, Moment.INSTALL})


class ConsentSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`required`: before what somebody has to say yes. `most_minutes`: how long in all one release may be put off."""

    required: Annotated[tuple[Literal["download", "install"], ...], msgspec.Meta(max_length=2)] = ()
    most_minutes: Annotated[int, msgspec.Meta(ge=0, le=525_600)] = 10_080


class ConsentGate:
    """Lets an update go on once that was said. What a person orders at the device is consented to."""

    def __init__(
        self,
        book: AnswerBook,
        required: frozenset[Moment],
        clock: Callable[[], datetime],
        ticks: Callable[[], float],
    ) -> None:
        """`clock` gives the time of day, UTC, aware; `ticks` seconds that never go back."""
        self._book = book
        self._required = required
        self._clock = clock
        self._ticks = ticks
        self._put_off_until: datetime | None = None
        self._ends = 0.0

    def ask(self, moment: Moment, facts: Facts) -> Answer:
        """See Permission."""
        if facts.ordered or moment not in BEFORE_COMMIT:
            return ALLOWED
        answers = self._book.of(facts.digest)
        if answers.refused:
            return Refused(CONSENT, f"somebody on the device said no to {facts.version}")
        left = self._left(answers)
        if left > 0:
            return Later(POSTPONEMENT, "somebody on the device wants it later", left)
        if moment not in self._required or moment in answers.yes:
            return ALLOWED
        return Later(CONSENT, f"nobody has said yes to {facts.version} yet", MOST_SECONDS)

    def _left(self, answers: Answers) -> float:
        """Seconds for which it is put off. A clock that is set back does not make them more than were granted, not even
        one that starts in 1970 at each boot."""
        if answers.until is None:
            return 0.0
        if answers.until != self._put_off_until:
            self._put_off_until = answers.until
            wanted = (answers.until - self._clock()).total_seconds()
            self._ends = self._ticks() + min(wanted, answers.granted * 60.0)
        return max(0.0, self._ends - self._ticks())


class Spokesman:
    """Takes what people and local programs say, for the update that is under way."""

    def __init__(self, book: AnswerBook, pending: Callable[[], Update | None], most_minutes: int) -> None:
        """`pending` is the update in the journal."""
        self._book = book
        self._pending = pending
        self._most_minutes = most_minutes

    def say(self, said: Said, minutes: int = LATER_MINUTES) -> str:
        """Take an answer; what it means, for people. `minutes` count for LATER. Raises: UnusableAnswer; OSError."""
        if said is Said.YES and self._pending() is None and self._book.take_back():
            return "the no is taken back: the release may be offered again"
        update = self._waiting()
        about = "the update" if update.waiting is None else f"release {update.waiting.version}"
        match said:
            case Said.NO:
                self._book.refuse(update.digest)
                return f"no to {about}: it is reported as refused"
            case Said.LATER:
                self._book.put_off(update.digest, minutes, self._most_minutes)
                return f"{about} is put off for {minutes} minutes"
            case Said.YES:
                self._book.agree(update.digest, self._moment(update))
                return f"yes to {about}, before {self._moment(update)}"

    def _waiting(self) -> Update:
        update = self._pending()
        if update is None or not update.digest:
            raise UnusableAnswer("no update is under way: there is nothing to say yes or no to")
        if update.ending is not None or update.boot_id:
            raise UnusableAnswer("the update is beyond the switch: it cannot be stopped any more")
        return update

    def _moment(self, update: Update) -> Moment:
        if update.waiting is None or update.waiting.by not in (CONSENT, POSTPONEMENT):
            what = "nothing" if update.waiting is None else f"{update.waiting.by}: {update.waiting.reason}"
            raise UnusableAnswer(f"the update does not wait for consent; it waits for {what}")
        return update.waiting.moment

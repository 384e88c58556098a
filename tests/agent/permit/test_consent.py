"""Consent: yes, no, not now; kept over restarts, and bounded."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agent.disk import SystemDisk
from agent.permit.answers import ANSWERS, AnswerBook, Said, UnusableAnswer
from agent.permit.consent import ConsentGate, Spokesman
from agent.permit.permission import ALLOWED, Facts, Later, Moment, Refused
from agent.update.record import Update, Waiting
from bridge.release.report import Outcome, Report

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
FACTS = Facts("job-1", "ab", "gateway", "2.0.0", 2, "a", "b")
OTHER = Facts("job-2", "cd", "gateway", "3.0.0", 3, "a", "b")
BOTH = frozenset({Moment.DOWNLOAD, Moment.INSTALL})
WAITING = Update("job-1", "ab", waiting=Waiting(Moment.INSTALL, "consent", "nobody has said yes", "2.0.0"))


class Person:
    """Somebody at a device: a gate, and a say in it. `start` is another process."""

    def __init__(self, folder: Path, required: frozenset[Moment] = BOTH) -> None:
        self.folder, self.required = folder, required
        self.now, self.ticks = NOW, 0.0
        self.update: Update | None = WAITING
        self.start()

    def start(self) -> None:
        book = AnswerBook(SystemDisk(), self.folder, lambda: self.now)
        self.book = book
        self.gate = ConsentGate(book, self.required, lambda: self.now, lambda: self.ticks)
        self.spokesman = Spokesman(book, lambda: self.update, 600)

    def passing(self, seconds: float) -> None:
        self.now, self.ticks = self.now + timedelta(seconds=seconds), self.ticks + seconds


@pytest.fixture
def person(tmp_path: Path) -> Person:
    """A person who has to say yes twice."""
    return Person(tmp_path)


def test_an_update_waits_until_somebody_says_yes(person: Person):
    """To each moment apart; the commit needs none, and what somebody orders at the device neither."""
    asked = person.gate.ask(Moment.INSTALL, FACTS)

    assert asked == Later("consent", "nobody has said yes to 2.0.0 yet", 900)
    assert person.spokesman.say(Said.YES) == "yes to release 2.0.0, before install"
    assert person.gate.ask(Moment.INSTALL, FACTS) == ALLOWED
    assert isinstance(person.gate.ask(Moment.DOWNLOAD, FACTS), Later)
    assert person.gate.ask(Moment.COMMIT, FACTS) == ALLOWED


def test_a_yes_is_for_one_release_and_outlives_a_restart(person: Person):
    """The next release is asked about anew."""
    person.spokesman.say(Said.YES)
    person.start()

    assert person.gate.ask(Moment.INSTALL, FACTS) == ALLOWED
    assert isinstance(person.gate.ask(Moment.INSTALL, OTHER), Later)


def test_a_no_ends_it_even_where_nobody_had_to_be_asked(tmp_path: Path):
    """And holds when the cloud tries again, until it is taken back."""
    person = Person(tmp_path, frozenset())
    assert person.gate.ask(Moment.INSTALL, FACTS) == ALLOWED

    person.spokesman.say(Said.NO)
    person.start()

    assert person.gate.ask(Moment.INSTALL, FACTS) == Refused("consent", "somebody on the device said no to 2.0.0")
    person.update = None
    assert person.spokesman.say(Said.YES) == "the no is taken back: the release may be offered again"
    assert person.gate.ask(Moment.INSTALL, FACTS) == ALLOWED


def test_not_now_is_over_after_its_minutes(person: Person):
    """Then it is as before."""
    person.spokesman.say(Said.LATER, 10)

    assert person.gate.ask(Moment.DOWNLOAD, FACTS) == Later("not now", "somebody on the device wants it later", 600)
    person.passing(599)
    person.start()
    assert person.gate.ask(Moment.DOWNLOAD, FACTS) == Later("not now", "somebody on the device wants it later", 1)
    person.passing(1)
    assert person.gate.ask(Moment.DOWNLOAD, FACTS).by == "consent"


def test_postponements_are_bounded_in_all(person: Person):
    """An application that is always busy cannot keep a release away for ever."""
    for _ in range(2):
        person.spokesman.say(Said.LATER, 300)

    with pytest.raises(
        UnusableAnswer, match=r"1 minutes: this release can be put off for 0 more of 600 minutes in all"
    ):
        person.spokesman.say(Said.LATER, 1)


@pytest.mark.parametrize("years", [-56, -1, 1])
def test_a_clock_that_jumps_does_not_prolong_it(person: Person, years):
    """Whatever the time of day is, it ends after the minutes that were granted, at the latest."""
    person.spokesman.say(Said.LATER, 10)
    person.now += timedelta(days=365 * years)
    person.start()
    first = person.gate.ask(Moment.DOWNLOAD, FACTS)
    person.ticks += 600

    assert first.by == ("consent" if years > 0 else "not now")
    assert person.gate.ask(Moment.DOWNLOAD, FACTS).by == "consent"


def test_yes_ends_a_postponement(person: Person):
    """The person has changed his mind."""
    person.spokesman.say(Said.LATER, 10)
    person.update = Update("job-1", "ab", waiting=Waiting(Moment.DOWNLOAD, "not now", "", "2.0.0"))
    person.spokesman.say(Said.YES)

    assert person.gate.ask(Moment.DOWNLOAD, FACTS) == ALLOWED


@pytest.mark.parametrize(
    ("update", "said", "words"),
    [
        (None, Said.YES, "no update is under way"),
        (Update(""), Said.NO, "no update is under way"),
        (Update("job-1", "ab"), Said.YES, "does not wait for consent; it waits for nothing"),
        (
            Update("job-1", "ab", waiting=Waiting(Moment.INSTALL, "window", "opens Sunday")),
            Said.YES,
            "it waits for window: opens Sunday",
        ),
        (Update("job-1", "ab", boot_id="7"), Said.NO, "beyond the switch: it cannot be stopped any more"),
        (Update("job-1", "ab", ending=Report(Outcome.INSTALLED, "b", "2")), Said.LATER, "beyond the switch"),
    ],
)
def test_an_answer_that_nobody_waits_for(person: Person, update, said, words):
    """Is refused, and says why; nothing is kept."""
    person.update = update

    with pytest.raises(UnusableAnswer, match=words):
        person.spokesman.say(said)
    assert not (person.folder / ANSWERS).exists()


@pytest.mark.parametrize("content", [b"", b"{", b'{"yes": 5}', b"\xff" * 100_000])
def test_a_file_that_is_spoiled_is_asked_anew(person: Person, content, caplog):
    """Nothing is taken for a yes."""
    (person.folder / ANSWERS).write_bytes(content)

    assert isinstance(person.gate.ask(Moment.INSTALL, FACTS), Later)
    assert "is not usable, so everything is asked again" in caplog.text
    person.spokesman.say(Said.YES)
    assert person.gate.ask(Moment.INSTALL, FACTS) == ALLOWED


def test_an_answer_is_noticed(person: Person):
    """Whoever waits sees that something was said, without reading it."""
    before = person.book.mark()
    person.spokesman.say(Said.YES)

    assert person.book.mark() != before
    assert person.book.mark() == person.book.mark()

"""`otabridge rollout approve|reject`: who may sign what, what they confirm, and what the ledger keeps."""

from __future__ import annotations

import sys
from datetime import timedelta

import pytest

from bridge.approvals import Verdict, new_statement, render_approval, sign_statement
from bridge.cli.passphrase import secrets
from bridge.ledger import Act, Entry
from bridge.signing import find_key
from tests.bridge.cli.desk import APPROVALS, ROLLOUT

SIGNED_OFF = ROLLOUT.replace(
    "  - percent: 10\n", "  - percent: 10\n    sign_off: {criteria: [The display shows it, The pump runs]}\n"
)


@pytest.fixture
def waiting(desk):
    """A rollout whose plan two of three must sign; a stranger has a key, too."""
    desk.approvers("ann", "ben", "eva", "mallory")
    desk.write(SIGNED_OFF + APPROVALS)
    desk.apply("--no-wait")
    return desk


def say(desk, verdict: str, name: str, *options: str):
    """`approve` or `reject` with the key of `name`."""
    return desk.rollout(verdict, "gates", "--key", f"{name}.pem", *options)


def approved(desk):
    """The plan is signed, and the first stage has ended."""
    say(desk, "approve", "ann")
    say(desk, "approve", "ben")
    return desk.passes(5)[-1]


def test_two_of_three_make_a_rollout_go_on(waiting):
    """Each approval is told with what is still missing; the first stage then waits for its own."""
    first, second = say(waiting, "approve", "ann"), say(waiting, "approve", "ben")
    held = waiting.passes(5)[-1]

    assert (first.code, second.code, held.code) == (0, 0, 28)
    assert first.out.splitlines()[1] == "approved by ann; 1 more must sign"
    assert second.out.splitlines()[1:] == [
        "approved by ann, ben; enough have signed",
        "next     a controller goes on with it, or `otabridge rollout apply` with its file",
    ]
    assert "`otabridge rollout approve gates --stage 1 --key KEY`" in held.err


def test_an_approval_twice_is_once(waiting):
    """It says so, ends with 0, and the ledger has one entry with comment and actor."""
    first = say(waiting, "approve", "ann", "--comment", "Looks right")
    second = say(waiting, "approve", "ann")
    history = waiting.rollout("history", "gates").out

    assert (first.code, second.code) == (0, 0)
    assert " before; nothing to do\n" in second.out
    assert history.count("approved: the plan, signed by ann: Looks right") == 1
    assert history.count("signed by ann") == 1


def test_a_rejection_holds_until_its_author_approves(waiting):
    """However many others approve; twice is once here, too."""
    rejected = [say(waiting, "reject", "eva", "--comment", "Not on a Friday") for _ in range(2)]
    say(waiting, "approve", "ann")
    held = say(waiting, "approve", "ben")
    refused = waiting.apply("--no-wait")
    freed = say(waiting, "approve", "eva")

    assert [each.code for each in rejected] == [0, 0]
    assert "before; nothing to do" in rejected[1].out
    assert "rejected by eva: it does not go on until they approve" in held.out
    assert (refused.code, "was rejected by eva" in refused.err) == (28, True)
    assert "rejected" not in freed.out
    assert waiting.apply("--no-wait").code == 0


def test_a_stage_is_signed_off_with_every_criterion(waiting):
    """Named by its number where nobody can be asked."""
    approved(waiting)

    half = say(waiting, "approve", "ann", "--stage", "1", "--confirm", "1")
    whole = say(waiting, "approve", "ann", "--stage", "1", "--confirm", "1", "--confirm", "2")
    gone_on = waiting.passes(1)[-1]

    assert half.code == 2
    assert "criterion 2 is not confirmed: The pump runs. Look, then give --confirm 2; or reject the stage" in half.err
    assert whole.code == 0
    assert "ann has approved stage 1 of plan " in whole.out
    assert "stage 2 of 3" in gone_on.out


@pytest.mark.parametrize(("answers", "code"), [("y\ny\n", 0), ("y\nn\n", 2)])
def test_on_a_terminal_each_criterion_is_asked(waiting, monkeypatch, answers, code):
    """One that was not seen met is no approval."""
    approved(waiting)
    terminal = Terminal(answers)
    monkeypatch.setattr(sys, "stdin", terminal)

    signed = say(waiting, "approve", "ann", "--stage", "1")

    assert signed.code == code
    assert "1. The display shows it: have you seen that?" in signed.err
    assert "2. The pump runs: have you seen that?" in signed.err


def test_a_signature_from_before_the_stage_began_counts_nowhere(waiting):
    """Neither in what is explained nor when the approver signs again: then it is signed anew, and counts."""
    approved(waiting)
    keep_early_approval(waiting, "ann")

    explained = waiting.rollout("explain", "gates").out
    anew = say(waiting, "approve", "ann", "--stage", "1", "--confirm", "1", "--confirm", "2")
    gone_on = waiting.passes(1)[-1]

    assert "the success of stage 1 needs the signatures of 1 more approver" in explained
    assert "does not count: ann: signed at " in explained
    assert "nothing to do" not in anew.out
    assert "approved by ann; enough have signed" in anew.out
    assert "stage 2 of 3" in gone_on.out


def test_what_was_signed_of_a_stage_that_has_passed_still_counts(waiting):
    """Said again, it is said once."""
    approved(waiting)
    words = ("--stage", "1", "--confirm", "1", "--confirm", "2")
    say(waiting, "approve", "ann", *words)
    waiting.passes(3)

    again = say(waiting, "approve", "ann", *words)

    assert (again.code, " before; nothing to do\n" in again.out) == (0, True)
    assert "approved by ann; enough have signed" in again.out


def keep_early_approval(desk, name: str) -> None:
    """An approval of stage 1 in the store, by the key of `name`, an hour older than the stage."""
    record, key = desk.store.load("gates"), find_key(f"{name}.pem", None)
    signed, keyid = record.progress.begun - timedelta(hours=1), key.public.key.keyid
    statement = new_statement(
        record.plan, 1, Verdict.APPROVE, keyid=keyid, now=signed, criteria=("The display shows it", "The pump runs")
    )
    document = render_approval(sign_statement(statement, key, secrets(None)))
    entry = Entry(signed, "gates", name, Act.APPROVED, "early")
    desk.store.approve("gates", keyid, statement.signed, document, entry)


def test_a_rejected_stage_pauses_the_rollout(waiting):
    """27, with who said so."""
    approved(waiting)

    say(waiting, "reject", "ben", "--stage", "1", "--comment", "The display is dark")
    held = waiting.apply()

    assert held.code == 27
    assert "rejected by ben" in held.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["approve", "--key", "mallory.pem"], "mallory is no approver of rollout gates; they are: ann, ben, eva"),
        (["approve", "--key", "nobody.pem"], "nobody.pub.json cannot be read: No such file"),
        (["approve", "--key", "awskms:1234"], "key awskms:1234: give its public key file too (--public NAME.pub.json)"),
        (["approve", "--key", "ann.pem", "--stage", "2"], "--stage 2: stages that must be signed off: 1"),
        (["approve", "--key", "ann.pem", "--stage", "1"], "--stage 1: it has not begun, so that nobody can have seen"),
        (["approve", "--key", "ann.pem", "--stage", "9"], "--stage 9: stages that must be signed off: 1"),
        (["approve", "--key", "ann.pem", "--confirm", "1"], "--confirm 1: there are 0 criteria"),
        (["reject", "--key", "ann.pem", "--comment", "two\nlines"], "write one line of plain text"),
        (["reject", "--key", "ann.pem", "--comment", "x" * 1001], "write one line of plain text"),
    ],
)
def test_what_cannot_be_signed_is_refused(waiting, words, message):
    """Exit code 2, and nothing is kept."""
    refused = waiting.rollout(words[0], "gates", *words[1:])

    assert refused.code == 2
    assert message in refused.err
    assert waiting.store.approvals("gates") == ()


def test_a_plan_that_nobody_must_sign_cannot_be_signed(desk):
    """It would mean nothing."""
    desk.approvers("ann")
    desk.apply("--no-wait")

    refused = say(desk, "approve", "ann")

    assert (refused.code, refused.err) == (2, "otabridge: rollout gates asks for no approval of its plan\n")


def test_programs_read_where_it_stands(waiting):
    """As JSON with a version."""
    said = say(waiting, "approve", "ann", "-o", "json").json
    digest = waiting.rollout("status", "gates", "-o", "json").json["plan"]

    assert said == {
        "rollout": "gates",
        "plan": digest,
        "stage": None,
        "approver": "ann",
        "verdict": "approve",
        "added": True,
        "given": ["ann"],
        "missing": 1,
        "rejected": [],
        "schema": 1,
    }


class Terminal:
    """A person who types `answers`."""

    def __init__(self, answers: str) -> None:
        self._lines = iter(answers.splitlines(keepends=True))

    def isatty(self) -> bool:
        """A terminal."""
        return True

    def readline(self, *_: int) -> str:
        """The next answer."""
        return next(self._lines, "")

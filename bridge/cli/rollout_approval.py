"""`otabridge rollout approve|reject`: an approver signs what they think of a plan, or of a stage's success."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated

import msgspec
import typer

from bridge.approvals import (
    Accepted,
    Standing,
    Verdict,
    judge_approval,
    new_statement,
    read_approval,
    render_approval,
    sign_statement,
    standing,
)
from bridge.cli.console import Output, OutputOption, show
from bridge.cli.layout import fitted
from bridge.cli.options import ConfigOption, PublicOption, RolloutName
from bridge.cli.passphrase import PassphraseOption, secrets
from bridge.config import DEFAULT_FILE, read_config
from bridge.engine.progress import Progress
from bridge.engine.record import Record
from bridge.errors import UsageError
from bridge.ledger import Act, Entry, Fact
from bridge.planning.planned import Plan
from bridge.signing import Secrets, SigningKey, find_key
from bridge.store.store import Store
from bridge.wiring import actor, open_store

KeyOption = Annotated[str, typer.Option(help="NAME.pem, NAME.pub.json, or the URI of a KMS or HSM key.")]
StageOption = Annotated[
    int | None, typer.Option(min=1, help="The stage, from 1, whose success is judged; else the plan.")
]
CommentOption = Annotated[str, typer.Option(help="One line that is signed, too, and kept in the ledger.")]
SECOND = timedelta(seconds=1)
ACTS = {Verdict.APPROVE: Act.APPROVED, Verdict.REJECT: Act.REJECTED}


class SignedView(msgspec.Struct, frozen=True):
    """`rollout approve` and `reject`. `added` is False where the approver has said so before. `stage` is None for the
    plan; `given` have approved it, `missing` more must, `rejected` have rejected it.
    """

    rollout: str
    plan: str
    stage: int | None
    approver: str
    verdict: Verdict
    added: bool
    given: tuple[str, ...]
    missing: int
    rejected: tuple[str, ...]
    schema: int = 1


@dataclass(frozen=True, slots=True)
class Word:
    """What an approver is about to say, of what: the plan (None) or a stage from 1."""

    subject: int | None
    verdict: Verdict
    criteria: tuple[str, ...]
    comment: str


def approve(
    name: RolloutName,
    *,
    key: KeyOption,
    stage: StageOption = None,
    confirm: Annotated[
        list[int] | None, typer.Option(help="Number of a criterion that you have seen met; may be repeated.")
    ] = None,
    comment: CommentOption = "",
    public: PublicOption = None,
    passphrase_file: PassphraseOption = None,
    config: ConfigOption = DEFAULT_FILE,
    output: OutputOption = Output.TEXT,
) -> None:
    """Sign that a plan may be carried out, or with --stage that a stage succeeded.

    A plan is signed by its digest: another plan needs new signatures.
    """
    store = open_store(read_config(config))
    desk = Desk(store, store.load(name), find_key(key, public), secrets(passphrase_file))
    _require_subject(desk.record, stage)
    criteria = _confirmed(desk.record.plan, stage, confirm or [])
    _show(desk.say(Word(stage, Verdict.APPROVE, criteria, comment)), output)


def reject(
    name: RolloutName,
    *,
    key: KeyOption,
    comment: CommentOption,
    stage: StageOption = None,
    public: PublicOption = None,
    passphrase_file: PassphraseOption = None,
    config: ConfigOption = DEFAULT_FILE,
    output: OutputOption = Output.TEXT,
) -> None:
    """Sign that a plan may not be carried out, or that a stage failed. It holds until you approve."""
    store = open_store(read_config(config))
    desk = Desk(store, store.load(name), find_key(key, public), secrets(passphrase_file))
    _require_subject(desk.record, stage)
    _show(desk.say(Word(stage, Verdict.REJECT, (), comment)), output)


def _require_subject(record: Record, stage: int | None) -> None:
    """Before anybody is asked for criteria or a passphrase."""
    rules, progress = record.plan.rollout, record.progress
    if stage is None and rules.approvals is None:
        raise UsageError(f"rollout {rules.name} asks for no approval of its plan")
    if stage is not None and (stage > len(rules.stages) or rules.stages[stage - 1].sign_off is None):
        asked = [str(number) for number, each in enumerate(rules.stages, start=1) if each.sign_off]
        raise UsageError(f"--stage {stage}: stages that must be signed off: {', '.join(asked) or 'none'}")
    if stage is not None and _begun(progress, stage - 1) is None:
        raise UsageError(f"--stage {stage}: it has not begun, so that nobody can have seen how it went")


def _begun(progress: Progress, stage: int) -> datetime | None:
    """When `stage` (from 0) began; None before that."""
    if stage == progress.stage:
        return progress.begun
    return min((order.since for place, _, order in progress.each() if place.stage == stage), default=None)


def _confirmed(plan: Plan, stage: int | None, numbers: Sequence[int]) -> tuple[str, ...]:
    """The criteria of the stage, each of which was confirmed. Raises: UsageError where one was not."""
    sign_off = plan.rollout.stages[stage - 1].sign_off if stage else None
    criteria = sign_off.criteria if sign_off else ()
    wrong = sorted(set(numbers) - set(range(1, len(criteria) + 1)))
    if wrong:
        raise UsageError(f"--confirm {wrong[0]}: there are {len(criteria)} criteria")
    for number, line in enumerate(criteria, start=1):
        if number not in numbers and not _asks(number, line):
            raise UsageError(
                f"criterion {number} is not confirmed: {line}. Look, then give --confirm {number}; or reject the stage"
            )
    return criteria


def _asks(number: int, line: str) -> bool:
    if not sys.stdin.isatty():
        return False
    return typer.confirm(f"{number}. {line}: have you seen that?", err=True)


@dataclass(frozen=True, slots=True)
class Desk:
    """Where an approver signs: the rollout, their key, and who knows its passphrase."""

    store: Store
    record: Record
    holder: SigningKey
    secrets: Secrets

    def say(self, word: Word) -> SignedView:
        """Sign `word` and keep it, unless it was said before. Raises: UsageError, SigningFailed, StoreError."""
        _require_approver(self.record.plan, self.holder)
        now = self.store.now()
        added = not self._counts(word, now)
        if added:
            last = self._last(word.subject, now)
            self._sign(word, now if last is None else max(now, last.statement.signed + SECOND))
        return self._view(word, now, added=added)

    def _counts(self, word: Word, now: datetime) -> bool:
        """Whether this approver has said so before, and it still counts."""
        stands = self._standing(word.subject, now)
        names = {each.keyid: each.name for each in self.record.plan.approvers}
        said = stands.given if word.verdict is Verdict.APPROVE else stands.rejected
        return names[self.holder.public.key.keyid] in said

    def _standing(self, subject: int | None, now: datetime) -> Standing:
        approvals = [read_approval(document) for document in self.store.approvals(self.record.name)]
        since = None if subject is None else _begun(self.record.progress, subject - 1)
        return standing(self.record.plan, approvals, subject, now, since)

    def _last(self, subject: int | None, now: datetime) -> Accepted | None:
        """The newest word of this approver on the subject."""
        documents = self.store.approvals(self.record.name)
        judged = [judge_approval(self.record.plan, read_approval(document), now) for document in documents]
        words = [each for each in judged if isinstance(each, Accepted) and each.statement.stage == subject]
        own = [each for each in words if each.approver.keyid == self.holder.public.key.keyid]
        return max(own, key=lambda each: (each.statement.signed, each.statement.verdict), default=None)

    def _sign(self, word: Word, now: datetime) -> None:
        """Statements of one second would leave open which came last."""
        keyid = self.holder.public.key.keyid
        statement = new_statement(
            self.record.plan,
            word.subject,
            word.verdict,
            keyid=keyid,
            now=now,
            criteria=word.criteria,
            comment=word.comment,
        )
        document = render_approval(sign_statement(statement, self.holder, self.secrets))
        self.store.approve(self.record.name, keyid, statement.signed, document, self._entry(word, now))

    def _entry(self, word: Word, now: datetime) -> Entry:
        subject = "the plan" if word.subject is None else f"stage {word.subject}"
        comment = f": {word.comment}" if word.comment else ""
        reason = f"{subject}, signed by {self.holder.public.name}{comment}"
        facts = (Fact("plan", self.record.plan.digest), Fact("approver", self.holder.public.name))
        return Entry(now, self.record.name, actor(), ACTS[word.verdict], reason, facts)

    def _view(self, word: Word, now: datetime, *, added: bool) -> SignedView:
        stands = self._standing(word.subject, now)
        return SignedView(
            rollout=self.record.name,
            plan=self.record.plan.digest,
            stage=word.subject,
            approver=self.holder.public.name,
            verdict=word.verdict,
            added=added,
            given=stands.given,
            missing=stands.missing,
            rejected=stands.rejected,
        )


def _require_approver(plan: Plan, holder: SigningKey) -> None:
    if holder.public.key.keyid not in {each.keyid for each in plan.approvers}:
        named = ", ".join(each.name for each in plan.approvers)
        raise UsageError(f"{holder.public.name} is no approver of rollout {plan.rollout.name}; they are: {named}")


def _show(view: SignedView, output: Output) -> None:
    show(view, fitted(_describe(view)), output)


def _describe(view: SignedView) -> str:
    subject = "plan" if view.stage is None else f"stage {view.stage} of plan"
    said = "approved" if view.verdict is Verdict.APPROVE else "rejected"
    before = "" if view.added else " before; nothing to do"
    lines = [f"{view.approver} has {said} {subject} {view.plan[:12]} of rollout {view.rollout}{before}"]
    lines += [f"approved by {', '.join(view.given) or 'nobody'}; {_missing(view)}"]
    lines += [f"rejected by {', '.join(view.rejected)}: it does not go on until they approve"] if view.rejected else []
    if view.added and view.verdict is Verdict.APPROVE and not view.missing and not view.rejected:
        lines += ["next     a controller goes on with it, or `otabridge rollout apply` with its file"]
    return "\n".join(lines)


def _missing(view: SignedView) -> str:
    return f"{view.missing} more must sign" if view.missing else "enough have signed"

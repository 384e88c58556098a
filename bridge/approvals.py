"""Approvals of plans and sign-offs of stages: what an approver signs, and what the signatures together allow. Pure.

An approval is a statement in canonical JSON and the signature of one approver under exactly those bytes. It names the
plan by its digest, so a changed plan needs new ones. Of each approver the newest statement counts: a rejection holds
until its author approves, whatever older approval is shown again, and does not expire.

Only `sign_statement` uses a private key; all else judges.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Literal

import msgspec
from msgspec import Meta
from securesystemslib.signer import SSlibKey

from bridge.detached import is_signed, sign_bytes
from bridge.errors import UsageError
from bridge.planning.planned import Approver, Plan
from bridge.rollout.duration import in_words, span
from bridge.rollout.rules import Approvals, SignOff
from bridge.signing import Secrets, SigningKey

MAX_APPROVAL_BYTES = 64 * 1024
MAX_COMMENT = 1000
DEFAULT_EXPIRE = "7d"
"""How long a signature holds where the rollout file does not say, as in `Approvals.expire`."""
SKEW = timedelta(minutes=5)
"""How far the clock of an approver may be ahead of ours."""

Line = Annotated[str, Meta(pattern=r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]*\Z", max_length=MAX_COMMENT)]
Moment = Annotated[datetime, Meta(tz=True)]


class Verdict(StrEnum):
    """What the approver says."""

    APPROVE = "approve"
    REJECT = "reject"


class Statement(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is signed. `plan` is the plan's digest, `stage` counts from 1 and is None where the plan itself is meant.

    `criteria` are the lines of the sign-off that the approver confirms to have seen.
    """

    type: Literal["otabridge-approval"] = msgspec.field(name="_type")
    rollout: Line
    plan: Line
    stage: Annotated[int, Meta(ge=1, le=1000)] | None
    criteria: Annotated[tuple[Line, ...], Meta(max_length=20)]
    verdict: Verdict
    comment: Line
    keyid: Line
    signed: Moment
    expires: Moment


class Approval(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A statement as it was signed, who claims to have signed it, and the signature."""

    statement: bytes
    keyid: Annotated[str, Meta(max_length=128)]
    signature: bytes


@dataclass(frozen=True, slots=True)
class Accepted:
    """The approval is its approver's word on this plan. It does not count while `expired`."""

    approver: Approver
    statement: Statement
    expired: bool


@dataclass(frozen=True, slots=True)
class Refused:
    """The approval counts for nothing; `reason` says why and what would help."""

    reason: str


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a plan or stage stands with its approvers, all by name.

    `given` have approved, `rejected` have rejected, what `expired` have approved holds no longer; `missing` more
    approvals are needed. `refused` says why other approvals do not count.
    """

    given: tuple[str, ...]
    missing: int
    rejected: tuple[str, ...]
    expired: tuple[str, ...]
    refused: tuple[str, ...]

    @property
    def is_met(self) -> bool:
        """Whether enough approvers have approved and none rejects."""
        return not self.missing and not self.rejected


def new_statement(
    plan: Plan, subject: int | None, verdict: Verdict, *, keyid: str, now: datetime, criteria: Sequence[str] = (),
    comment: str = "",
) -> Statement:  # fmt: skip
    """What the holder of `keyid` is to sign at `now` (UTC) about `subject`: None for the plan, or a stage from 1.

    Raises:
        UsageError: the plan has no such stage, or the comment or a criterion holds what no line may.
    """
    seconds = now.replace(microsecond=0)
    statement = Statement(
        type="otabridge-approval", rollout=plan.rollout.name, plan=plan.digest, stage=subject, criteria=tuple(criteria),
        verdict=verdict, comment=comment, keyid=keyid, signed=seconds, expires=seconds + _lasting(plan),
    )  # fmt: skip
    if reason := _not_asked(plan, subject):
        raise UsageError(reason)
    try:
        return msgspec.convert(msgspec.to_builtins(statement), Statement)
    except msgspec.ValidationError as error:
        raise UsageError(f"the statement cannot be signed: {error}; write one line of plain text") from error


def sign_statement(statement: Statement, key: SigningKey, secrets: Secrets) -> Approval:
    """`statement` with the signature of `key`.

    Raises:
        UsageError: the statement is another key's, or `key` cannot be used.
        SigningFailed: the KMS or HSM failed.
    """
    if statement.keyid != key.public.key.keyid:
        raise UsageError(f"the statement is to be signed by key {statement.keyid[:12]}, not by {key.public.name}")
    payload = _encode(statement)
    return Approval(payload, statement.keyid, sign_bytes(payload, key, secrets))


def render_approval(approval: Approval) -> bytes:
    """The one form in which an approval is stored and sent."""
    return _encode(approval)


def read_approval(document: bytes) -> Approval:
    """The approval in `document`, unverified. Raises: UsageError when it is none, or not in its one form."""
    if len(document) > MAX_APPROVAL_BYTES:
        raise UsageError(f"the approval has {len(document)} bytes, the limit is {MAX_APPROVAL_BYTES}")
    try:
        approval = msgspec.json.decode(document, type=Approval)
    except (msgspec.DecodeError, ValueError) as error:
        raise UsageError(f"this is no approval: {error}") from error
    if render_approval(approval) != document:
        raise UsageError("the approval was edited or re-serialised after it was signed: ask for the file again")
    return approval


def judge_approval(plan: Plan, approval: Approval, now: datetime) -> Accepted | Refused:
    """Whether `approval` is the word of one of the plan's approvers on this plan, at time `now` (aware)."""
    approver = next((each for each in plan.approvers if each.keyid == approval.keyid), None)
    if approver is None:
        named = ", ".join(each.name for each in plan.approvers) or "nobody"
        return Refused(f"key {approval.keyid[:12]!r} belongs to no approver of this plan; they are: {named}")
    if not _is_genuine(approval, approver):
        return Refused(f"the signature of {approver.name} does not match the statement: it was altered after signing")
    statement = _read(approval.statement)
    if statement is None:
        return Refused(f"what {approver.name} signed is no statement that this otabridge understands: sign it anew")
    reason = _against(plan, approver, statement, now)
    return Refused(f"{approver.name}: {reason}") if reason else Accepted(approver, statement, _expired(statement, now))


def standing(
    plan: Plan, approvals: Sequence[Approval], subject: int | None, now: datetime, since: datetime | None = None
) -> Standing:
    """How far the agreement on `subject` is: None for the plan itself, or a stage from 1 that is signed off. Nobody can
    approve what came of it before `since`.
    """
    judged = (judge_approval(plan, approval, now) for approval in approvals)
    verdicts = [_not_before(verdict, subject, since) for verdict in judged]
    words = [verdict for verdict in verdicts if isinstance(verdict, Accepted) and verdict.statement.stage == subject]
    newest = {word.approver.keyid: word for word in sorted(words, key=_age)}
    last = sorted(newest.values(), key=lambda word: word.approver.name)
    given = tuple(word.approver.name for word in last if _approves(word) and not word.expired)
    return Standing(
        given,
        max(0, _threshold(plan, subject) - len(given)),
        tuple(word.approver.name for word in last if not _approves(word)),
        tuple(word.approver.name for word in last if word.expired),
        tuple(verdict.reason for verdict in verdicts if isinstance(verdict, Refused)),
    )


def _not_before(verdict: Accepted | Refused, subject: int | None, since: datetime | None) -> Accepted | Refused:
    if isinstance(verdict, Refused) or since is None or verdict.statement.stage != subject or not _approves(verdict):
        return verdict
    if verdict.statement.signed >= since - SKEW:
        return verdict
    return Refused(
        f"{verdict.approver.name}: signed at {verdict.statement.signed:%Y-%m-%d %H:%M}, before stage {subject} began "
        f"at {since:%Y-%m-%d %H:%M}: look at what came of it, and sign anew"
    )


def _age(word: Accepted) -> tuple[datetime, bool]:
    """Of two statements of one second the rejection is the newer."""
    return word.statement.signed, not _approves(word)


def _approves(word: Accepted) -> bool:
    return word.statement.verdict is Verdict.APPROVE


def _expired(statement: Statement, now: datetime) -> bool:
    return statement.verdict is Verdict.APPROVE and now >= statement.expires


def _threshold(plan: Plan, subject: int | None) -> int:
    asked = _asked(plan, subject)
    return asked.threshold if asked else 0


def _asked(plan: Plan, subject: int | None) -> Approvals | SignOff | None:
    """What the rollout asks of approvers about `subject`; None for nothing, or for a stage that it does not have."""
    if subject is None:
        return plan.rollout.approvals
    stages = plan.rollout.stages
    return stages[subject - 1].sign_off if 1 <= subject <= len(stages) else None


def _not_asked(plan: Plan, subject: int | None) -> str:
    if _asked(plan, subject):
        return ""
    what = "the plan itself" if subject is None else f"stage {subject}"
    return f"rollout {plan.rollout.name} asks for no approval of {what}"


def _lasting(plan: Plan) -> timedelta:
    return span(plan.rollout.approvals.expire if plan.rollout.approvals else DEFAULT_EXPIRE)


def _against(plan: Plan, approver: Approver, statement: Statement, now: datetime) -> str:
    """The first reason for which a genuine statement counts for nothing; empty where there is none."""
    if statement.keyid != approver.keyid:
        return f"the statement names another key, {statement.keyid[:12]!r}: sign it anew"
    if (statement.rollout, statement.plan) != (plan.rollout.name, plan.digest):
        return (
            f"the statement is about plan {statement.plan[:12]!r} of rollout {statement.rollout!r}, "
            f"this is plan {plan.digest[:12]} of {plan.rollout.name}: a changed plan needs new approvals"
        )
    return _not_asked(plan, statement.stage) or _untimely(plan, statement, now) or _unconfirmed(plan, statement)


def _untimely(plan: Plan, statement: Statement, now: datetime) -> str:
    if statement.signed > now + SKEW:
        return f"signed at {statement.signed:%Y-%m-%d %H:%M}, which has not come yet: compare the clocks and sign anew"
    if not timedelta() < statement.expires - statement.signed <= _lasting(plan):
        return (
            f"it claims to hold until {statement.expires:%Y-%m-%d %H:%M}; the rollout allows {in_words(_lasting(plan))}"
        )
    return ""


def _unconfirmed(plan: Plan, statement: Statement) -> str:
    asked = _asked(plan, statement.stage)
    if statement.verdict is Verdict.REJECT or not isinstance(asked, SignOff):
        return ""
    open_ = [line for line in asked.criteria if line not in statement.criteria]
    return f"not confirmed: {'; '.join(open_)}" if open_ else ""


def _is_genuine(approval: Approval, approver: Approver) -> bool:
    return is_signed(approval.statement, approval.signature, _key(approver))


class _Key(msgspec.Struct, frozen=True):
    keytype: str
    scheme: str
    keyval: dict[str, str]


def _key(approver: Approver) -> SSlibKey:
    key = msgspec.json.decode(approver.key, type=_Key)
    return SSlibKey(approver.keyid, key.keytype, key.scheme, key.keyval)


def _read(document: bytes) -> Statement | None:
    if len(document) > MAX_APPROVAL_BYTES:
        return None
    try:
        statement = msgspec.json.decode(document, type=Statement)
    except (msgspec.DecodeError, ValueError):
        return None
    return statement if _encode(statement) == document else None


def _encode(value: Statement | Approval) -> bytes:
    return msgspec.json.encode(value, order="sorted")

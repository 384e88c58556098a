"""Who agreed to a plan, or to a stage's success, in the words that a decision needs. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from bridge.approvals import Approval, Standing, read_approval, standing
from bridge.engine.sight import Consent
from bridge.errors import UsageError
from bridge.planning.planned import Plan

NOTHING_ASKED = Consent()
MOST_REFUSED = 3
"""Approvals that do not count, of which a reason is shown."""


def plan_consent(plan: Plan, approvals: Sequence[bytes], now: datetime) -> Consent:
    """Whether enough approvers have signed the plan."""
    if plan.rollout.approvals is None:
        return NOTHING_ASKED
    return _consent(standing(plan, _read(approvals), None, now), f"plan {plan.digest[:12]}")


def stage_consent(
    plan: Plan, stage: int, approvals: Sequence[bytes], now: datetime, begun: datetime | None = None
) -> Consent:
    """Whether enough approvers have signed, since it has `begun`, that `stage` (from 0) succeeded."""
    if plan.rollout.stages[stage].sign_off is None:
        return NOTHING_ASKED
    return _consent(standing(plan, _read(approvals), stage + 1, now, begun), f"the success of stage {stage + 1}")


def _read(documents: Sequence[bytes]) -> list[Approval]:
    """What the store holds was read before it was kept; whatever else got into it counts for nothing."""
    return list(_readable(documents))


def _readable(documents: Sequence[bytes]) -> Iterator[Approval]:
    for document in documents:
        try:
            yield read_approval(document)
        except UsageError:  # somebody wrote into the database: it is no approval, so it approves nothing
            continue


def _consent(found: Standing, what: str) -> Consent:
    parts = []
    if found.rejected:
        parts.append(f"{what} was rejected by {', '.join(found.rejected)}")
    elif found.missing:
        given = f" (given: {', '.join(found.given)})" if found.given else ""
        approvers = "approver" if found.missing == 1 else "approvers"
        parts.append(f"{what} needs the signatures of {found.missing} more {approvers}{given}")
    if found.expired:
        parts.append(f"what {', '.join(found.expired)} signed has expired")
    parts.extend(f"does not count: {reason}" for reason in found.refused[:MOST_REFUSED])
    words = "" if found.is_met else "; ".join(parts)
    return Consent(found.missing, found.rejected, words)

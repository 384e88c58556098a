"""What a device tells its twin at each turn of an attempt, as one patch each: all of it arrives, or nothing. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from adapters.azure.channel.goal_decision import View, is_answered, stage_of
from adapters.azure.formats.component import (
    AgentState,
    Goal,
    Patch,
    acknowledged,
    cancelled,
    failed,
    in_progress,
    succeeded,
    unknown_update,
)
from adapters.azure.formats.results import extended, jws_extended
from adapters.azure.formats.signature import SignatureRefused
from adapters.azure.formats.update_manifest import parse
from adapters.azure.wire import COMPONENT, Standing, Word, reported_progress, reported_standing, standing_of
from bridge.release.errors import FailureCode, OtabridgeError
from bridge.release.report import MAX_DETAIL, Outcome, Progress, Report


def answered(view: View, patch: Mapping[str, object] | None = None) -> Patch:
    """`patch`, and the acknowledgement of the goal where it has none yet; {} where there is nothing to tell."""
    if view.goal is None or is_answered(view):
        return dict(patch or {})
    return merged(patch or {}, acknowledged(view.goal))


def begun(view: View, goal: Goal) -> Patch:
    """The attempt has begun."""
    return answered(view, merged(in_progress(goal), reported_standing(Standing(view.stage, Word.RUNNING))))


def going_on(progress: Progress) -> Patch:
    """A sign of life; Device Update itself knows no progress."""
    return reported_progress(progress)


def described(reported: Mapping[str, object], fields: Mapping[str, int | str]) -> Patch:
    """Those of `fields`, which say what the device is, that a twin with `reported` does not hold so; {} for none."""
    component = reported.get(COMPONENT)
    held = component if isinstance(component, Mapping) else {}
    news = {name: value for name, value in fields.items() if not _same(held.get(name), value)}
    return {COMPONENT: news} if news else {}


def withdrawn(view: View, agent: AgentState) -> Patch:
    """The attempt that `agent` tells of was cancelled."""
    stage = view.standing.stage if view.standing is not None else view.stage
    return answered(view, merged(cancelled(agent), reported_standing(Standing(stage, Word.WITHDRAWN))))


def afterwards(view: View, report: Report) -> Patch:
    """What has become of the device after its stage has closed the attempt otherwise; {} where that is told already.

    A withdrawal comes too late once the slots are switched, and a release may fall back long after it was installed.
    The word by which the stage has counted the device stays.
    """
    fell_late = _word(view) is Word.INSTALLED and report.outcome is Outcome.FELL_BACK
    if view.standing is None or not (fell_late or _word(view) in (Word.RUNNING, Word.WITHDRAWN)):
        return {}
    word = Word.INSTALLED if fell_late else Word.WITHDRAWN
    patch = reported_standing(Standing(view.standing.stage, word), report)
    return merged(patch, unknown_update()) if fell_late or report.outcome is Outcome.INSTALLED else patch


def without_echo(patch: Mapping[str, object]) -> Patch:
    """`patch` for a twin that has no room for it: without what the service knows, and long words for people."""
    lean = merged(patch, {})
    for path in _DISPENSABLE:
        _erase(lean, path)
    return lean


def refused(view: View, goal: Goal, error: OtabridgeError) -> Patch:
    """The goal never became an offer, because of `error`."""
    outcome = Outcome.REJECTED if error.code.is_refusal else Outcome.FAILED
    report = Report(outcome, "", "", error.code, str(error)[:MAX_DETAIL])
    code = jws_extended(error.fault) if isinstance(error, SignatureRefused) else extended(error.code)
    patch = failed(goal, code, str(error), step_ran=False)
    return answered(view, merged(patch, reported_standing(standing_of(stage_of(view), outcome), report)))


def concluded(view: View, goal: Goal, report: Report, extra: tuple[str, ...]) -> Patch:
    """The attempt ended. Raises: MalformedUpdate when it was installed and the goal is no longer an update."""
    if report.outcome is Outcome.INSTALLED:
        patch = succeeded(goal, parse(goal.manifest or "").update_id, extra)
    else:
        patch = failed(goal, extended(report.code or FailureCode.INTERRUPTED), report.detail)
    return answered(view, merged(patch, reported_standing(standing_of(stage_of(view), report.outcome), report)))


def merged(first: Mapping[str, object], second: Mapping[str, object]) -> Patch:
    """Both patches as one; where they meet in something other than an object, the second counts."""
    both: Patch = dict(first)
    for name, value in second.items():
        held = both.get(name)
        both[name] = merged(held, value) if isinstance(held, Mapping) and isinstance(value, Mapping) else value
    return both


_DISPENSABLE = (
    ("deviceUpdate", "service", "value"),
    ("deviceUpdate", "agent", "lastInstallResult", "resultDetails"),
    ("deviceUpdate", "agent", "lastInstallResult", "stepResults"),
    ("otabridge", "said", "detail"),
)


def _erase(patch: Patch, path: tuple[str, ...]) -> None:
    """Make what is there null, which also removes what the twin holds."""
    *objects, last = path
    for name in objects:
        held = patch.get(name)
        if not isinstance(held, dict):
            return
        patch = held
    patch[last] = None


def _same(held: object, value: int | str) -> bool:
    """JSON's true is Python's 1."""
    return type(held) is type(value) and held == value


def _word(view: View) -> Word | None:
    return None if view.standing is None else view.standing.word

"""What a device does about its twin: the goal that it is given against what it has reported already. Pure.

The hub's copy of what was reported is the device's memory: it tells an attempt that goes on from one that has ended,
over restarts too, so that nothing is reported or begun twice.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from adapters.azure.formats.component import (
    COMPONENT,
    Action,
    AgentState,
    Goal,
    MalformedGoal,
    State,
    Workflow,
    parse_agent,
    parse_goal,
)
from adapters.azure.formats.results import CANCELLED
from adapters.azure.wire import Standing, Word, desired_stage, parse_reported
from bridge.release.report import Outcome

MAX_OFFER_ID = 128
RETRY = "#"

Members = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class View:
    """A twin as this adapter reads it.

    `goal` is None where Device Update wrote nothing, or nothing that could be answered; of a malformed goal it is the
    envelope, and `fault` says what is wrong. `acknowledged` is the version of the goal that was answered last, `stage`
    the one that the device belongs to now ("" for none), `standing` what it reported of a stage.
    """

    goal: Goal | None
    fault: MalformedGoal | None
    agent: AgentState | None
    standing: Standing | None
    stage: str
    acknowledged: int | None


class Act(StrEnum):
    """What is to be done about a twin."""

    NOTHING = "nothing"
    ANSWER = "answer"
    """Only acknowledge the goal: it has been dealt with, or asks for nothing."""
    BEGIN = "begin"
    """A new attempt: verify it, report that it began, offer it."""
    RESUME = "resume"
    """An attempt reported as begun: offer it again, report nothing."""
    WITHDRAW = "withdraw"
    """An attempt reported as begun is no longer wanted: report that it is cancelled."""
    REJECT = "reject"
    """A goal that nobody can follow: report that it failed."""


class Life(StrEnum):
    """How one offer stands with the cloud."""

    LIVE = "live"
    ENDED = "ended"
    GONE = "gone"


def parse_view(desired: Members, reported: Members) -> View:
    """Any twin makes a view."""
    goal, fault = _goal(desired)
    standing, _ = parse_reported(reported)
    return View(goal, fault, parse_agent(reported), standing, desired_stage(desired), _acknowledged(reported))


def decide(view: View) -> Act:
    """What is to be done about `view`."""
    goal = view.goal
    if goal is None:
        return Act.NOTHING
    if goal.action is Action.CANCEL:
        return Act.WITHDRAW if _runs(view.agent) else _answer_or_nothing(view)
    if _is_same(goal, view.agent):
        return _known(view)
    return Act.BEGIN if view.fault is None else Act.REJECT


def _answer_or_nothing(view: View) -> Act:
    """Each version of the goal is acknowledged once."""
    return Act.NOTHING if is_answered(view) else Act.ANSWER


def is_answered(view: View) -> bool:
    """Whether this version of the goal has been acknowledged."""
    return view.goal is None or view.acknowledged == view.goal.version


def offer_id(work: Workflow) -> str:
    """The offer of one attempt: printable, at most `MAX_OFFER_ID` characters; a retry is another offer."""
    name = work.workflow_id if work.retry is None else f"{work.workflow_id}{RETRY}{work.retry}"
    if len(name) <= MAX_OFFER_ID:
        return name
    return f"sha256-{hashlib.sha256(name.encode()).hexdigest()}"


def offered(view: View) -> str:
    """The offer that the goal is. Taking the time of a retry away makes no other attempt of it."""
    if view.goal is None:
        return ""
    same = view.agent if _is_same(view.goal, view.agent) else None
    return offer_id(same or view.goal)


def life_of(view: View, offer: str) -> Life:
    """How `offer` stands."""
    wanted = view.goal is not None and view.goal.action is Action.PROCESS and offered(view) == offer
    if is_told(view, offer) and not _runs(view.agent) and not (wanted and _was_cancelled(view.agent)):
        return Life.ENDED
    return Life.LIVE if wanted else Life.GONE


def is_told(view: View, offer: str) -> bool:
    """Whether it is `offer` that was reported of last."""
    return view.agent is not None and view.agent.workflow_id != "" and offer_id(view.agent) == offer


def ended_as(view: View, outcome: Outcome) -> bool:
    """Whether what was reported last is this end."""
    return view.standing is not None and view.standing.word == Word(outcome.value)


def stage_of(view: View) -> str:
    """The stage of the attempt that goes on: the one it began in, else the device's."""
    began = view.standing is not None and view.goal is not None and _is_same(view.goal, view.agent)
    return view.standing.stage if began and view.standing is not None else view.stage


def _goal(desired: Members) -> tuple[Goal | None, MalformedGoal | None]:
    try:
        return parse_goal(desired), None
    except MalformedGoal as fault:
        return fault.envelope, fault


def _known(view: View) -> Act:
    """An attempt of which something was reported already. One that was cancelled and is wanted again begins anew."""
    if _runs(view.agent):
        return Act.RESUME if view.fault is None else Act.REJECT
    if _was_cancelled(view.agent):
        return Act.BEGIN if view.fault is None else Act.REJECT
    return _answer_or_nothing(view)


def _runs(agent: AgentState | None) -> bool:
    return agent is not None and agent.state is State.IN_PROGRESS


def _was_cancelled(agent: AgentState | None) -> bool:
    return agent is not None and agent.state is State.IDLE and agent.result_code == CANCELLED


def _is_same(goal: Goal, agent: AgentState | None) -> bool:
    """Whether `agent` is of the same attempt; the service may take a retry's time away, but not the retry."""
    if agent is None or not goal.workflow_id or agent.workflow_id != goal.workflow_id:
        return False
    return goal.retry is None or goal.retry == agent.retry


def _acknowledged(reported: Members) -> int | None:
    component = reported.get(COMPONENT)
    service = component.get("service") if isinstance(component, Mapping) else None
    version = service.get("av") if isinstance(service, Mapping) else None
    return version if isinstance(version, int) else None

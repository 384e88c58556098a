"""What a device does about its twin, as a table: what is wanted against what was reported."""

from __future__ import annotations

import pytest

from adapters.azure.channel.goal_decision import Act, Life, decide, life_of, offer_id, offered, parse_view, stage_of
from adapters.azure.channel.telling import answered, begun, concluded, merged, refused, withdrawn
from adapters.azure.formats.component import in_progress
from adapters.azure.wire import ForeignUpdate, Word, parse_reported
from bridge.release.errors import FailureCode
from bridge.release.report import Outcome, Report

WORK = "1c9b8f2e-0d4e-4b0a-9d3c-000000000001"
OTHER = "1c9b8f2e-0d4e-4b0a-9d3c-000000000002"
RETRIED = "2026-11-22T10:00:00.000Z"
LATER = "2026-11-22T12:00:00.000Z"
STAGE = "ob-spring-1"


def wanted(workflow=WORK, retry=None, *, version=7, action=3, **changed):
    """Desired properties as Device Update writes them."""
    work = {"action": action, "id": workflow} | ({} if retry is None else {"retryTimestamp": retry})
    content = {"updateManifest": "{}", "updateManifestSignature": "a.b.c", "fileUrls": {}}
    service = {"workflow": work, **content, **changed}
    return {"deviceUpdate": {"__t": "c", "service": service}, "otabridge": {"stage": STAGE}, "$version": version}


def cancelled(workflow="nodeployment", *, version=8):
    """A cancellation as the service sends it: everything else is null, and no package is named."""
    nothing = {"updateManifest": None, "updateManifestSignature": None, "fileUrls": None}
    work = {"action": 255} | ({} if workflow is None else {"id": workflow})
    return {"deviceUpdate": {"__t": "c", "service": {"workflow": work, **nothing}}, "$version": version}


def told(state, workflow=WORK, retry=None, *, answered=7, code=1):
    """Reported properties of a device that stands at `state` of a workflow."""
    work = {"action": 3, "id": workflow} | ({} if retry is None else {"retryTimestamp": retry})
    agent = {"state": state, "workflow": work, "lastInstallResult": {"resultCode": code}}
    service = {"value": {}, "ac": 200, "ad": "", "av": answered}
    word = {6: "running", 0: "installed", 255: "failed"}[state]
    return {
        "deviceUpdate": {"__t": "c", "agent": agent, "service": service},
        "otabridge": {"standing": f"{STAGE}/{word}"},
    }


NOBODY = {"$version": 1}
DECISIONS = [
    ("no deployment was ever written", {"$version": 1}, NOBODY, Act.NOTHING),
    ("a new deployment", wanted(), NOBODY, Act.BEGIN),
    ("a new one after another was installed", wanted(), told(0, OTHER), Act.BEGIN),
    ("a new one while another runs", wanted(), told(6, OTHER), Act.BEGIN),
    ("the agent was restarted in the middle", wanted(), told(6), Act.RESUME),
    ("the same goal is written again in the middle", wanted(version=9), told(6), Act.RESUME),
    ("installed, restarted", wanted(), told(0), Act.NOTHING),
    ("failed, restarted", wanted(), told(255), Act.NOTHING),
    ("installed, and the goal comes again", wanted(version=9), told(0), Act.ANSWER),
    ("failed, and the goal comes again", wanted(version=9), told(255), Act.ANSWER),
    ("failed, and retried", wanted(retry=RETRIED), told(255), Act.BEGIN),
    ("retried twice", wanted(retry=LATER), told(255, retry=RETRIED), Act.BEGIN),
    ("retried in the middle", wanted(retry=RETRIED), told(6), Act.BEGIN),
    ("the retry goes on after a restart", wanted(retry=RETRIED), told(6, retry=RETRIED), Act.RESUME),
    ("the time of a retry is taken away", wanted(), told(6, retry=RETRIED), Act.RESUME),
    ("cancelled before anything", cancelled(), NOBODY, Act.ANSWER),
    ("cancelled and answered", cancelled(), told(0, answered=8), Act.NOTHING),
    ("cancelled in the middle", cancelled(), told(6), Act.WITHDRAW),
    ("cancelled by its own id", cancelled(WORK), told(6), Act.WITHDRAW),
    ("cancelled without any id", cancelled(None), told(6), Act.WITHDRAW),
    ("cancelled, and wanted again", wanted(version=9), told(0, code=-1), Act.BEGIN),
    ("cancelled, and wanted again without a manifest", wanted(updateManifest=None), told(0, code=-1), Act.REJECT),
    ("cancelled after the end", cancelled(), told(0), Act.ANSWER),
    ("no manifest", wanted(updateManifest=None), NOBODY, Act.REJECT),
    ("no manifest, reported already", wanted(updateManifest=None), told(255), Act.NOTHING),
    ("an action of the past", wanted(action=1), NOBODY, Act.NOTHING),
]


@pytest.mark.parametrize(
    ("desired", "reported", "act"), [row[1:] for row in DECISIONS], ids=[row[0] for row in DECISIONS]
)
def test_the_twin_decides(desired, reported, act):
    """Begun once, offered again until it ends, reported once, acknowledged once a version."""
    assert decide(parse_view(desired, reported)) is act


LIVES = [
    ("wanted and running", wanted(), told(6), Life.LIVE),
    ("wanted, and the report that it began was lost", wanted(), NOBODY, Life.LIVE),
    ("ended", wanted(), told(0), Life.ENDED),
    ("ended, and cancelled later", cancelled(), told(255), Life.ENDED),
    ("cancelled", cancelled(), told(6), Life.GONE),
    ("cancelled, and told so", cancelled(), told(0, code=-1), Life.ENDED),
    ("cancelled, and wanted again", wanted(), told(0, code=-1), Life.LIVE),
    ("replaced", wanted(OTHER), told(6), Life.GONE),
    ("retried", wanted(retry=RETRIED), told(6), Life.GONE),
    ("nothing is wanted any more", {"$version": 9}, told(6), Life.GONE),
]


@pytest.mark.parametrize(("desired", "reported", "life"), [row[1:] for row in LIVES], ids=[row[0] for row in LIVES])
def test_an_offer_lives_while_the_goal_is_the_same(desired, reported, life):
    """What renew, progress and conclude go by."""
    assert life_of(parse_view(desired, reported), WORK) is life


def test_a_retry_is_another_offer():
    """The agent's journal must not take it for the attempt that failed."""
    view = parse_view(wanted(retry=RETRIED), told(255))

    assert offered(view) == f"{WORK}#{RETRIED}"


def test_an_offer_keeps_its_name_when_the_time_of_a_retry_is_taken_away():
    """The journal knows it by that name."""
    view = parse_view(wanted(), told(6, retry=RETRIED))

    assert offered(view) == f"{WORK}#{RETRIED}"
    assert life_of(view, f"{WORK}#{RETRIED}") is Life.LIVE


def test_the_name_of_an_offer_is_bounded():
    """Whatever the service calls a workflow."""
    long = parse_view(wanted("w" * 250, "t" * 120), NOBODY).goal
    other = parse_view(wanted("w" * 250, "u" * 120), NOBODY).goal

    assert len(offer_id(long)) == 71
    assert offer_id(long) != offer_id(other)


def test_an_attempt_counts_in_the_stage_it_began_in():
    """A device that is moved while it installs still ends its old stage."""
    desired = wanted() | {"otabridge": {"stage": "ob-next-1"}}

    assert stage_of(parse_view(desired, told(6))) == STAGE
    assert stage_of(parse_view(desired, told(0, OTHER))) == "ob-next-1"


def apply(reported, patch):
    """The hub's merge: null removes."""
    both = merged(reported, patch)
    return {
        name: apply({}, value) if isinstance(value, dict) else value
        for name, value in both.items()
        if value is not None
    }


def test_each_turn_leaves_a_twin_in_which_it_is_over():
    """Begin, and after it only offer again; end, and after it nothing at all."""
    desired = wanted()
    view = parse_view(desired, NOBODY)
    reported = apply(NOBODY, begun(view, view.goal))
    assert decide(parse_view(desired, reported)) is Act.RESUME

    view = parse_view(desired, reported)
    failed = Report(Outcome.FAILED, "a", "1.0.0", FailureCode.DOWNLOAD, "the server hung up")
    reported = apply(reported, concluded(view, view.goal, failed, ()))

    assert decide(parse_view(desired, reported)) is Act.NOTHING
    assert answered(parse_view(desired, reported)) == {}
    standing, said = parse_reported(reported)
    assert (standing.stage, standing.word, said) == (STAGE, Word.FAILED, failed)


def test_a_refusal_leaves_a_twin_in_which_it_is_over():
    """Reported once, with its code, and acknowledged."""
    desired = wanted()
    view = parse_view(desired, NOBODY)
    reported = apply(NOBODY, refused(view, view.goal, ForeignUpdate("for microsoft/apt:1")))

    assert decide(parse_view(desired, reported)) is Act.NOTHING
    agent = reported["deviceUpdate"]["agent"]
    assert agent["state"] == 255
    assert agent["lastInstallResult"]["extendedResultCodes"] == "3200006B"
    assert agent["lastInstallResult"]["resultDetails"] == "for microsoft/apt:1"
    assert "stepResults" not in agent["lastInstallResult"]


def test_a_withdrawal_leaves_a_twin_in_which_it_is_over():
    """State 0 with the code of a cancellation, for the workflow that was cancelled."""
    desired = cancelled()
    view = parse_view(desired, told(6))
    reported = apply(told(6), withdrawn(view, view.agent))

    assert decide(parse_view(desired, reported)) is Act.NOTHING
    agent = reported["deviceUpdate"]["agent"]
    assert (agent["state"], agent["lastInstallResult"]["resultCode"], agent["workflow"]["id"]) == (0, -1, WORK)
    assert reported["otabridge"]["standing"] == f"{STAGE}/withdrawn"
    assert reported["deviceUpdate"]["service"]["av"] == 8


def test_beginning_erases_what_an_earlier_attempt_left():
    """Or its steps and details would be read as those of this one."""
    view = parse_view(wanted(), told(255, OTHER))

    patch = begun(view, view.goal)

    assert patch["deviceUpdate"]["agent"]["lastInstallResult"]["stepResults"] is None
    assert patch["otabridge"]["said"]["outcome"] is None
    assert merged(patch, in_progress(view.goal)) == patch

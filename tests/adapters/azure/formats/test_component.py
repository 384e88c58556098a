"""The component `deviceUpdate`: what the service wants is read, and what devices report."""

from __future__ import annotations

import re

import pytest
from hypothesis import given

from adapters.azure.formats.component import (
    Action,
    AgentState,
    Goal,
    MalformedGoal,
    State,
    acknowledged,
    failed,
    parse_agent,
    parse_goal,
)
from adapters.azure.wire import MalformedUpdate, UpdateId
from tests.adapters.azure.formats.hostile import spoilt, values
from tests.adapters.azure.formats.published import deployment, needs_samples

ID = "11111111-2222-3333-4444-555555555555"
RETRY = "2026-11-22T10:00:00.0000000Z"
URL = "http://inst--acct.b.nlu.dl.adu.microsoft.com/westeurope/file.bin"
PACKAGE_URL = "http://inst--acct.b.nlu.dl.adu.microsoft.com/WestEurope/rootkeypackages/rootkeypackage-2.json"
SERVICE = {
    "workflow": {"action": 3, "id": ID, "retryTimestamp": RETRY},
    "updateManifest": "{}",
    "updateManifestSignature": "a.b.c",
    "fileUrls": {"f0123456789abcdef": URL},
    "rootKeyPackageUrl": PACKAGE_URL,
}
DESIRED = {"deviceUpdate": {"__t": "c", "service": SERVICE}, "$version": 12}
IDLE = {
    "workflow": {"action": 255, "id": "nodeployment"},
    "updateManifest": None,
    "updateManifestSignature": None,
    "fileUrls": None,
}
FIRST = Goal(Action.PROCESS, ID, None, "{}", "a.b.c", {}, None, 12, {})
UPDATE = UpdateId("contoso", "video", "1.2")


def desired(**service):
    """Desired properties with other members of `service`; None takes one out."""
    changed = {**SERVICE, **service}
    return {
        "deviceUpdate": {"service": {name: value for name, value in changed.items() if value is not None}},
        "$version": 12,
    }


def test_a_deployment_is_a_goal():
    """Every field of it."""
    assert parse_goal(DESIRED) == Goal(
        action=Action.PROCESS,
        workflow_id=ID,
        retry=RETRY,
        manifest="{}",
        signature="a.b.c",
        urls={"f0123456789abcdef": URL},
        root_key_package_url=PACKAGE_URL,
        version=12,
        received=SERVICE,
    )


def test_a_goal_needs_no_root_key_package_and_no_urls():
    """Older contract models are sent none (upstream #661); its files may all be known."""
    goal = parse_goal(desired(rootKeyPackageUrl=None, fileUrls=None))

    assert goal is not None
    assert (goal.root_key_package_url, goal.urls) == (None, {})


@pytest.mark.parametrize("service", [IDLE, {"workflow": {"action": 255}}, {**SERVICE, "workflow": {"action": 255}}])
def test_a_cancellation_is_a_goal(service):
    """As it is really sent: id `nodeployment`, nulls, no root key package (upstream #678); or without any id."""
    goal = parse_goal({"deviceUpdate": {"service": service}, "$version": 13})

    assert goal is not None
    assert (goal.action, goal.workflow_id) == (Action.CANCEL, service["workflow"].get("id", ""))
    assert (goal.manifest, goal.signature, goal.urls, goal.version) == (None, None, {}, 13)


@needs_samples
def test_what_the_service_really_sent_is_a_goal():
    """The URLs of child updates with it."""
    service = deployment()
    goal = parse_goal({"deviceUpdate": {"__t": "c", "service": service}, "$version": 4})

    assert goal is not None
    assert (goal.manifest, goal.signature) == (service["updateManifest"], service["updateManifestSignature"])
    assert len(goal.urls) == 4


@pytest.mark.parametrize("twin", [{}, {"$version": 1}, {"deviceUpdate": {"__t": "c"}}, {"deviceUpdate": None}])
def test_without_a_word_of_the_service_there_is_no_goal(twin):
    """Before the first deployment."""
    assert parse_goal(twin) is None


@pytest.mark.parametrize(
    ("twin", "said", "can_answer"),
    [
        ({"deviceUpdate": {"service": SERVICE}}, "desired $version is no integer", False),
        ({"deviceUpdate": {"service": SERVICE}, "$version": True}, "desired $version is no integer", False),
        ({"deviceUpdate": {"service": "x"}, "$version": 1}, "service is no object but str", False),
        (desired(workflow=None), "missing required field `workflow`", False),
        (desired(workflow={"action": 0, "id": ID}), "workflow.action: 0 is not a valid Action; 3 and 255", False),
        (desired(workflow={"action": 1, "id": ID}), "1 is not a valid Action", False),
        (desired(workflow={"action": 2, "id": ID}), "2 is not a valid Action", False),
        (desired(workflow={"action": "3", "id": ID}), "`$.workflow.action`", False),
        (desired(workflow={"action": 3, "id": "a\nb"}), "`$.workflow.id`", False),
        (desired(workflow={"action": 3, "id": "a" * 257}), "`$.workflow.id`", False),
        (desired(workflow={"action": 3}), "workflow.id is missing", True),
        (desired(updateManifest=None), "updateManifest", True),
        (desired(updateManifestSignature=None), "updateManifestSignature", True),
        (desired(updateManifest="x" * 65_537), "`$.updateManifest`", True),
        (desired(fileUrls={f"f{n}": URL for n in range(257)}), "`$.fileUrls`", True),
        (desired(fileUrls={"f": "u" * 8193}), "`$.fileUrls[...]`", True),
        (desired(rootKeyPackageUrl=7), "`$.rootKeyPackageUrl`", True),
    ],
)
def test_a_malformed_goal_is_refused_by_name(twin, said, can_answer):
    """With as much of it as an answer needs, where that much can be read."""
    with pytest.raises(MalformedGoal, match=re.escape(said)) as caught:
        parse_goal(twin)
    assert isinstance(caught.value, MalformedUpdate)
    assert (caught.value.envelope is not None) == can_answer


def test_a_malformed_goal_can_be_answered():
    """Failed and acknowledged, by its own id and version."""
    with pytest.raises(MalformedGoal) as caught:
        parse_goal(desired(updateManifest=None))

    envelope = caught.value.envelope
    assert envelope is not None
    assert parse_agent(failed(envelope, "32000064", "why")) == AgentState(State.FAILED, ID, RETRY, 0, "32000064")
    assert acknowledged(envelope)["deviceUpdate"]["service"]["av"] == 12


@given(spoilt(DESIRED))
def test_a_spoilt_goal_is_read_or_refused(twin):
    """One value anywhere replaced or taken out."""
    try:
        goal = parse_goal(twin)
    except MalformedUpdate:
        return
    assert goal is None or isinstance(goal.action, Action)


@given(values)
def test_any_json_is_read_or_refused(value):
    """In the place of the component and of its parts."""
    for twin in ({"deviceUpdate": value, "$version": 1}, {"deviceUpdate": {"service": value}, "$version": 1}):
        try:
            assert parse_goal(twin) is None
        except MalformedUpdate as error:
            assert str(error).startswith("desired ")  # noqa: PT017 - reading it as nothing is as good
    assert parse_agent({"deviceUpdate": {"agent": value}}) is None


def test_half_of_a_surrogate_pair_is_refused():
    """JSON can spell it, a twin may carry it."""
    with pytest.raises(MalformedUpdate):
        parse_goal(desired(workflow={"action": 3, "id": "\ud800"}))


@pytest.mark.parametrize(
    ("agent", "state"),
    [
        ({"state": 0}, AgentState(State.IDLE, "", None, None, "")),
        ({"state": 6, "workflow": {"action": 3, "id": ID}}, AgentState(State.IN_PROGRESS, ID, None, None, "")),
        (
            {"state": 255, "lastInstallResult": {"resultCode": 0, "extendedResultCode": 805306369, "stepResults": {}}},
            AgentState(State.FAILED, "", None, 0, ""),
        ),
        ({"state": 1}, None),
        ({"state": "0"}, None),
        ({}, None),
        ({"state": 0, "workflow": "x"}, None),
    ],
)
def test_what_other_agents_reported_is_read_or_passed_over(agent, state):
    """Interface 1 had an integer for the codes."""
    assert parse_agent({"deviceUpdate": {"__t": "c", "agent": agent}}) == state

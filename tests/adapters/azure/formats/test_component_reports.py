"""What a device reports of a deployment: in the shapes of Microsoft's agent, and nothing of an earlier one stays."""

from __future__ import annotations

import copy
import json
import re

import pytest

from adapters.azure.formats.component import (
    CONTRACT_MODEL_ID,
    MODEL_ID,
    Action,
    AgentState,
    Goal,
    State,
    acknowledged,
    cancelled,
    failed,
    in_progress,
    parse_agent,
    parse_goal,
    startup_report,
    succeeded,
)
from adapters.azure.formats.results import ROOT_KEYS_UNCHANGED
from adapters.azure.formats.twin_limits import check_twin_patch
from adapters.azure.wire import UpdateId
from adapters.violations import BrokenLimits
from tests.adapters.azure.formats.published import load, needs_samples
from tests.adapters.azure.formats.twin import merged

ID = "11111111-2222-3333-4444-555555555555"
RETRY = "2026-11-22T10:00:00.0000000Z"
RETRIED = Goal(
    action=Action.PROCESS,
    workflow_id=ID,
    retry=RETRY,
    manifest="{}",
    signature="a.b.c",
    urls={},
    root_key_package_url=None,
    version=12,
    received={
        "workflow": {"action": 3, "id": ID, "retryTimestamp": RETRY},
        "updateManifest": "{}",
        "updateManifestSignature": "a.b.c",
        "fileUrls": {"f0123456789abcdef": "http://inst--acct.b.nlu.dl.adu.microsoft.com/westeurope/file.bin"},
    },
)
FIRST = Goal(Action.PROCESS, ID, None, "{}", "a.b.c", {}, None, 12, {})
UPDATE = UpdateId("contoso", "video", "1.2")

REPORTED = {
    "reported_startup": lambda: startup_report(
        {"manufacturer": "contoso", "model": "video", "aduVer": "DU;agent/1.1.0"}
    ),
    "reported_in_progress": lambda: in_progress(FIRST),
    "reported_failure": lambda: failed(FIRST, "32000001", "why"),
    "reported_canceled": lambda: cancelled(FIRST),
}


@needs_samples
@pytest.mark.parametrize("name", REPORTED)
def test_reports_have_the_shape_of_microsofts_agent(name):
    """One thing more: the time of an earlier retry is erased, which Microsoft's agent leaves in the twin."""
    expected = load("synthetic_twin_examples.json")[name]
    if "workflow" in expected["deviceUpdate"]["agent"]:
        expected["deviceUpdate"]["agent"]["workflow"]["retryTimestamp"] = None

    assert REPORTED[name]() == expected


@needs_samples
def test_success_and_answer_have_the_shape_of_microsofts_agent():
    """Of one step, where the example has two; and the answer echoes what was received."""
    examples = load("synthetic_twin_examples.json")
    success = copy.deepcopy(examples["reported_success"])
    del success["deviceUpdate"]["agent"]["lastInstallResult"]["stepResults"]["step_1"]
    success["deviceUpdate"]["agent"]["workflow"]["retryTimestamp"] = None
    goal = parse_goal(examples["desired_deployment"])
    ack = copy.deepcopy(examples["reported_ack"])
    ack["deviceUpdate"]["service"]["value"].update(
        {
            name: examples["desired_deployment"]["deviceUpdate"]["service"][name]
            for name in ("workflow", "updateManifest", "rootKeyPackageUrl")
        }
    )

    assert succeeded(FIRST, UPDATE, (ROOT_KEYS_UNCHANGED,)) == success
    assert goal is not None
    assert acknowledged(goal) == ack


def test_the_whole_story_of_a_deployment():
    """Patch by patch, as the hub keeps them: what an earlier agent has left is gone."""
    goal = RETRIED
    step = {"resultCode": 700, "extendedResultCodes": "00000000", "resultDetails": ""}
    left = {"stepResults": {"step_0": step, "step_1": step}, "resultCode": 700, "extendedResultCodes": "00000000"}
    twin = {"deviceUpdate": {"__t": "c", "agent": {"state": 0, "lastInstallResult": left}}}

    twin = merged(twin, in_progress(goal))
    assert twin["deviceUpdate"]["agent"] == {
        "state": 6,
        "workflow": {"action": 3, "id": ID, "retryTimestamp": RETRY},
        "lastInstallResult": {"resultCode": 1, "extendedResultCodes": "00000000"},
    }
    assert parse_agent(twin) == AgentState(State.IN_PROGRESS, ID, RETRY, 1, "00000000")

    twin = merged(twin, succeeded(goal, UPDATE))
    assert twin["deviceUpdate"]["agent"] == {
        "state": 0,
        "workflow": {"action": 3, "id": ID, "retryTimestamp": RETRY},
        "lastInstallResult": {**step, "stepResults": {"step_0": step}},
        "installedUpdateId": '{"provider":"contoso","name":"video","version":"1.2"}',
    }

    twin = merged(twin, acknowledged(goal))
    assert twin["deviceUpdate"]["service"] == {
        "value": {name: RETRIED.received[name] for name in ("workflow", "updateManifest")},
        "ac": 200,
        "ad": "",
        "av": 12,
    }
    for patch in (in_progress(goal), succeeded(goal, UPDATE), acknowledged(goal), cancelled(goal)):
        check_twin_patch(patch, current=twin)


def test_a_first_attempt_does_not_inherit_the_retry_of_another():
    """Else a device would take its own new deployment for one that it has not finished."""
    twin = merged({}, failed(RETRIED, "3200012C", "no space"))

    twin = merged(twin, in_progress(Goal(Action.PROCESS, "other", None, "{}", "a.b.c", {}, None, 13, {})))

    assert parse_agent(twin) == AgentState(State.IN_PROGRESS, "other", None, 1, "00000000")


def test_a_failure_keeps_the_update_that_is_still_installed():
    """The old slot runs: the id reported before stays true. Details are cut and cleaned."""
    twin = merged({}, succeeded(FIRST, UPDATE))

    twin = merged(twin, failed(FIRST, "3200012C", "line\n" + "x" * 5000))

    agent = twin["deviceUpdate"]["agent"]
    assert (agent["state"], agent["installedUpdateId"]) == (255, str(UPDATE))
    assert agent["lastInstallResult"]["resultDetails"] == "line?" + "x" * 995
    assert agent["lastInstallResult"]["stepResults"]["step_0"]["extendedResultCodes"] == "3200012C"


def test_a_failure_before_any_step_has_no_steps():
    """What earlier ones have left is erased: a goal for somebody else had never one of ours."""
    twin = merged(merged({}, succeeded(FIRST, UPDATE)), failed(FIRST, "3200006B", "foreign", step_ran=False))

    assert "stepResults" not in twin["deviceUpdate"]["agent"]["lastInstallResult"]


def test_the_model_is_the_one_that_the_service_deploys_to():
    """As published; the agent's own interface belongs to it."""
    assert (MODEL_ID, CONTRACT_MODEL_ID) == (
        "dtmi:azure:iot:deviceUpdateModel;3",
        "dtmi:azure:iot:deviceUpdateContractModel;3",
    )


@needs_samples
def test_the_models_are_published():
    """In files of the plug and play repository."""
    assert load("dtdl/deviceupdatemodel-3.json")["@id"] == MODEL_ID
    assert load("dtdl/deviceupdatecontractmodel-3.json")["@id"] == CONTRACT_MODEL_ID


@pytest.mark.parametrize(
    ("about", "said"),
    [
        ({"manufacturer": "contoso"}, "model: missing"),
        ({"manufacturer": "", "model": "video"}, "manufacturer: missing"),
        ({"manufacturer": "c" * 65, "model": "video"}, "manufacturer: 'ccc"),
        ({"manufacturer": "contoso", "model": "video", "n" * 32: "x"}, "has 1 to 31 characters"),
    ],
)
def test_a_device_that_the_service_could_not_class_is_refused(about, said):
    """By the name of the property."""
    with pytest.raises(BrokenLimits, match=re.escape(said)):
        startup_report(about)


def test_every_report_is_json():
    """Nothing in a patch needs an encoder of its own."""
    for patch in (in_progress(FIRST), succeeded(FIRST, UPDATE), failed(FIRST, "32000064", ""), cancelled(FIRST)):
        assert json.loads(json.dumps(patch)) == patch

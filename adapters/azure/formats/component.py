"""The component `deviceUpdate` of a device's twin: what the service wants, and what a device reports of it. Pure.

Source: the interface `dtmi:azure:iot:deviceUpdate;2`, and Microsoft's agent where the interface says nothing. Every
patch here is a whole patch of reported properties.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Annotated, Protocol

import msgspec

from adapters.azure.formats.results import CANCELLED, FAILURE, IN_PROGRESS, NO_EXTENDED, SUCCESS
from adapters.azure.formats.twin_limits import shorten
from adapters.azure.wire import MalformedUpdate, UpdateId
from adapters.violations import BrokenLimits, Violation
from bridge.release.manifest import PRINTABLE

MODEL_ID = "dtmi:azure:iot:deviceUpdateModel;3"
"""Announced when the device connects."""
CONTRACT_MODEL_ID = "dtmi:azure:iot:deviceUpdateContractModel;3"
COMPONENT = "deviceUpdate"
NO_DEPLOYMENT = "nodeployment"
"""The workflow id of a cancellation that means: this device has no deployment."""
COMPATIBILITY = ("manufacturer", "model")
"""The properties of a device that the compatibility of an update is held against."""
MAX_PROPERTY_NAME = 32
MAX_PROPERTY_VALUE = 64
MAX_URLS = 256
MAX_URL = 8192
MAX_MANIFEST = 64 * 1024

Twin = Mapping[str, object]
Patch = dict[str, object]


class Action(IntEnum):
    """What the service wants; 0 to 2 belong to agents of the past."""

    PROCESS = 3
    CANCEL = 255


class State(IntEnum):
    """Where a device stands, as the service tells it apart."""

    IDLE = 0
    IN_PROGRESS = 6
    FAILED = 255


class Workflow(Protocol):
    """One attempt at one deployment; `retry` is the time of the retry, None at the first attempt."""

    @property
    def workflow_id(self) -> str:
        """The deployment's id for this device."""

    @property
    def retry(self) -> str | None:
        """A date and time, compared as text only."""


@dataclass(frozen=True, slots=True)
class Goal:
    """What desired properties want of this device. Nothing in it is trusted before its signature is verified.

    `workflow_id` is "" where a cancellation names none. Of action PROCESS `manifest` and `signature` are never None.
    `urls` are by file id, those of child updates too. `version` is that of the desired properties, for the answer, as
    is `received`: the component's `service` as it came.
    """

    action: Action
    workflow_id: str
    retry: str | None
    manifest: str | None
    signature: str | None
    urls: Mapping[str, str]
    root_key_package_url: str | None
    version: int
    received: Mapping[str, object]


class MalformedGoal(MalformedUpdate):
    """Desired properties that no agent can follow.

    `envelope` is as much of the goal as an answer needs; None where even action, id or version make no sense.
    """

    def __init__(self, message: str, envelope: Goal | None = None) -> None:
        super().__init__(message)
        self.envelope = envelope


@dataclass(frozen=True, slots=True)
class AgentState:
    """What a device has reported last: the hub's own copy, that of another agent perhaps.

    `result_code` is None where there is none; `extended` the codes as text, "" where they are none of this form.
    """

    state: State
    workflow_id: str
    retry: str | None
    result_code: int | None
    extended: str


def parse_goal(desired: Twin) -> Goal | None:
    """What `desired`, the whole desired properties with `$version`, want; None where Device Update wrote nothing.

    Raises:
        MalformedGoal: a MalformedUpdate that names the field.
    """
    component = desired.get(COMPONENT)
    received = component.get("service") if isinstance(component, Mapping) else None
    if received is None:
        return None
    if not isinstance(received, Mapping):
        raise MalformedGoal(f"desired {COMPONENT}.service is no object but {type(received).__name__}")
    envelope = _envelope(received, desired.get("$version"))
    return envelope if envelope.action is Action.CANCEL else _with_content(envelope)


def parse_agent(reported: Twin) -> AgentState | None:
    """What a device reported; None where it reported nothing yet, or nothing that makes sense."""
    component = reported.get(COMPONENT)
    try:
        agent = msgspec.convert(component, _Component).agent
        state = State(agent.state)
    except (msgspec.ValidationError, UnicodeError, ValueError):
        return None
    work, result = agent.workflow or _EchoWire(), agent.last_install_result or _ResultWire()
    codes = result.extended_result_codes
    return AgentState(state, work.id or "", work.retry_timestamp, result.result_code, codes or "")


def startup_report(about: Mapping[str, str]) -> Patch:
    """Who this device is, once a process. `about` holds `manufacturer` and `model`; `aduVer` and others may follow.

    Raises: BrokenLimits, naming the field.
    """
    found = tuple(_broken_properties(about))
    if found:
        raise BrokenLimits(found)
    properties = {**about, "interfaceId": None, "contractModelId": CONTRACT_MODEL_ID}
    return _patch("agent", {"deviceProperties": properties, "compatPropertyNames": ",".join(COMPATIBILITY)})


def in_progress(work: Workflow) -> Patch:
    """The work has begun: to be reported once for each attempt. Erases what earlier steps have left."""
    result = {**_result(IN_PROGRESS, NO_EXTENDED, None), "stepResults": None}
    return _agent(State.IN_PROGRESS, work, result)


def succeeded(work: Workflow, update_id: UpdateId, extra: tuple[str, ...] = ()) -> Patch:
    """The update is installed; `extra` are extended codes for information, such as ROOT_KEYS_UNCHANGED."""
    step = _result(SUCCESS, NO_EXTENDED, "")
    result = {**_result(SUCCESS, ",".join((NO_EXTENDED, *extra)), ""), "stepResults": {"step_0": step}}
    return _agent(State.IDLE, work, result, {"installedUpdateId": str(update_id)})


def failed(work: Workflow, extended: str, details: str, *, step_ran: bool = True) -> Patch:
    """The attempt failed. The id of an update installed before stays: it is still what the device holds.

    Not `step_ran`: it failed before its step, or its goal has none; what earlier steps have left is erased.
    """
    result = _result(FAILURE, extended, shorten(details))
    steps = {"step_0": dict(result)} if step_ran else None
    return _agent(State.FAILED, work, {**result, "stepResults": steps})


def cancelled(work: Workflow) -> Patch:
    """The attempt ended because the service withdrew it."""
    return _agent(State.IDLE, work, {**_result(CANCELLED, NO_EXTENDED, ""), "stepResults": None})


def unknown_update() -> Patch:
    """The device runs another update than the one reported, and cannot say which: its id was withdrawn with the goal.

    The service counts a device without an id as one that has no update of its own.
    """
    return _patch("agent", {"installedUpdateId": None})


def acknowledged(goal: Goal) -> Patch:
    """The answer to a writable property, after acting on it: the value without what would fill the twin."""
    value = {**goal.received, "updateManifestSignature": None, "fileUrls": None}
    return _patch("service", {"value": value, "ac": 200, "ad": "", "av": goal.version})


_LINE = PRINTABLE.replace("]*", r"\ud800-\udfff]*")
"""Without halves of surrogate pairs too, which the text of a twin may hold and no report may."""
_Id = Annotated[str, msgspec.Meta(min_length=1, max_length=256, pattern=_LINE)]
_Time = Annotated[str, msgspec.Meta(max_length=128, pattern=_LINE)]
_Url = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_URL, pattern=_LINE)]


class _WorkflowWire(msgspec.Struct, frozen=True, rename="camel"):
    action: int
    id: _Id | None = None
    retry_timestamp: _Time | None = None


class _EnvelopeWire(msgspec.Struct, frozen=True):
    workflow: _WorkflowWire


class _ContentWire(msgspec.Struct, frozen=True, rename="camel"):
    update_manifest: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_MANIFEST)]
    update_manifest_signature: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_MANIFEST)]
    file_urls: Annotated[dict[_Id, _Url | None], msgspec.Meta(max_length=MAX_URLS)] | None = None
    root_key_package_url: _Url | None = None


class _EchoWire(msgspec.Struct, frozen=True, rename="camel"):
    id: _Id | None = None
    retry_timestamp: _Time | None = None


class _ResultWire(msgspec.Struct, frozen=True, rename="camel"):
    result_code: int | None = None
    extended_result_codes: Annotated[str, msgspec.Meta(max_length=128, pattern=_LINE)] | None = None


class _AgentWire(msgspec.Struct, frozen=True, rename="camel"):
    state: int
    workflow: _EchoWire | None = None
    last_install_result: _ResultWire | None = None


class _Component(msgspec.Struct, frozen=True):
    agent: _AgentWire


def _envelope(received: Twin, version: object) -> Goal:
    """A goal without its content."""
    if isinstance(version, bool) or not isinstance(version, int):
        raise MalformedGoal(f"desired $version is no integer but {type(version).__name__}")
    try:
        work = msgspec.convert(received, _EnvelopeWire).workflow
        action = Action(work.action)
    except (msgspec.ValidationError, UnicodeError) as error:
        raise MalformedGoal(f"desired {COMPONENT}.service: {error}") from error
    except ValueError as error:
        raise MalformedGoal(f"desired {COMPONENT}.service.workflow.action: {error}; 3 and 255 are read") from error
    return Goal(action, work.id or "", work.retry_timestamp, None, None, {}, None, version, received)


def _with_content(envelope: Goal) -> Goal:
    if not envelope.workflow_id:
        raise MalformedGoal(f"desired {COMPONENT}.service.workflow.id is missing", envelope)
    try:
        content = msgspec.convert(envelope.received, _ContentWire)
    except (msgspec.ValidationError, UnicodeError) as error:
        raise MalformedGoal(f"desired {COMPONENT}.service: {error}", envelope) from error
    return Goal(
        action=envelope.action,
        workflow_id=envelope.workflow_id,
        retry=envelope.retry,
        manifest=content.update_manifest,
        signature=content.update_manifest_signature,
        urls={file_id: url for file_id, url in (content.file_urls or {}).items() if url is not None},
        root_key_package_url=content.root_key_package_url,
        version=envelope.version,
        received=envelope.received,
    )


def _patch(part: str, value: Patch) -> Patch:
    """`__t` marks a component of a Plug and Play model."""
    return {COMPONENT: {"__t": "c", part: value}}


def _agent(state: State, work: Workflow, result: Patch, more: Mapping[str, str] | None = None) -> Patch:
    echo = {"action": int(Action.PROCESS), "id": work.workflow_id, "retryTimestamp": work.retry}
    return _patch("agent", {"lastInstallResult": result, "state": int(state), "workflow": echo, **(more or {})})


def _result(code: int, extended: str, details: str | None) -> Patch:
    return {"resultCode": code, "extendedResultCodes": extended, "resultDetails": details}


def _broken_properties(about: Mapping[str, str]) -> list[Violation]:
    found = [
        Violation(name, "missing", "Device Update tells devices apart by it")
        for name in COMPATIBILITY
        if not about.get(name)
    ]
    for name, value in about.items():
        if not 0 < len(name) < MAX_PROPERTY_NAME:
            found.append(Violation(ascii(name)[:80], "a name", f"has 1 to {MAX_PROPERTY_NAME - 1} characters"))
        if len(value) > MAX_PROPERTY_VALUE:
            found.append(Violation(name, ascii(value)[:80], f"has at most {MAX_PROPERTY_VALUE} characters"))
    return found

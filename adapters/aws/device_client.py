"""Job documents for AWS's own agent, the AWS IoT Device Client (schema version "1.0"). Pure.

It runs a list of steps and knows nothing of releases. What it does with a document, by its source
(`source/jobs/JobDocument.cpp` and `JobEngine.cpp` in `awslabs/aws-iot-device-client`) and its sample handlers:

- a handler must lie in the device's handler directory (`path` "default") with mode 700, or the step fails;
- the user that a step is to run as is the handler's first argument; `download-file.sh` takes a URL and a path then;
- `includeStdOut` and `ignoreStepFailure` count only as text;
- a document without `version`, `steps`, or a name and type for each of them, is rejected.

`download-file.sh` checks nothing that it has downloaded, so a step of ours compares the digest before anything is run.
"""

from __future__ import annotations

import posixpath
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from adapters.violations import Violation

VERSION = "1.0"
DOWNLOAD = "download-file.sh"
"""A sample handler that AWS delivers with its client."""
HANDLER, COMMAND = "runHandler", "runCommand"
MOST_FAULTS = 20
_INPUTS = {HANDLER: "handler", COMMAND: "command"}


@dataclass(frozen=True, slots=True)
class Download:
    """A file that the device fetches: `url` as a placeholder, `path` on the device, `sha256` in lower-case hex."""

    url: str
    path: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Installation:
    """What is done with the files: `handler` is run with their paths and then `arguments`, as user `run_as`."""

    handler: str
    arguments: tuple[str, ...] = ()
    run_as: str = ""
    compared: bool = True


def render(downloads: Sequence[Download], installation: Installation) -> dict[str, object]:
    """The job document: each file is fetched, each is compared, and the handler runs on all of them."""
    steps = [_fetch(each, installation.run_as) for each in downloads]
    if installation.compared:
        steps += [_compare(each) for each in downloads]
    arguments = [*(each.path for each in downloads), *installation.arguments]
    steps.append(_step("Install", _handler(installation.handler, arguments), installation.run_as))
    return {"version": VERSION, "steps": steps}


def is_meant(value: Mapping[object, object]) -> bool:
    """Whether a job document is one for AWS's agent rather than for otabridge's."""
    return "schema" not in value and "version" in value


def violations(value: Mapping[object, object]) -> tuple[Violation, ...]:
    """What AWS's agent would reject the document for, or silently not do."""
    return tuple(_violations(value))[:MOST_FAULTS]


def _fetch(download: Download, run_as: str) -> dict[str, object]:
    name = f"Download {posixpath.basename(download.path)}"
    return _step(name, _handler(DOWNLOAD, [download.url, download.path]), run_as)


def _compare(download: Download) -> dict[str, object]:
    line = shlex.quote(f"{download.sha256}  {download.path}")
    command = ["sh", "-c", f"echo {line} | sha256sum --check --status"]
    action = {"name": f"Compare {posixpath.basename(download.path)}", "type": COMMAND}
    return {"action": {**action, "input": {"command": ",".join(word.replace(",", "\\,") for word in command)}}}


def _handler(handler: str, arguments: Sequence[str]) -> dict[str, object]:
    return {"handler": handler, "args": list(arguments), "path": "default"}


def _step(name: str, step_input: Mapping[str, object], run_as: str) -> dict[str, object]:
    user = {"runAsUser": run_as} if run_as else {}
    return {"action": {"name": name, "type": HANDLER, "input": dict(step_input), **user}}


def _violations(value: Mapping[object, object]) -> Iterator[Violation]:
    if value.get("version") != VERSION:
        yield Violation("version", repr(value.get("version"))[:80], f"AWS's device client reads {VERSION!r} only")
    if not isinstance(value.get("includeStdOut", ""), str):
        yield Violation("includeStdOut", repr(value["includeStdOut"])[:80], "counts only as text: 'true' or 'false'")
    steps = value.get("steps")
    if not isinstance(steps, list) or not steps:
        yield Violation("steps", repr(steps)[:80], "must be a list with at least one step")
        return
    for index, step in enumerate(steps):
        yield from _step_violations(f"steps[{index}]", step)
    if "finalStep" in value:
        yield from _step_violations("finalStep", value["finalStep"])


def _step_violations(field: str, step: object) -> Iterator[Violation]:
    action = step.get("action") if isinstance(step, Mapping) else None
    if not isinstance(action, Mapping):
        yield Violation(field, repr(step)[:80], "must hold an object `action`")
        return
    kind = action.get("type")
    if not isinstance(action.get("name"), str) or not action["name"]:
        yield Violation(f"{field}.action.name", repr(action.get("name"))[:80], "must be text")
    if kind not in _INPUTS:
        yield Violation(f"{field}.action.type", repr(kind)[:80], f"must be {HANDLER} or {COMMAND}")
    else:
        yield from _input_violations(f"{field}.action", action, _INPUTS[kind])
    if not isinstance(action.get("ignoreStepFailure", ""), str):
        yield Violation(f"{field}.action.ignoreStepFailure", "no text", "counts only as text: 'true' or 'false'")


def _input_violations(field: str, action: Mapping[object, object], member: str) -> Iterator[Violation]:
    given = action.get("input")
    content = given.get(member) if isinstance(given, Mapping) else None
    if not isinstance(content, str) or not content:
        yield Violation(f"{field}.input.{member}", repr(content)[:80], "must be text")
    arguments = given.get("args", []) if isinstance(given, Mapping) else []
    if not isinstance(arguments, list) or not all(isinstance(each, str) for each in arguments):
        yield Violation(f"{field}.input.args", repr(arguments)[:80], "must be a list of text")

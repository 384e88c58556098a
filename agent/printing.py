"""What a command prints of its result, for people or as JSON, and the exit code that goes with it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import assert_never

import msgspec

from agent.local.parts import LocalStatus
from agent.ports import Concluded, Halt, Idle, Postponed, Rebooting, SlotStatus, Status, Suspended
from agent.update.quarantine import often
from agent.update.record import Failure, Reset
from bridge.release.errors import EXIT_CODES
from bridge.release.report import Outcome, Report

FELL_BACK = 19
POSTPONED = 32
"""Somebody on the device wants the update later."""
REBOOT = os.EX_TEMPFAIL
"""75: the machine has to be restarted before the update can go on."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: `ok` with what was seen in `detail`, or what is wrong and what to do."""

    subject: str
    ok: bool
    detail: str


class Printer:
    """Prints results to stdout."""

    def __init__(self, *, json: bool) -> None:
        self._json = json

    def halt(self, halt: Halt) -> int:
        """Print what came of an update, and give its exit code."""
        document = {"step": type(halt).__name__.lower(), **msgspec.to_builtins(halt)}
        self._show(document, _halt_text(halt))
        return exit_code(halt)

    def status(self, status: Status, local: LocalStatus) -> None:
        """Print the state of the device, and what those on it have to do with an update."""
        document = {**msgspec.to_builtins(status), "permission": msgspec.to_builtins(local)}
        self._show(document, "\n".join((*_status_lines(status), *_local_lines(local))))

    def said(self, text: str) -> None:
        """Print what an answer means."""
        self._show({"answer": text}, text)

    def lifted(self, failures: Sequence[Failure]) -> int:
        """Print what nothing is held against any more; 0."""
        text = "\n".join(f"lifted     {_failure_text(each)}" for each in failures) or "nothing to lift: no fallbacks"
        self._show(msgspec.to_builtins(failures), text)
        return 0

    def findings(self, findings: Iterable[Finding]) -> int:
        """Print each finding as it comes; 1 when one is a fault, else 0."""
        seen = []
        for finding in findings:
            seen.append(finding)
            if not self._json:
                _say(f"{'ok   ' if finding.ok else 'fault'} {finding.subject}: {finding.detail}")
        if self._json:
            self._show(msgspec.to_builtins(seen), "")
        return 0 if all(finding.ok for finding in seen) else 1

    def _show(self, document: object, text: str) -> None:
        _say(msgspec.json.format(msgspec.json.encode(document)).decode() if self._json else text)


def exit_code(halt: Halt) -> int:
    """0 done, 1 failed, 10 to 18 and 33 refused, 19 fell back, 32 waits for permission, 75 restart first."""
    match halt:
        case Idle():
            return 0
        case Suspended():
            return 1
        case Postponed():
            return POSTPONED
        case Rebooting():
            return REBOOT
        case Concluded(report=report):
            return _report_code(report)
    assert_never(halt)


def _report_code(report: Report) -> int:
    if report.outcome is Outcome.INSTALLED:
        return 0
    if report.outcome is Outcome.FELL_BACK:
        return FELL_BACK
    return 1 if report.code is None else EXIT_CODES.get(report.code, 1)


def _halt_text(halt: Halt) -> str:
    match halt:
        case Idle():
            return "nothing to do: no offer"
        case Suspended(reason=reason):
            return f"interrupted: {reason}; the next run goes on where this one stopped"
        case Postponed(reason=reason):
            return f"waiting: {reason}; ask again later"
        case Rebooting():
            return "restart the machine: the update goes on after it"
        case Concluded(report=report, delivered=delivered):
            return report_text(report) + ("" if delivered else "\nthe cloud has not heard of it yet")
    assert_never(halt)


def report_text(report: Report) -> str:
    """How an update ended, in a line."""
    what = f"{report.outcome}: slot {report.slot} runs {report.version or 'an unknown version'}"
    return f"{what} ({report.detail})" if report.detail else what


def _status_lines(status: Status) -> Iterable[str]:
    yield f"version    {status.version or 'unknown'}"
    for slot in status.slots:
        yield f"slot {slot.slot}     {_slot_text(slot, status)}"
    yield f"state      {status.state}" + (f", offer {status.offer}" if status.offer else "")
    yield f"floor      {status.floor}"
    yield f"root       version {status.root_version}"
    yield f"fallbacks  {status.fallbacks}"
    if status.waiting:
        yield f"waiting    before {status.waiting.moment}: {status.waiting.by}: {status.waiting.reason}"
    if status.reset is not Reset.RESTART:
        yield f"reset      a {status.reset} caused this boot"
    for failure in status.failures:
        mark = "quarantine" if failure in status.quarantined else "failed    "
        yield f"{mark} {_failure_text(failure)}"
    if status.last:
        yield f"last       {report_text(status.last)}"
    if status.unsent:
        yield f"unsent     {status.unsent}: ends that the cloud has not heard of yet"
    if status.trouble:
        yield f"trouble    {status.trouble}"


def _local_lines(local: LocalStatus) -> Iterable[str]:
    if local.required:
        yield f"consent    before {', '.join(local.required)}; yes to: {', '.join(local.yes) or 'none'}"
    if local.refused:
        yield "consent    somebody said no"
    if local.put_off_until:
        yield f"put off    until {local.put_off_until:%Y-%m-%d %H:%M} UTC; {local.minutes_left} minutes are left"
    if local.window != "none":
        opens = f", opens {local.window_opens:%Y-%m-%d %H:%M} UTC" if local.window_opens else ""
        yield f"window     {local.window}{opens}"


def _failure_text(failure: Failure) -> str:
    what = f"{failure.release} {failure.version}".strip()
    return f"{what}: fell back {often(failure)}, last: {failure.detail}"


def _slot_text(slot: SlotStatus, status: Status) -> str:
    marks = [
        word
        for word, applies in (
            ("runs", slot.slot is status.booted),
            ("default", slot.slot is status.default),
            ("on trial", slot.slot is status.trial),
            ("committed", slot.committed),
        )
        if applies
    ]
    what = f"{slot.release} {slot.version}".strip() or "unknown"
    return f"{what} ({', '.join(marks)})" if marks else what


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()

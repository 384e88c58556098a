"""Releases that fell back on this device again and again are not tried once more. Pure: record in, record out.

A cloud can offer one release under any number of jobs, and each would cost a download, two restarts and a trial boot.
What is counted is what would come into the slot, by the name, sequence and image that the owner signed: another job,
or other signatures of the same, begin no new count. A newer release is another one; a person may lift the quarantine.
"""

from __future__ import annotations

import msgspec

from agent.update.record import Failure, Holding, Record
from bridge.release.errors import FailureCode, ReleaseError
from bridge.release.report import Outcome, Report

MAX_FAILURES = 8
"""Releases whose fallbacks are remembered; the one that fell back longest ago is forgotten first."""
MAX_DETAIL = 200
"""Characters kept of why the last trial boot failed."""


class QuarantinedRelease(ReleaseError):
    """The release fell back on this device too often."""

    code = FailureCode.QUARANTINED


def with_failure(record: Record, goal: Holding, detail: str) -> Record:
    """The record in which a trial boot of `goal` has failed once more; `detail` says why, for people."""
    known = _found(record, goal)
    failure = Failure(*_key(goal), goal.version, 1 if known is None else known.count + 1, detail[:MAX_DETAIL])
    others = [each for each in record.failures if each is not known]
    return msgspec.structs.replace(record, failures=(*others, failure)[-MAX_FAILURES:])


def forgiven(record: Record, goal: Holding) -> Record:
    """The record in which nothing is held against `goal` any more: it was proved after all."""
    known = _found(record, goal)
    return msgspec.structs.replace(record, failures=tuple(each for each in record.failures if each is not known))


def lifted(record: Record) -> Record:
    """The record in which nothing is held against any release, and no offer is answered with what was."""
    concluded = tuple(each for each in record.concluded if not _is_held(each.report))
    return msgspec.structs.replace(record, failures=(), concluded=concluded)


def quarantined(record: Record, most: int) -> tuple[Failure, ...]:
    """The releases that have fallen back `most` times, or more often."""
    return tuple(failure for failure in record.failures if failure.count >= most)


def require_free(record: Record, goal: Holding, most: int) -> None:
    """Raises: QuarantinedRelease when `goal` has fallen back `most` times, or more often."""
    failure = _found(record, goal)
    if failure is not None and failure.count >= most:
        raise QuarantinedRelease(
            f"release {goal.release} {goal.version} is in quarantine: it fell back here {often(failure)}, last because "
            f"{failure.detail}; publish a newer one, or mend the device and run `otabridge-agent lift`"
        )


def often(failure: Failure) -> str:
    """How often it fell back, for people."""
    return "once" if failure.count == 1 else f"{failure.count} times"


def _is_held(report: Report) -> bool:
    return report.outcome is Outcome.FELL_BACK or report.code is FailureCode.QUARANTINED


def _found(record: Record, goal: Holding) -> Failure | None:
    return next((each for each in record.failures if (each.release, each.sequence, each.image) == _key(goal)), None)


def _key(goal: Holding) -> tuple[str, int, str]:
    return goal.release, goal.sequence, "" if goal.image is None else goal.image.sha256

"""What a device tells its cloud, as flat pairs of text: AWS carries them as statusDetails, Azure in the device's twin.

`parse_details` is inverse to the other two.
"""

from __future__ import annotations

from collections.abc import Mapping

from bridge.release.errors import FailureCode
from bridge.release.image import MAX_IMAGE_BYTES
from bridge.release.report import MAX_DETAIL, Outcome, Phase, Progress, Report

MAX_DETAIL_PAIRS = 10
MAX_DETAIL_KEY = 128
MAX_DETAIL_VALUE = 1024
"""The narrower of both clouds' bounds (AWS IoT Jobs: statusDetails)."""
MAX_FALLBACKS = 2**31 - 1
MAX_SAVED = MAX_IMAGE_BYTES
"""Bytes that one device can have saved: no artifact is longer. Exact in JSON, and in a twin (integers below 2**52)."""


def progress_details(progress: Progress) -> dict[str, str]:
    """`progress` as pairs of an installation that goes on. An empty detail is left out: AWS refuses it."""
    pairs = {"phase": progress.phase.value, "percent": str(progress.percent)}
    detail = one_line(progress.detail, MAX_DETAIL)
    return {**pairs, "detail": detail} if detail else pairs


def report_details(report: Report) -> dict[str, str]:
    """`report` as pairs of an installation that ended. Empty fields are left out: AWS refuses them."""
    pairs = {
        "outcome": report.outcome.value,
        "code": "" if report.code is None else str(int(report.code)),
        "detail": report.detail[:MAX_DETAIL],
        "slot": report.slot,
        "version": report.version,
        "fallbacks": str(report.fallbacks),
        "artifact": report.artifact,
        "saved": str(max(0, min(report.saved, MAX_SAVED)) or ""),
    }
    return {key: one_line(value, MAX_DETAIL_VALUE) for key, value in pairs.items() if value}


def parse_details(details: Mapping[str, str]) -> Progress | Report | None:
    """What a device said; None where these are not of ours, or make no sense."""
    try:
        if "outcome" in details:
            return _parse_report(details)
        detail = one_line(details.get("detail", ""), MAX_DETAIL)
        return Progress(Phase(details["phase"]), _bounded(details.get("percent", "0"), 100), detail)
    except (KeyError, ValueError):
        return None


def one_line(text: str, most: int) -> str:
    """`text` as every cloud accepts it: at most `most` characters, none of them a control or format character."""
    return "".join(char if char.isprintable() else "?" for char in text[:most])


def _parse_report(details: Mapping[str, str]) -> Report:
    code = FailureCode(int(details["code"])) if "code" in details else None
    return Report(
        Outcome(details["outcome"]),
        one_line(details.get("slot", ""), MAX_DETAIL_KEY),
        one_line(details.get("version", ""), MAX_DETAIL_KEY),
        code,
        one_line(details.get("detail", ""), MAX_DETAIL),
        _bounded(details.get("fallbacks", "0"), MAX_FALLBACKS),
        one_line(details.get("artifact", ""), MAX_DETAIL_KEY),
        _bounded(details.get("saved", "0"), MAX_SAVED),
    )


def _bounded(text: str, most: int) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= len(str(most))) or int(text) > most:
        raise ValueError(f"{text[:40]!r} is no whole number from 0 to {most}")
    return int(text)

"""docs/reference/azure-wire.md shows what the code really writes and reads."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from adapters.azure.fleet import queries
from adapters.azure.formats.results import extended
from adapters.azure.wire import (
    HANDLER,
    Standing,
    Word,
    desired_stage,
    parse_reported,
    parse_roots,
    render_roots,
    reported_progress,
    reported_standing,
    standing_of,
    step_properties,
)
from bridge.names import stage_name
from bridge.release.errors import FailureCode
from bridge.release.report import Outcome, Phase, Progress, Report

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "azure-wire.md"
STAGE = stage_name("spring-2026-1")
PROGRESS = Progress(Phase.DOWNLOADING, 40)
REPORT = Report(
    Outcome.FELL_BACK,
    "a",
    "1.4.2",
    FailureCode.UNHEALTHY,
    "check network: no default route after 60 s",
    fallbacks=3,
    artifact="gateway-os-2.0.0-from-1.4.2",
    saved=81_788_928,
)


@pytest.fixture(scope="module")
def text() -> str:
    """The page."""
    return PAGE.read_text()


@pytest.fixture(scope="module")
def blocks(text) -> dict[str, object]:
    """The page's JSON blocks by name."""
    return {name: json.loads(body) for name, body in re.findall(r"```json (\w+)\n(.*?)```", text, re.DOTALL)}


def without_nulls(value: object) -> object:
    """As the twin is afterwards."""
    if not isinstance(value, dict):
        return value
    return {name: without_nulls(member) for name, member in value.items() if member is not None}


def test_the_roots_are_the_ones_shown(blocks):
    """Both ways."""
    assert json.loads(render_roots((b"the bytes of 2.root.json",))) == blocks["roots"]
    assert parse_roots(json.dumps(blocks["roots"]).encode()) == (b"the bytes of 2.root.json",)


def test_the_step_is_the_one_shown(blocks, text):
    """Its handler and its properties."""
    assert f"`{HANDLER}`" in text
    assert step_properties(blocks["properties"]["releaseSha256"], "") == blocks["properties"]


def test_the_stage_is_read_as_shown(blocks):
    """From desired properties."""
    assert desired_stage(blocks["desired"]) == STAGE


def test_what_devices_report_is_shown(blocks):
    """Both ways; nulls remove what was there before."""
    begun, ended = Standing(STAGE, Word.RUNNING), standing_of(STAGE, REPORT.outcome)

    assert without_nulls(reported_standing(begun)) == blocks["begun"]
    assert without_nulls(reported_progress(PROGRESS)) == blocks["progress"]
    assert without_nulls(reported_standing(ended, REPORT)) == blocks["report"]
    read = [parse_reported(blocks[name]) for name in ("begun", "progress", "report")]
    assert read == [(begun, None), (None, PROGRESS), (ended, REPORT)]


def test_the_query_is_the_one_shown(text):
    """One GROUP BY for a stage."""
    shown, _ = sql(text)

    assert shown == queries.standings("STAGE")


def test_the_sum_is_the_one_shown(text):
    """But for the stage's name, and the two numbers."""
    _, shown = sql(text)

    assert shown == queries.saved(["STAGE"], 21, 9600).replace("= 21", "= N").replace("9600", "MOST")


def sql(text: str) -> list[str]:
    """The page's queries, each in one line."""
    return [" ".join(each.split()) for each in re.findall(r"```sql\n(.*?)```", text, re.DOTALL)]


def test_codes_are_the_ones_shown(text):
    """The example of the table."""
    assert f"300 is `{extended(FailureCode.SLOT_WRITE)}`" in text

"""What cloud side and device say to each other: what is written is what is read, and what is hostile is refused."""

from __future__ import annotations

import base64
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.azure.formats.twin_limits import check_twin_patch
from adapters.azure.wire import (
    MAX_ROOTS_FILE,
    ForeignUpdate,
    MalformedUpdate,
    Standing,
    UpdateId,
    Word,
    artifact_files,
    desired_stage,
    parse_reported,
    parse_roots,
    parse_standing,
    render_roots,
    reported_progress,
    reported_standing,
    standing_of,
    step_properties,
    update_id,
)
from adapters.violations import BrokenLimits
from bridge.names import stage_name
from bridge.release.details import MAX_SAVED
from bridge.release.errors import FailureCode
from bridge.release.report import Outcome, Phase, Progress, Report
from bridge.release.trust import MAX_ROOT_BYTES, MAX_ROOTS
from tests.adapters.azure.formats.hostile import values
from tests.adapters.azure.formats.twin import merged

stages = st.just("") | st.text("abcdefghijklmnopqrstuvwxyz0123456789-", min_size=1, max_size=128).filter("none".__ne__)
standings = st.builds(Standing, stages, st.sampled_from(Word))
printable = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), max_size=128)
progresses = st.builds(Progress, st.sampled_from(Phase), st.integers(0, 100))
counts = st.integers(0, 2**31 - 1)
saved = st.integers(0, MAX_SAVED)
bad = st.sampled_from([outcome for outcome in Outcome if outcome is not Outcome.INSTALLED])
reports = st.builds(
    Report, bad, printable, printable, st.sampled_from(FailureCode), printable, counts, printable, saved
) | st.builds(Report, st.just(Outcome.INSTALLED), printable, printable, st.none(), printable, counts, printable, saved)
STAGE = stage_name("spring-2026-1")


@given(standings)
def test_a_standing_is_one_text(standing):
    """So that one `GROUP BY` counts a stage."""
    assert parse_standing(str(standing)) == standing


@pytest.mark.parametrize(
    "text", [None, 7, "", "running", "s/", "s/runs", "S/running", "a/b/running", "s/running ", "s" * 129 + "/running"]
)
def test_what_is_no_standing_is_passed_over(text):
    """Someone else may write there."""
    assert parse_standing(text) is None


@pytest.mark.parametrize("outcome", Outcome)
def test_every_outcome_is_a_standing(outcome):
    """By the same word."""
    assert str(standing_of(STAGE, outcome)) == f"{STAGE}/{outcome.value}"


def test_outside_any_stage_a_device_still_says_how_it_stands():
    """An update deployed without otabridge belongs to stage `none`."""
    assert str(Standing("", Word.RUNNING)) == "none/running"
    assert parse_standing("none/running") == Standing("", Word.RUNNING)


@given(standings, st.lists(st.none() | progresses | reports, max_size=4))
def test_what_a_device_reports_is_what_is_read(standing, said):
    """The last of all it has said: nothing of what it said before is left, and the hub takes every patch."""
    twin = {}
    for each in said:
        report = each if isinstance(each, Report) else None
        patches = [reported_standing(standing, report), *([reported_progress(each)] if each and not report else [])]
        for patch in patches:
            check_twin_patch(patch, current=twin)
            twin = merged(twin, patch)

    assert parse_reported(twin) == ((standing, said[-1]) if said else (None, None))


@given(values)
def test_any_reported_json_is_read_or_passed_over(value):
    """In the place of the component and of what it said."""
    for component in (value, {"standing": value, "said": value}):
        standing, _ = parse_reported({"otabridge": component})
        assert standing is None


def test_the_stage_comes_from_the_desired_properties():
    """As the cloud side writes it there."""
    assert desired_stage({"otabridge": {"stage": STAGE}, "$version": 3}) == STAGE


@pytest.mark.parametrize("desired", [{}, {"otabridge": None}, {"otabridge": {}}, {"otabridge": {"stage": 7}}])
def test_without_a_stage_there_is_none(desired):
    """A device is in no stage until it is put into one."""
    assert desired_stage(desired) == ""


@given(values)
def test_a_hostile_stage_is_none(value):
    """What could not be reported again is not taken."""
    stage = desired_stage({"otabridge": {"stage": value}})

    assert stage == "" or parse_standing(f"{stage}/running") is not None


@given(st.lists(st.binary(min_size=1, max_size=200), min_size=1, max_size=MAX_ROOTS))
def test_roots_survive_byte_for_byte(roots):
    """In their order."""
    assert parse_roots(render_roots(roots)) == tuple(roots)


def test_the_largest_roots_fit_their_file():
    """The bound on the file's length holds for the most and longest roots."""
    text = render_roots([b"\xff" * MAX_ROOT_BYTES] * MAX_ROOTS)

    assert len(text) <= MAX_ROOTS_FILE
    assert len(parse_roots(text)) == MAX_ROOTS


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"", "roots.json: "),
        (b"\xff", "roots.json: "),
        (b"[" * 100_000, "roots.json: "),
        (b"{}", "roots.json: Object missing required field `roots`"),
        (b'{"roots": []}', "length >= 1"),
        (b'{"roots": [""]}', "length >= 1"),
        (b'{"roots": ["?"]}', "roots.json: Invalid base64"),
        (b'{"roots": "AAAA"}', "Expected `array`"),
        (json.dumps({"roots": ["AAAA"] * (MAX_ROOTS + 1)}).encode(), "length <= 64"),
        (json.dumps({"roots": [base64.b64encode(b"x" * (MAX_ROOT_BYTES + 1)).decode()]}).encode(), "length <= 16384"),
    ],
)
def test_hostile_roots_are_refused(text, said):
    """By the file's name and what is wrong."""
    with pytest.raises(MalformedUpdate, match=re.escape(said)):
        parse_roots(text)


@given(st.binary(max_size=60) | values.map(lambda value: json.dumps(value).encode()))
def test_no_bytes_are_roots_by_accident(text):
    """Refused, and with no other error."""
    with pytest.raises(MalformedUpdate):
        parse_roots(text)


@pytest.mark.parametrize(
    ("version", "number"),
    [("2.0.0", "2.0.0"), ("2", "2.0"), ("1.2", "1.2"), ("1.2.3.4", "1.2.3.4"), ("2026.11", "2026.11")],
)
def test_a_version_becomes_numbers(version, number):
    """Two to four of them, in the order that the service compares."""
    assert update_id("acme", "gateway-os", version) == UpdateId("acme", "gateway-os", number)


def test_an_update_id_is_the_text_that_the_service_compares():
    """Member by member in this order, without spaces."""
    text = '{"provider":"acme","name":"gateway-os","version":"2.0"}'

    assert str(update_id("acme", "gateway-os", "2")) == text


@pytest.mark.parametrize(
    ("provider", "name", "version", "said"),
    [
        ("acme corp", "os", "1.0", "provider: 'acme corp'; Device Update takes 1 to 64 letters"),
        ("", "os", "1.0", "provider: ''"),
        ("acme", "o" * 65, "1.0", "release.name: 'ooo"),
        ("acme", "os", "1.0rc1", "release.version: '1.0rc1'; Device Update takes 1 to 4 whole numbers"),
        ("acme", "os", "1!1.0", "release.version: '1!1.0'"),
        ("acme", "os", "1.0+local", "release.version"),
        ("acme", "os", "1.0.post1", "release.version"),
        ("acme", "os", "1.2.3.4.5", "release.version"),
        ("acme", "os", "1.2147483648", "up to 2147483647"),
        ("acme", "os", "spring", "release.version: 'spring'; must be a version such as 2.1.0"),
    ],
)
def test_a_release_without_such_a_name_is_refused(provider, name, version, said):
    """Before anything is uploaded, by the field."""
    with pytest.raises(BrokenLimits, match=re.escape(said)):
        update_id(provider, name, version)


def test_every_fault_of_an_update_id_is_told():
    """All at once."""
    with pytest.raises(BrokenLimits) as caught:
        update_id("a b", "c d", "x")
    assert [violation.field for violation in caught.value.violations] == ["provider", "release.name", "release.version"]


def test_artifacts_are_the_files_without_the_metadata():
    """In their order, 1 to 16."""
    assert artifact_files(["release.json", "b.full", "roots.json", "a.full"]) == ("b.full", "a.full")
    with pytest.raises(MalformedUpdate, match="has 0 artifacts, a release has 1 to 16"):
        artifact_files(["release.json"])
    with pytest.raises(MalformedUpdate, match="has 17 artifacts"):
        artifact_files([f"f{n}" for n in range(17)])


def test_the_codes_of_the_refusals():
    """Foreign and malformed are told apart in every report."""
    assert (ForeignUpdate.code, MalformedUpdate.code) == (FailureCode.FOREIGN, FailureCode.MALFORMED)


def test_a_step_names_its_metadata():
    """For whoever reads the update in the portal."""
    assert step_properties("a", "") == {"releaseSha256": "a", "rootsSha256": ""}

"""The job document and statusDetails: what is written is what is read, and what is hostile is refused."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.aws.wire import (
    MAX_DOCUMENT_BYTES,
    STATUS,
    Document,
    ForeignDocument,
    MalformedDocument,
    check_signed,
    parse_document,
    render_document,
)
from adapters.violations import BrokenLimits
from bridge.release.details import (
    MAX_DETAIL_PAIRS,
    MAX_DETAIL_VALUE,
    MAX_SAVED,
    one_line,
    parse_details,
    progress_details,
    report_details,
)
from bridge.release.errors import FailureCode
from bridge.release.manifest import MAX_RELEASE_BYTES
from bridge.release.report import MAX_DETAIL, Outcome, Phase, Progress, Report

URL = "${aws:iot:s3-presigned-url-v2:https://s3.eu-west-1.amazonaws.com/b/k}"
printable = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), max_size=128)
names = st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9._-]{0,20}\Z")
documents = st.builds(
    Document,
    printable,
    printable,
    st.binary(min_size=1, max_size=2048),
    st.lists(st.binary(min_size=1, max_size=512), max_size=4).map(tuple),
    st.dictionaries(names, st.just(URL), min_size=1, max_size=8),
)
progresses = st.builds(Progress, st.sampled_from(Phase), st.integers(0, 100))
counts = st.integers(0, 2**31 - 1)
saved = st.integers(0, MAX_SAVED)
bad = st.sampled_from([outcome for outcome in Outcome if outcome is not Outcome.INSTALLED])
reports = st.builds(
    Report, bad, printable, printable, st.sampled_from(FailureCode), printable, counts, printable, saved
) | st.builds(Report, st.just(Outcome.INSTALLED), printable, printable, st.none(), printable, counts, printable, saved)


def good() -> dict[str, object]:
    """A document as a device gets it."""
    return {
        "schema": "otabridge/1",
        "operation": "ota",
        "release": {"name": "gateway-os", "version": "2.0.0"},
        "metadata": base64.b64encode(b"release").decode(),
        "roots": [base64.b64encode(b"root").decode()],
        "artifacts": {"rootfs.full": "https://store/k?signed"},
    }


@given(documents)
def test_a_document_survives_the_wire(document):
    """Every byte of release.json and roots, every URL."""
    assert parse_document(json.loads(render_document(document))) == document


@given(progresses | reports)
def test_status_details_survive_the_wire(said):
    """Progress as progress, a report as that report, within AWS's limits and with nothing empty."""
    details = progress_details(said) if isinstance(said, Progress) else report_details(said)

    assert parse_details(details) == said
    assert len(details) <= MAX_DETAIL_PAIRS
    assert all(0 < len(value) <= MAX_DETAIL_VALUE for value in details.values())


@given(st.text())
def test_any_detail_becomes_what_aws_accepts(text):
    """Control and format characters are replaced, the length bounded: a report never fails over its wording."""
    details = report_details(Report(Outcome.FAILED, "a", "1", FailureCode.DOWNLOAD, text))

    assert len(details.get("detail", "")) <= MAX_DETAIL
    assert details.get("detail", "").isprintable()


@pytest.mark.parametrize("outcome", Outcome)
def test_every_outcome_has_a_status(outcome):
    """One that a device may set (developer guide: SUCCEEDED, FAILED, REJECTED)."""
    assert STATUS[outcome] in {"SUCCEEDED", "FAILED", "REJECTED"}


def test_unknown_members_are_passed_over():
    """A later otabridge may add some within schema 1."""
    assert parse_document({**good(), "note": {"a": [None]}}) == parse_document(good())


FOREIGN = [None, [], "text", 5, {}, {"schema": "afr_ota"}, {"schema": "otabridge/2"}, {"schema": ["otabridge/1"]}]


@pytest.mark.parametrize("document", FOREIGN, ids=repr)
def test_other_programs_documents_are_foreign(document):
    """Code FOREIGN, and the words say what was found."""
    with pytest.raises(ForeignDocument) as raised:
        parse_document(document)
    assert raised.value.code is FailureCode.FOREIGN


HOSTILE = [
    ({"metadata": 5}, r"metadata"),
    ({"metadata": ""}, r"metadata"),
    ({"metadata": "not base64!"}, r"base64.*metadata"),
    ({"metadata": "A" * 4 * (MAX_RELEASE_BYTES // 3 + 2)}, r"length <= 16384.*metadata"),
    ({"roots": None}, r"roots"),
    ({"roots": ["AAAA"] * 65}, r"length <= 64.*roots"),
    ({"roots": ["A" * 30000]}, r"length <= 16384.*roots"),
    ({"artifacts": {}}, r"length >= 1.*artifacts"),
    ({"artifacts": {f"a{n}": "https://x" for n in range(17)}}, r"length <= 16.*artifacts"),
    ({"artifacts": {"../../etc/passwd": "https://x"}}, r"artifacts"),
    ({"artifacts": {"a": "h" * 8193}}, r"length <= 8192.*artifacts"),
    ({"artifacts": {"a": None}}, r"artifacts"),
    ({"artifacts": [["a", "b"]]}, r"artifacts"),
    ({"release": {"name": "n" * 129}}, r"release\.name"),
    ({"release": "gateway"}, r"release"),
]


@pytest.mark.parametrize(("change", "message"), HOSTILE, ids=[message for _, message in HOSTILE])
def test_a_document_that_does_not_keep_the_schema_is_malformed(change, message):
    """The message names the field; nothing is guessed."""
    with pytest.raises(MalformedDocument, match=message) as raised:
        parse_document({**good(), **change})
    assert raised.value.code is FailureCode.MALFORMED


@pytest.mark.parametrize("name", ["operation", "release", "metadata", "roots", "artifacts"])
def test_every_field_is_required(name):
    """AWS drops null members, so a missing one and a null one are the same."""
    document = good()
    del document[name]

    with pytest.raises((MalformedDocument, ForeignDocument), match=name):
        parse_document(document)


def test_deep_nesting_is_not_walked():
    """A bomb in a member that nobody reads costs nothing."""
    bomb: list[object] = []
    for _ in range(100_000):
        bomb = [bomb]

    assert parse_document({**good(), "bomb": bomb}).name == "gateway-os"


def test_a_placeholder_left_in_place_is_malformed():
    """The words say which artifact, and what to look at in AWS."""
    document = parse_document({**good(), "artifacts": {"a.full": URL}})

    with pytest.raises(MalformedDocument, match=r"'a\.full'.*presign role"):
        check_signed(document)
    check_signed(parse_document(good()))


def test_too_many_roots_say_how_many_fit():
    """CreateJob would refuse the document; the person reads what would fit."""
    roots = (b"r" * 3000,) * 9
    document = Document("gateway-os", "2.0.0", b"m" * 4000, roots, {"a": URL})

    with pytest.raises(BrokenLimits, match=r"document: \d+ bytes; the limit is 32768; .* 6 of 9 roots fit"):
        render_document(document)
    fitting = Document("gateway-os", "2.0.0", b"m" * 4000, roots[:6], {"a": URL})
    assert len(render_document(fitting)) <= MAX_DOCUMENT_BYTES
    with pytest.raises(BrokenLimits):
        render_document(Document("gateway-os", "2.0.0", b"m" * 4000, roots[:7], {"a": URL}))


def test_the_largest_release_fits_beside_small_roots():
    """The contract's 16 KiB and two roots of 3 KiB."""
    document = Document("n" * 128, "v" * 128, b"m" * MAX_RELEASE_BYTES, (b"r" * 3000,) * 2, {"a": URL})

    assert len(render_document(document)) <= MAX_DOCUMENT_BYTES


def test_more_downloads_than_aws_signs_are_refused():
    """AWS fills in ten placeholders and would leave the eleventh."""
    urls = {f"delta-{n}": URL for n in range(11)}

    with pytest.raises(BrokenLimits, match="artifacts: 11 downloads; AWS fills in at most 10"):
        render_document(Document("gateway-os", "2.0.0", b"m", (), urls))


UNREADABLE = [
    {},
    {"phase": "resting"},
    {"phase": "downloading", "percent": "lots"},
    {"phase": "downloading", "percent": "101"},
    {"phase": "downloading", "percent": "9" * 5000},
    {"outcome": "exploded"},
    {"outcome": "failed"},
    {"outcome": "failed", "code": "7"},
    {"outcome": "installed", "code": "200"},
    {"outcome": "installed", "fallbacks": "-1"},
]


@pytest.mark.parametrize("details", UNREADABLE, ids=repr)
def test_status_details_without_sense_are_none(details):
    """A device is not believed when it contradicts itself, and it cannot break the reader."""
    assert parse_details(details) is None


def test_one_line_keeps_what_people_read():
    """Text of any script stays; what could move a cursor does not."""
    assert one_line("Gerät läuft 正常\n\x1b[2J\u202e", 20) == "Gerät läuft 正常??[2J?"

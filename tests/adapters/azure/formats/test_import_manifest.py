"""Import manifests: what we render keeps the published schemas and is what is read."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.azure.formats.import_manifest import (
    File,
    ImportManifest,
    ReferenceStep,
    RelatedFile,
    Step,
    check,
    parse,
    render,
)
from adapters.azure.wire import UpdateId
from adapters.violations import BrokenLimits
from tests.adapters.azure.formats.hostile import spoilt, values
from tests.adapters.azure.formats.manifests import CREATED, DIGEST, OURS, RICH, as_value, schema
from tests.adapters.azure.formats.published import needs_samples

words = st.from_regex(r"\A[a-zA-Z0-9.-]{1,64}\Z")
names = st.text(st.characters(codec="utf-8"), min_size=1, max_size=255)
notes = st.text(st.characters(codec="utf-8"), max_size=64)
handlers = st.from_regex(r"\A[a-z]{1,8}/[a-z]{1,8}:[0-9]{1,5}\Z")
digests = st.binary(min_size=32, max_size=32).map(bytes.hex)
sizes = st.integers(1, 10**8)
update_ids = st.builds(
    UpdateId,
    words,
    words,
    st.lists(st.integers(0, 2**31 - 1), min_size=2, max_size=4).map(lambda n: ".".join(map(str, n))),
)
pairs = st.dictionaries(
    st.text("abc", min_size=1, max_size=32), st.text(min_size=1, max_size=64), min_size=1, max_size=5
)
properties = st.dictionaries(names, st.none() | st.booleans() | st.integers(0, 2**53) | notes, max_size=3)
related = st.builds(
    RelatedFile, names, sizes, digests, st.dictionaries(st.text("ab", min_size=1, max_size=64), notes, max_size=5)
)


@st.composite
def manifests(draw) -> ImportManifest:
    """Any import manifest that Device Update takes."""
    version = draw(st.sampled_from(["4.0", "5.0"]))
    files = draw(st.lists(_files(version), min_size=1, max_size=4, unique_by=lambda file: file.name))
    all_names = [each.name for file in files for each in (file, *file.related)]
    if len(set(all_names)) != len(all_names):
        files = [replace(file, related=(), download_handler="") for file in files]
    chosen = st.lists(st.sampled_from([file.name for file in files]), min_size=1, unique=True).map(tuple)
    steps = st.builds(Step, handlers, chosen, properties, notes) | st.builds(ReferenceStep, update_ids, notes)
    return ImportManifest(
        version,
        draw(update_ids),
        tuple(draw(st.lists(pairs, min_size=1, max_size=3))),
        tuple(draw(st.lists(steps, min_size=1, max_size=4))),
        tuple(files),
        draw(st.datetimes(timezones=st.just(UTC))),
        draw(notes),
        draw(st.booleans()),
    )


def _files(version: str):
    plain = st.builds(File, names, sizes, digests)
    if version == "4.0":
        return plain
    parts = st.lists(related, max_size=2).map(tuple)
    return plain | st.builds(File, names, sizes, digests, properties, parts, handlers)


@needs_samples
@pytest.mark.parametrize("manifest", [OURS, RICH], ids=["ours", "rich"])
def test_what_we_render_keeps_the_published_schema(manifest):
    """Of its version."""
    schema(manifest.version).validate(as_value(manifest))


@needs_samples
@settings(deadline=None, max_examples=50)
@given(manifests())
def test_whatever_we_render_keeps_the_published_schema(manifest):
    """Any manifest that passes our limits passes theirs: ours are no wider."""
    schema(manifest.version).validate(as_value(manifest))


@settings(deadline=None, max_examples=50)
@given(manifests())
def test_a_manifest_survives_its_text(manifest):
    """Every field; and the same value makes the same bytes."""
    text = render(manifest)

    assert parse(text) == manifest
    assert render(parse(text)) == text
    assert check(text) == ()


def test_leading_zeros_of_a_version_are_dropped():
    """As the service does on import."""
    value = {**as_value(RICH), "updateId": {"provider": "a", "name": "n", "version": "01.002.0"}}

    assert parse(json.dumps(value).encode()).update_id == UpdateId("a", "n", "1.2.0")


def test_a_tenth_of_a_microsecond_is_lost():
    """The published examples have seven digits, a datetime has six."""
    value = {**as_value(RICH), "createdDateTime": "2020-10-02T22:18:04.9446744Z"}

    assert parse(json.dumps(value).encode()).created == datetime(2020, 10, 2, 22, 18, 4, 944674, tzinfo=UTC)


def test_what_we_render_is_the_form_shown():
    """Field by field."""
    digest = base64.b64encode(bytes.fromhex(DIGEST)).decode()

    assert as_value(OURS) == {
        "manifestVersion": "4.0",
        "updateId": {"provider": "acme", "name": "gateway-os", "version": "2.0"},
        "compatibility": [{"manufacturer": "acme", "model": "gateway-3"}],
        "instructions": {
            "steps": [
                {
                    "type": "inline",
                    "handler": "otabridge/release:1",
                    "files": ["release.json", "rootfs.full"],
                    "handlerProperties": {"releaseSha256": DIGEST, "rootsSha256": ""},
                }
            ]
        },
        "files": [
            {"filename": "release.json", "sizeInBytes": 7, "hashes": {"sha256": digest}},
            {"filename": "rootfs.full", "sizeInBytes": 104_857_600, "hashes": {"sha256": digest}},
        ],
        "createdDateTime": "2026-11-22T10:00:00.000000Z",
    }


@pytest.mark.parametrize(
    ("manifest", "said"),
    [
        (replace(OURS, version="6.0"), "manifestVersion: '6.0'"),
        (replace(OURS, files=OURS.files[:1]), "'rootfs.full'; is not among the files"),
        (replace(OURS, files=(File("release.json", 7, "no hex"), OURS.files[1])), "files[0].hashes.sha256: 'no hex'"),
        (
            replace(OURS, files=tuple(File(f"f{n}", 1, DIGEST) for n in range(11))),
            "files: 11 elements; must hold 0 to 10",
        ),
        (
            replace(OURS, files=(replace(OURS.files[0], properties={"a": 1}), OURS.files[1])),
            "files[0].properties: unknown",
        ),
        (replace(OURS, created=datetime(2026, 1, 1)), "createdDateTime: '2026-01-01T00:00:00'"),  # noqa: DTZ001 - the fault
        (replace(OURS, compatibility=()), "compatibility: 0 elements"),
    ],
)
def test_what_the_service_would_refuse_is_not_rendered(manifest, said):
    """Every limit is named."""
    with pytest.raises(BrokenLimits, match=re.escape(said)):
        render(manifest)


def test_any_zone_becomes_utc():
    """The same moment."""
    east = CREATED.astimezone(timezone(timedelta(hours=9)))

    assert render(replace(OURS, created=east)) == render(OURS)


@settings(deadline=None, max_examples=200)
@given(spoilt(as_value(RICH)) | spoilt(as_value(OURS)) | values)
def test_any_json_is_read_or_refused(value):
    """What passes the check is read; what does not is refused for those reasons."""
    text = json.dumps(value).encode()
    faults = check(text)
    if not faults:
        assert check(render(parse(text))) == ()
        return
    with pytest.raises(BrokenLimits) as caught:
        parse(text)
    assert tuple(map(str, caught.value.violations)) == faults


@given(st.binary(max_size=60))
def test_no_bytes_make_an_error_of_another_kind(text):
    """Refused, whatever they are."""
    assert check(text)
    with pytest.raises(BrokenLimits):
        parse(text)

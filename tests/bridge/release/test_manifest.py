"""The manifest: what is rendered is read back, and nothing outside a limit is read at all."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tuf.api.metadata import Metadata

from bridge.release.errors import MalformedRelease
from bridge.release.manifest import (
    MAX_IMAGE_BYTES,
    MAX_RELEASE_BYTES,
    Artifact,
    Compatibility,
    Image,
    Kind,
    Release,
    Versions,
    parse,
    parse_version,
    render,
)
from bridge.release.trust import canonical, read_release

TEXT = st.text(st.characters(categories=("L", "N", "P", "S")), min_size=1, max_size=128)
LENGTHS = st.integers(0, MAX_IMAGE_BYTES)
HASHES = st.binary(min_size=32, max_size=32).map(bytes.hex)
VERSIONS = st.from_regex(r"\A[0-9]{1,4}(\.[0-9]{1,4}){0,3}(rc[0-9])?\Z")
ARTIFACTS = st.lists(
    st.builds(
        Artifact,
        name=st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9._-]{0,127}\Z"),
        length=LENGTHS,
        sha256=HASHES,
        image=st.builds(Image, length=LENGTHS, sha256=HASHES),
    ),
    min_size=1,
    max_size=16,
    unique_by=lambda artifact: artifact.name,
).map(tuple)
RANGES = st.one_of(
    st.builds(Versions, least=st.none() | VERSIONS),
    st.builds(Versions, most=st.none() | VERSIONS),
    st.tuples(VERSIONS, VERSIONS).map(lambda ends: Versions(*sorted(ends, key=parse_version))),
)


@st.composite
def releases(draw):
    """Any release that could be signed."""
    sequence = draw(st.integers(1, 2**31 - 1))
    return Release(
        name=draw(TEXT),
        version=draw(VERSIONS),
        sequence=sequence,
        compatibility=Compatibility(draw(TEXT), tuple(draw(st.lists(TEXT, max_size=4))), draw(RANGES)),
        artifacts=draw(ARTIFACTS),
        expires=draw(st.integers(946684800, 32472144000).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))),
        floor=draw(st.integers(1, sequence)),
        kind=draw(st.sampled_from(Kind)),
        advisory=draw(st.just("") | TEXT),
        support_until=draw(st.none() | st.dates()),
        health=tuple(draw(st.lists(TEXT, max_size=4))),
    )


def a_release(**changes):
    """A plain release with `changes`."""
    digest = "a" * 64
    plain = Release(
        name="gateway-os",
        version="2.0.0",
        sequence=2,
        compatibility=Compatibility("gateway-3"),
        artifacts=(Artifact("image.zst", 10, digest, Image(20, digest)),),
        expires=datetime(2027, 1, 1, tzinfo=UTC),
    )
    return msgspec.structs.replace(plain, **changes)


@given(releases())
def test_parse_inverts_render(release):
    """Whatever can be signed is read back unchanged, artifacts in any order."""
    seen = parse(render(release))

    assert msgspec.structs.replace(release, artifacts=()) == msgspec.structs.replace(seen, artifacts=())
    assert set(release.artifacts) == set(seen.artifacts)


@given(releases())
def test_parse_inverts_render_through_bytes(release):
    """The same holds through the bytes that travel, unless they are longer than a device reads."""
    document = canonical(Metadata(render(release)))
    if len(document) > MAX_RELEASE_BYTES:
        with pytest.raises(MalformedRelease, match="bytes, the limit is 16384"):
            read_release(document)
        return
    seen = parse(read_release(document).signed)

    assert sorted(release.artifacts, key=lambda each: each.name) == list(seen.artifacts)
    assert (release.name, release.support_until, release.expires) == (seen.name, seen.support_until, seen.expires)


ESCAPE = "\x1b[2J"
WRONG = {
    "no custom at all": ({"custom": None}, "custom: Expected `object`, got `null`"),
    "a missing model": ({"custom.compatibility.model": None}, "custom: Expected `str`, got `null` - at"),
    "an empty model": ({"custom.compatibility.model": ""}, "length >= 1"),
    "a later format": ({"custom.spec": 2}, "custom.spec is 2, this program reads up to 1: update otabridge first"),
    "a spec of the wrong type": ({"custom.spec": "1"}, "Expected `int`, got `str` - at `$.spec`"),
    "a version that has no order": ({"custom.version": "latest"}, "version 'latest' cannot be ordered"),
    "a range that has no order": ({"custom.compatibility.from_version": {"least": "x"}}, "'x' cannot be ordered"),
    "an empty range": (
        {"custom.compatibility.from_version": {"least": "2.0", "most": "1.0"}},
        "no version lies in 2.0 to 1.0",
    ),
    "a range in words of tomorrow": (
        {"custom.compatibility.from_version": {"except": "1.0"}},
        "unknown field `except`",
    ),
    "a floor above itself": ({"custom.floor": 3}, "floor 3 is above the release's own sequence 2"),
    "a floor of nothing": ({"custom.floor": 0}, "`int` >= 1"),
    "an unknown kind": ({"custom.kind": "urgent"}, "Invalid enum value 'urgent'"),
    "a name with terminal codes": ({"custom.name": ESCAPE}, "matching regex"),
    "a sequence with a fraction": ({"version": 2.5}, "release.json has no canonical form"),
    "a sequence without end": ({"version": 10**30}, "release"),
    "a sequence beyond 31 bits": ({"version": 2**31}, "<= 2147483647"),
    "no artifacts": ({"targets": {}}, "length >= 1"),
    "a path for a name": ({"targets": {"../etc/passwd": {"length": 1, "hashes": {"sha256": "a" * 64}}}}, "custom"),
    "a name that ends a line": ({"rename": "image\n"}, "matching regex"),
    "no sha256": ({"targets.image.hashes": {"md5": "a"}}, "targets['image.zst']: Expected `str`, got `null`"),
    "an unknown codec": ({"targets.image.custom.codec": "lzma"}, "targets['image.zst'].custom: Invalid enum"),
    "a length beyond a tebibyte": ({"targets.image.length": 2**40 + 1}, "targets['image.zst']: Expected `int` <="),
    "keys of its own": ({"delegations": {"keys": {}, "roles": []}}, "only the root names who may sign"),
}


def edited(changes):
    """`release.json` of a plain release with the fields at dotted paths replaced."""
    document = Metadata(render(a_release())).to_dict()
    for path, value in changes.items():
        edit(document["signed"], path, value)
    return json.dumps(document).encode()


def edit(signed, path, value):
    """Set one field; `image` stands for the artifact, `rename` renames it."""
    if path == "rename":
        signed["targets"] = {value: signed["targets"]["image.zst"]}
        return
    *parents, last = ["image.zst" if part == "image" else part for part in path.split(".")]
    place = signed
    for parent in parents:
        place = place[parent]
    place[last] = value


@pytest.mark.parametrize(("changes", "says"), WRONG.values(), ids=WRONG)
def test_a_field_outside_its_limit_is_refused_by_name(changes, says):
    """The message names the field and what was wrong; it never carries control characters."""
    with pytest.raises(MalformedRelease) as refusal:
        parse(read_release(edited(changes)).signed)

    assert says in str(refusal.value)
    assert str(refusal.value).isprintable()


def test_unknown_fields_are_left_alone():
    """An older device reads a release with fields of tomorrow."""
    document = edited({"custom.colour": "blue", "later": {"a": 1}})

    assert a_release() == parse(read_release(document).signed)


@pytest.mark.parametrize(
    ("span", "version", "inside"),
    [
        (Versions(), "0.1", True),
        (Versions("1.9", "1.10"), "1.9.5", True),
        (Versions("1.9", "1.10"), "1.10", True),
        (Versions("1.9", "1.10"), "1.10.1", False),
        (Versions(least="2.0"), "2.0rc1", False),
        (Versions(most="2.0"), "2.0.0", True),
    ],
)
def test_versions_are_ordered_as_numbers(span, version, inside):
    """1.10 comes after 1.9, a release candidate before its release, and both ends belong to the range."""
    assert inside == (version in span)


def test_a_date_of_support_is_a_date():
    """`support_until` travels as a plain ISO date."""
    rendered = render(a_release(support_until=date(2031, 5, 1))).to_dict()

    assert rendered["custom"]["support_until"] == "2031-05-01"

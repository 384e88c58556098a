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
from bridge.release.image import MAX_IMAGE_BYTES, Image
from bridge.release.manifest import (
    MAX_ARTIFACTS,
    MAX_MEMORY,
    MAX_RELEASE_BYTES,
    Artifact,
    Compatibility,
    Kind,
    Release,
    Versions,
    parse,
    parse_version,
    render,
    require_valid,
)
from bridge.release.trust import canonical, read_release

TEXT = st.text(st.characters(categories=("L", "N", "P", "S")), min_size=1, max_size=128)
LENGTHS = st.integers(0, MAX_IMAGE_BYTES)
HASHES = st.binary(min_size=32, max_size=32).map(bytes.hex)
IMAGES = st.builds(Image, length=LENGTHS, sha256=HASHES)
NAMES = st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9._-]{0,127}\Z")
VERSIONS = st.from_regex(r"\A[0-9]{1,4}(\.[0-9]{1,4}){0,3}(rc[0-9])?\Z")
RANGES = st.one_of(
    st.builds(Versions, least=st.none() | VERSIONS),
    st.builds(Versions, most=st.none() | VERSIONS),
    st.tuples(VERSIONS, VERSIONS).map(lambda ends: Versions(*sorted(ends, key=parse_version))),
)


@st.composite
def artifacts(draw):
    """A full artifact and up to 15 deltas of one image, in any order."""
    image = draw(IMAGES)
    names = draw(st.lists(NAMES, min_size=1, max_size=MAX_ARTIFACTS, unique=True))
    old = st.builds(Image, st.integers(1, MAX_IMAGE_BYTES), HASHES.filter(lambda each: each != image.sha256))
    count = len(names) - 1
    sources = draw(st.lists(old, min_size=count, max_size=count, unique_by=lambda each: each.sha256))
    made = [
        Artifact(name, draw(LENGTHS), draw(HASHES), image, source=source, memory=draw(st.integers(0, MAX_MEMORY)))
        for name, source in zip(names, [None, *sources], strict=True)
    ]
    return tuple(draw(st.permutations(made)))


@st.composite
def releases(draw):
    """Any release that could be signed."""
    sequence = draw(st.integers(1, 2**31 - 1))
    return Release(
        name=draw(TEXT),
        version=draw(VERSIONS),
        sequence=sequence,
        compatibility=Compatibility(draw(TEXT), tuple(draw(st.lists(TEXT, max_size=4))), draw(RANGES)),
        artifacts=draw(artifacts()),
        expires=draw(st.integers(946684800, 32472144000).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))),
        floor=draw(st.integers(1, sequence)),
        kind=draw(st.sampled_from(Kind)),
        advisory=draw(st.just("") | TEXT),
        support_until=draw(st.none() | st.dates()),
        health=tuple(draw(st.lists(TEXT, max_size=4))),
        full_over_metered=draw(st.booleans()),
    )


def a_release(**changes):
    """A plain release with `changes`."""
    digest = "a" * 64
    plain = Release(
        name="gateway-os",
        version="2.0.0",
        sequence=2,
        compatibility=Compatibility("gateway-3"),
        artifacts=(Artifact("image.full", 10, digest, Image(20, digest)),),
        expires=datetime(2027, 1, 1, tzinfo=UTC),
    )
    return msgspec.structs.replace(plain, **changes)


@given(releases())
def test_parse_inverts_render(release):
    """Whatever can be signed is read back unchanged, artifacts in any order."""
    seen = parse(render(release))

    assert release == seen


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
    "a later format": ({"custom.spec": 3}, "custom.spec is 3, this program reads up to 2: update otabridge first"),
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
    "no sha256": ({"targets.image.hashes": {"md5": "a"}}, "targets['image.full']: Expected `str`, got `null`"),
    "an unknown codec": ({"targets.image.custom.codec": "zstd"}, "targets['image.full'].custom: Invalid enum"),
    "a source without length": ({"targets.image.custom.source": {"sha256": "a" * 64}}, "missing required field"),
    "a source of a wrong hash": (
        {"targets.image.custom.source": {"length": 1, "sha256": "A" * 64}},
        "matching regex",
    ),
    "more memory than a header declares": ({"targets.image.custom.memory": 2**32}, "<= 4294967295"),
    "a rule that is no rule": ({"custom.full_over_metered": "maybe"}, "Expected `bool`, got `str`"),
    "a length beyond a tebibyte": ({"targets.image.length": 2**40 + 1}, "targets['image.full']: Expected `int` <="),
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
        signed["targets"] = {value: signed["targets"]["image.full"]}
        return
    *parents, last = ["image.full" if part == "image" else part for part in path.split(".")]
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


HASH = {letter: letter * 64 for letter in "abcd"}
NEW = Image(20, HASH["a"])
FULL = Artifact("full", 10, HASH["d"], NEW)
FROM_B = Artifact("from-b", 5, HASH["d"], NEW, source=Image(20, HASH["b"]))
AT_ODDS = {
    "deltas alone": ((FROM_B,), "all are deltas; one must be full"),
    "two full ones": ((FULL, msgspec.structs.replace(FULL, name="whole")), "full and whole are both full"),
    "two deltas of one source": (
        (FULL, FROM_B, msgspec.structs.replace(FROM_B, name="also-b")),
        "from-b and also-b start from the same image",
    ),
    "a delta of its own image": (
        (FULL, msgspec.structs.replace(FROM_B, source=NEW)),
        "from-b starts from the image that it makes",
    ),
    "a delta of nothing": (
        (FULL, msgspec.structs.replace(FROM_B, source=Image(0, HASH["c"]))),
        "from-b starts from an image without bytes",
    ),
    "two images": (
        (FULL, msgspec.structs.replace(FROM_B, image=Image(21, HASH["c"]))),
        "full and from-b make different images",
    ),
}


@pytest.mark.parametrize(("artifacts", "says"), AT_ODDS.values(), ids=AT_ODDS)
def test_artifacts_that_do_not_go_together_are_refused_by_name(artifacts, says):
    """When a release is made, and when a device reads it."""
    release = a_release(artifacts=artifacts)

    with pytest.raises(MalformedRelease, match=says):
        require_valid(release)
    with pytest.raises(MalformedRelease, match=says):
        parse(render(release))


def test_a_full_artifact_and_deltas_go_together():
    """One image, from nothing and from what came before."""
    release = a_release(artifacts=(FROM_B, FULL), full_over_metered=False)

    require_valid(release)
    assert parse(render(release)) == release
    assert release.full == FULL


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

"""What Device Update demands of an import manifest: every limit is named, and the published schema is agreed with."""

from __future__ import annotations

import copy
import json
import re

import pytest
from hypothesis import given, settings

from adapters.azure.formats.import_limits import MAX_MANIFEST_BYTES, MOST_VIOLATIONS
from adapters.azure.formats.import_manifest import check, parse
from adapters.violations import BrokenLimits
from tests.adapters.azure.formats.hostile import spoilt
from tests.adapters.azure.formats.manifests import DIGEST, OURS, RICH, as_value, schema
from tests.adapters.azure.formats.published import EXAMPLES, needs_samples


def changed(base=RICH, **members):
    """The rendered manifest with other members; None takes one out."""
    value = {**as_value(base), **members}
    return {name: member for name, member in value.items() if member is not None}


def with_file(**members):
    """With other members in its file."""
    value = as_value(RICH)
    value["files"][0].update(members)
    return value


def with_step(**members):
    """With other members in its first step."""
    value = as_value(RICH)
    value["instructions"]["steps"][0].update(members)
    return value


FILE = as_value(OURS)["files"][0]

FAULTS = [
    (changed(updateId={"provider": "a/b", "name": "n", "version": "1.0"}), "updateId.provider: 'a/b'; must be letters"),
    (changed(updateId={"provider": "a", "name": "n" * 65, "version": "1.0"}), "updateId.name: 'nnn"),
    (changed(updateId={"provider": "a", "name": "n"}), "updateId.version: missing; is required"),
    (changed(updateId={"provider": "a", "name": "n", "version": "1"}), "updateId.version: '1'; must have 3 to 64"),
    (changed(description=""), "description: ''; must have 1 to 512 characters, has 0"),
    (changed(isDeployable="no"), "isDeployable: 'no'; must be true or false"),
    (changed(compatibility=[]), "compatibility: 0 elements; must hold 1 to 10"),
    (changed(compatibility=[{"m" * 33: "x"}]), "compatibility[0]: a name: 'mmm"),
    (changed(compatibility=[{"m": "x" * 65}]), "compatibility[0].m: 'xxx"),
    (changed(compatibility=[{"m": 1}]), "compatibility[0].m: 1; must be text"),
    (changed(compatibility=None), "compatibility: missing; is required"),
    (changed(instructions={"steps": [{}] * 11}), "instructions.steps: 11 elements; must hold 1 to 10"),
    (changed(instructions={"steps": [{}], "more": 1}), "instructions.more: unknown; there is steps"),
    (changed(createdDateTime="yesterday"), "createdDateTime: 'yesterday'; must be UTC as"),
    (changed(createdDateTime="2026-02-30T00:00:00Z"), "createdDateTime: '2026-02-30T00:00:00Z'; must be UTC"),
    (changed(manifestVersion="3.0"), "manifestVersion: '3.0'; must be 4.0 or 5.0"),
    (changed(files="x"), "files: 'x'; must be a list"),
    (with_step(handler="swupdate"), "instructions.steps[0].handler: 'swupdate'; must be a handler"),
    (with_step(files=[]), "instructions.steps[0].files: 0 elements"),
    (with_step(handlerProperties="x"), "instructions.steps[0].handlerProperties: 'x'; must be an object"),
    (with_step(more=1), "instructions.steps[0].more: unknown"),
    (with_step(type="other"), "instructions.steps[0].type: 'other'; must be inline"),
    (with_step(description="d" * 65), "instructions.steps[0].description: 'ddd"),
    (with_file(sizeInBytes=0), "files[0].sizeInBytes: 0; must be an integer from 1 to 2147483648"),
    (with_file(sizeInBytes=2**31 + 1), "files[0].sizeInBytes: 2147483649; must be"),
    (with_file(hashes={}), "files[0].hashes.sha256: missing; is required"),
    (with_file(hashes={"sha256": DIGEST}), "must be a SHA-256 in standard base64"),
    (with_file(hashes={"sha256": FILE["hashes"]["sha256"], "sha384": "x", "md5": "y"}), "files[0].hashes: 3 members"),
    (with_file(filename="x" * 256), "files[0].filename: 'xxx"),
    (with_file(relatedFiles=[FILE] * 5), "files[0].relatedFiles: 5 elements; must hold 0 to 4"),
    (with_file(relatedFiles=[{**FILE, "properties": {"k": "v" * 257}}]), "files[0].relatedFiles[0].properties.k: 'vvv"),
    (with_file(downloadHandler={"id": "x"}), "files[0].downloadHandler.id: 'x'; must have 5 to 32"),
    (
        changed(OURS, files=[{**FILE, "relatedFiles": []}, as_value(OURS)["files"][1]]),
        "files[0].relatedFiles: unknown; there is filename, sizeInBytes, hashes",
    ),
]
BEYOND_THE_SCHEMA = [
    (with_step(files=["other.swu"]), "instructions.steps[0].files: 'other.swu'; is not among the files"),
    (with_step(files=["new.swu", "new.swu"]), "instructions.steps[0].files: 'new.swu'; is named more than once"),
    (changed(files=None), "instructions.steps[0].files: 'new.swu'; is not among the files"),
    (changed(OURS, files=[FILE, *as_value(OURS)["files"]]), "files: 'release.json'; is named more than once"),
    (
        changed(OURS, files=[{**FILE, "sizeInBytes": 2**31}, as_value(OURS)["files"][1]]),
        "files: 2252341248 bytes together; one import takes 2147483648 at most",
    ),
    (changed(updateId={"provider": "a", "name": "n", "version": "1.2147483648"}), "no part may exceed 2147483647"),
    (changed(updateId={"provider": "a", "name": "n", "version": "1.2.3.4.5"}), "must be two to four numbers with dots"),
    (with_file(sizeInBytes=1.5), "files[0].sizeInBytes: 1.5; must be an integer"),
    (with_file(hashes={"sha256": "AAAA"}), "files[0].hashes.sha256: 'AAAA'; must be a SHA-256"),
]


@needs_samples
@pytest.mark.parametrize("path", [path for path in EXAMPLES if "import-manifest" in path.name], ids=lambda p: p.name)
def test_we_agree_with_the_published_examples(path):
    """Those marked NEG_ are refused, by us and by the schema, and no others."""
    text = path.read_bytes()
    value = json.loads(text)

    assert bool(check(text)) == path.name.startswith("NEG_")
    assert schema(value["manifestVersion"]).is_valid(value) == (not path.name.startswith("NEG_"))


@needs_samples
@settings(deadline=None, max_examples=300)
@given(spoilt(as_value(RICH)))
def test_what_the_schema_refuses_we_refuse(value):
    """One value anywhere replaced or taken out. (The schema itself takes more than the service does.)"""
    version = value.get("manifestVersion") if isinstance(value, dict) else None
    if version not in ("4.0", "5.0") or value.get("files", 0) is None:
        return
    if not schema(version).is_valid(value):
        assert check(json.dumps(value).encode())


@pytest.mark.parametrize(("value", "said"), FAULTS + BEYOND_THE_SCHEMA)
def test_a_limit_that_is_broken_is_named(value, said):
    """With the field, the value and the limit; `parse` refuses for the same reasons."""
    text = json.dumps(value).encode()

    assert any(said in fault for fault in check(text)), check(text)
    with pytest.raises(BrokenLimits, match=re.escape(said)):
        parse(text)


@needs_samples
@pytest.mark.parametrize(("value", "said"), BEYOND_THE_SCHEMA)
def test_the_service_demands_more_than_the_schema(value, said):
    """The documentation says these; the schema takes them, so that passing it proves little."""
    assert schema(value["manifestVersion"]).is_valid(value)
    assert any(said in fault for fault in check(json.dumps(value).encode()))


@needs_samples
def test_where_the_schema_demands_more_than_the_service():
    """Its words let `files` be null where every step refers to another update; its type does not."""
    steps = as_value(RICH)["instructions"]["steps"][1:]
    value = {**as_value(RICH), "files": None, "instructions": {"steps": steps}}

    assert not schema("5.0").is_valid(value)
    assert check(json.dumps(value).encode()) == ()


def test_without_related_files_no_handler_is_needed():
    """And with them one is."""
    value = with_file()
    del value["files"][0]["downloadHandler"]

    assert check(json.dumps(value).encode()) == ("files[0].downloadHandler: missing; related files need one",)
    del value["files"][0]["relatedFiles"]
    assert check(json.dumps(value).encode()) == ()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"", "import manifest: not JSON in UTF-8"),
        (b"\xff", "import manifest: not JSON in UTF-8"),
        (b"[" * 100_000, "import manifest: not JSON in UTF-8"),
        (b"[]", "import manifest: a list; must be an object"),
        (b"null", "import manifest: None; must be an object"),
        (b" " * (MAX_MANIFEST_BYTES + 1), "import manifest: 1048577 bytes; at most 1048576 are read"),
        (b'{"manifestVersion": ' + b"[" * 900 + b"]" * 900 + b"}", "manifestVersion: a list; must be 4.0 or 5.0"),
    ],
)
def test_what_is_no_import_manifest_is_refused(text, said):
    """In one line."""
    assert any(fault.startswith(said) for fault in check(text)), check(text)[:3]
    with pytest.raises(BrokenLimits):
        parse(text)


def test_a_hostile_name_is_told_in_one_line():
    """Faults end on terminals."""
    value = copy.deepcopy(as_value(RICH))
    value["instructions"]["steps"][0]["\x1b[2J\n" + "x" * 500] = 1

    (fault,) = check(json.dumps(value).encode())

    assert fault.isprintable()
    assert fault.startswith("instructions.steps[0].?[2J?xxx")
    assert len(fault) < 300


def test_only_so_many_faults_are_told():
    """A manifest of a thousand faults makes no book of them."""
    bad = {f"m{n}": {} for n in range(1000)}
    value = {**as_value(RICH), "instructions": bad, "compatibility": [bad] * 10}

    assert len(check(json.dumps(value).encode())) == MOST_VIOLATIONS

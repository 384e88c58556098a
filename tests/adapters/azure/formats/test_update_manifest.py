"""The update manifest: read as the service really sends it, ours found, everything else refused by name."""

from __future__ import annotations

import base64
import copy
import hashlib
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.azure.formats.update_manifest import (
    MAX_DETACHED_BYTES,
    InlineStep,
    ReferenceStep,
    UpdateFile,
    parse,
    parse_detached,
    release_files,
)
from adapters.azure.wire import ForeignUpdate, MalformedUpdate, UpdateId, step_properties
from bridge.release.errors import FailureCode, ReleaseError
from tests.adapters.azure.formats.hostile import spoilt, values
from tests.adapters.azure.formats.published import EXAMPLES, SAMPLES, deployment, needs_samples

DIGEST = hashlib.sha256(b"release").digest()


def file(name: str, length: int = 7) -> dict[str, object]:
    """An entry of `files`."""
    return {"fileName": name, "sizeInBytes": length, "hashes": {"sha256": base64.b64encode(DIGEST).decode()}}


OURS = {
    "manifestVersion": "5",
    "updateId": {"provider": "acme", "name": "gateway-os", "version": "2.0.0"},
    "compatibility": [{"manufacturer": "acme", "model": "gateway-3"}],
    "instructions": {
        "steps": [
            {
                "handler": "otabridge/release:1",
                "files": ["f1", "f2", "f3"],
                "handlerProperties": step_properties("a" * 64, "b" * 64),
            }
        ]
    },
    "files": {"f1": file("release.json"), "f2": file("roots.json"), "f3": file("rootfs.full", 2**31)},
    "createdDateTime": "2026-11-22T10:00:00.000Z",
}
MINI = {
    "manifestVersion": "4",
    "updateId": OURS["updateId"],
    "detachedManifestFileId": "f9",
    "files": {"f9": file("acme.gateway-os.2.0.0.updatemanifest.json", 1031)},
}


def ours(steps=None, files=None, **more):
    """Our manifest with other members, as text."""
    changed = {**copy.deepcopy(OURS), **more}
    if steps is not None:
        changed["instructions"] = {"steps": steps}
    changed["files"] = changed["files"] if files is None else files
    return json.dumps(changed)


@needs_samples
def test_a_real_deployment_is_read():
    """Two steps: one for Microsoft's apt handler, one that refers to a child update."""
    manifest = parse(deployment()["updateManifest"])

    assert manifest.update_id == UpdateId("Contoso", "Virtual-Vacuum", "20.0")
    assert manifest.compatibility == ({"deviceManufacturer": "contoso", "deviceModel": "virtual-vacuum-v1"},)
    inline, reference = manifest.steps
    assert isinstance(inline, InlineStep)
    assert (inline.handler, inline.files) == ("microsoft/apt:1", ("f483750ebb885d32c",))
    assert reference == ReferenceStep("f222b9ffefaaac577")
    with pytest.raises(ForeignUpdate, match=r"microsoft/apt:1, another update, expected otabridge/release:1"):
        release_files(manifest)


@needs_samples
def test_the_signed_parent_vouches_for_its_child():
    """The child's detached manifest has no signature: its hash and length are an entry of the parent."""
    text = (SAMPLES / "detached_child_manifest_v4.json").read_bytes()
    parent = parse(deployment()["updateManifest"])
    entry = parent.files["f222b9ffefaaac577"]

    assert (entry.length, entry.sha256) == (len(text), hashlib.sha256(text).hexdigest())
    child = parse(parse_detached(text))
    assert child.update_id == UpdateId("contoso", "contoso-virtual-motors", "1.1")
    assert set(child.files) <= set(deployment()["fileUrls"])


@needs_samples
@pytest.mark.parametrize(
    "path",
    [path for path in EXAMPLES if "update-manifest" in path.name and "NEG_" not in path.name],
    ids=lambda p: p.name,
)
def test_the_published_schema_is_not_the_wire(path):
    """Its examples say `filename` and list related files; what is signed says `fileName`, and that is what is read."""
    with pytest.raises(MalformedUpdate, match="fileName"):
        parse(path.read_text())

    on_the_wire = path.read_text().replace('"filename"', '"fileName"')
    assert parse(on_the_wire).version == "4"


@needs_samples
@pytest.mark.parametrize(
    "path", [path for path in EXAMPLES if "NEG_update-manifest" in path.name], ids=lambda p: p.name
)
def test_what_the_published_schema_refuses_is_refused(path):
    """Also once it is spelt as on the wire."""
    with pytest.raises(MalformedUpdate, match=r"reference|length"):
        parse(path.read_text().replace('"filename"', '"fileName"'))


def test_our_files_are_found_by_name():
    """Length and hash are the signed ones."""
    files = release_files(parse(ours()))

    assert files == {
        "release.json": UpdateFile("f1", "release.json", 7, DIGEST.hex()),
        "roots.json": UpdateFile("f2", "roots.json", 7, DIGEST.hex()),
        "rootfs.full": UpdateFile("f3", "rootfs.full", 2**31, DIGEST.hex()),
    }


def test_what_others_add_is_passed_over():
    """Related files, download handlers, properties and members of a later service."""
    rich = {
        **file("rootfs.full"),
        "relatedFiles": {"r1": {"any": 1}},
        "downloadHandler": {"id": "microsoft/delta:1"},
    }
    text = ours(files={**OURS["files"], "f3": {**rich, "properties": {"a": "b"}, "later": []}}, later={"x": [None]})

    assert set(release_files(parse(text))) == {"release.json", "roots.json", "rootfs.full"}


def test_files_of_other_steps_may_be_there():
    """The service lists the files of child updates too; ours are those of the step."""
    files = release_files(parse(ours(files={**OURS["files"], "f4": file("stray.bin")})))

    assert "stray.bin" not in files


def test_a_mini_manifest_names_the_file_to_read_instead():
    """Where the whole would be too long for a twin."""
    mini = parse(json.dumps(MINI))

    assert (mini.detached_file_id, mini.steps) == ("f9", ())
    assert mini.files["f9"].name == "acme.gateway-os.2.0.0.updatemanifest.json"
    assert release_files(parse(parse_detached(json.dumps({"updateManifest": ours()}).encode())))
    with pytest.raises(MalformedUpdate, match="holds another detached one"):
        release_files(mini)


STEP = OURS["instructions"]["steps"][0]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "update manifest: "),
        ("x" * 65_537, "65537 bytes; the limit is 65536"),
        ("[" * 60_000, "update manifest: "),
        ("\ud800", "not text in UTF-8"),
        ("[]", "Expected `object`"),
        (ours(updateId=None), "`$.updateId`"),
        (ours(updateId={"provider": "a\n", "name": "b", "version": "1.0"}), "`$.updateId.provider`"),
        (ours(steps=[]), "`$.instructions.steps`"),
        (ours(steps=[STEP] * 11), "`$.instructions.steps`"),
        (ours(files={f"f{n}": file(f"n{n}") for n in range(21)}), "`$.files`"),
        (ours(files={**OURS["files"], "f1": file("release.json", 2**31 + 1)}), "`$.files[...].sizeInBytes`"),
        (
            ours(files={**OURS["files"], "f1": {**file("release.json"), "hashes": {}}}),
            "files.f1.hashes.sha256 is missing",
        ),
        (ours(files={**OURS["files"], "f1": {**file("r"), "hashes": {"sha256": "AAAA"}}}), "no SHA-256"),
        (ours(files={**OURS["files"], "f1": {**file("r"), "hashes": {"sha256": "?"}}}), "hashes.sha256: no base64"),
        (ours(steps=[{**STEP, "files": ["f1", "f7"]}]), "instructions.steps[0].files: 'f7' is not among its files"),
        (ours(steps=[{"type": "reference"}]), "instructions.steps[0] is neither"),
        (ours(steps=[{"type": "reference", "detachedManifestFileId": "f7"}]), "'f7' is not among its files"),
        (ours(steps=[{"type": "later", "handler": "a/b:1", "files": []}]), "instructions.steps[0] is neither"),
        (json.dumps({**MINI, "detachedManifestFileId": "f7"}), "'f7' is not among its files"),
        (json.dumps({**MINI, "files": {}}), "`$.files`"),
    ],
)
def test_a_malformed_manifest_is_refused_by_name(text, said):
    """The message names the field."""
    with pytest.raises(MalformedUpdate, match=re.escape(said)) as caught:
        parse(text)
    assert caught.value.code is FailureCode.MALFORMED


@pytest.mark.parametrize("version", ["1", "3", "6", "4.0", "x" * 500])
def test_another_version_of_the_format_is_foreign(version):
    """A later one asks for a later agent."""
    with pytest.raises(ForeignUpdate, match="this agent reads 4 and 5: update it"):
        parse(ours(manifestVersion=version))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (ours(steps=[{**STEP, "handler": "microsoft/swupdate:2"}]), "it needs microsoft/swupdate:2, expected"),
        (ours(steps=[{**STEP, "handler": "otabridge/release:2"}]), "(of a later otabridge: update the agent)"),
        (ours(steps=[STEP, {**STEP, "handler": "microsoft/script:1"}]), "otabridge/release:1, microsoft/script:1"),
        (ours(steps=[STEP, {"type": "reference", "detachedManifestFileId": "f1"}]), "another update"),
    ],
)
def test_an_update_for_somebody_else_is_foreign(text, said):
    """Whole or in part; the message names its handlers."""
    with pytest.raises(ForeignUpdate, match=re.escape(said)) as caught:
        release_files(parse(text))
    assert caught.value.code is FailureCode.FOREIGN


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (ours(steps=[STEP, STEP]), "2 steps for otabridge/release:1"),
        (ours(steps=[{**STEP, "files": ["f2", "f3"]}]), "release.json is not among the files"),
        (ours(steps=[{**STEP, "files": ["f1", "f2"]}]), "the update has 0 artifacts"),
        (ours(steps=[{**STEP, "files": ["f1", "f3", "f3"]}]), "two files of the release have the same name"),
        (ours(files={**OURS["files"], "f3": file("release.json")}), "two files of the release have the same name"),
        (ours(files={**OURS["files"], "f3": file("../etc/passwd")}), "'../etc/passwd' is no name of an artifact"),
        (ours(files={**OURS["files"], "f1": file("release.json", 16_385)}), "release.json has 16385 bytes; the limit"),
        (ours(files={**OURS["files"], "f1": file("release.json", 0)}), "release.json has 0 bytes"),
        (ours(files={**OURS["files"], "f2": file("roots.json", 10**8)}), "roots.json has 100000000 bytes"),
    ],
)
def test_an_update_of_ours_that_breaks_its_form_is_malformed(text, said):
    """Before a byte of it is fetched."""
    with pytest.raises(MalformedUpdate, match=re.escape(said)):
        release_files(parse(text))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"", "detached manifest: "),
        (b"\xff", "detached manifest: "),
        (b"{}", "updateManifest"),
        (b'{"updateManifest": 1}', "`$.updateManifest`"),
        (b" " * (MAX_DETACHED_BYTES + 1), "the limit is 131072"),
    ],
)
def test_what_is_no_detached_manifest_is_refused(text, said):
    """By name."""
    with pytest.raises(MalformedUpdate, match=re.escape(said)):
        parse_detached(text)


@given(spoilt(OURS) | spoilt(MINI) | values)
def test_any_json_is_read_or_refused(value):
    """One value anywhere replaced or taken out, or anything at all."""
    try:
        release_files(parse(json.dumps(value)))
    except ReleaseError as error:
        assert str(error)  # noqa: PT017 - being read is as good


@given(st.text(max_size=40), st.binary(max_size=40))
def test_no_text_makes_an_error_of_another_kind(text, data):
    """Hostile bytes are refused, whatever they are."""
    with pytest.raises(ReleaseError):
        parse(text)
    with pytest.raises(ReleaseError):
        parse_detached(data)

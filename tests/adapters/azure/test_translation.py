"""`otabridge translate azure`: what it prints is what Device Update takes, for our agent and for Microsoft's."""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import UTC, datetime

import pytest
from typer.testing import CliRunner

from adapters.azure.fleet.request import import_manifest, stage_request
from adapters.azure.formats.import_manifest import parse
from adapters.azure.wire import parse_roots
from bridge.cli.app import app
from bridge.errors import UsageError
from bridge.fleet import LimitError, StageOrder
from bridge.names import stage_name
from bridge.release.errors import MalformedRelease
from tests.adapters.azure.formats.manifests import schema
from tests.adapters.azure.formats.published import needs_samples
from tests.releases import MODEL, ReleaseKit, new_release, pretended, sha256

CREATED = datetime(2026, 3, 1, 12, tzinfo=UTC)
PLACE = ("--provider", "Acme", "--manufacturer", "Acme Inc.", "--created", "2026-03-01T12:00:00Z")


@pytest.fixture
def folder(tmp_path, package):
    """A release folder."""
    folder = tmp_path / "release"
    folder.mkdir()
    (folder / "release.json").write_bytes(package.document)
    return folder


@pytest.fixture
def run(monkeypatch, tmp_path):
    """Runs the command; what it raises is raised."""
    monkeypatch.chdir(tmp_path)

    def invoke(*words: object) -> str:
        result = CliRunner().invoke(app, ["translate", "azure", *map(str, words)], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.stdout

    return invoke


@pytest.fixture
def files(tmp_path):
    """An image for SWUpdate, a script, and an APT manifest."""
    contents = {"image.swu": b"image", "install.sh": b"#!/bin/sh\n", "packages.json": b"{}"}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    return contents


def test_our_agent_gets_what_a_rollout_imports(run, folder, package):
    """To the byte, so that a rollout finds this update in Device Update and takes it for its own."""
    printed = run(folder, *PLACE, "--only", "document")

    order = StageOrder("any", package.document, (), ("device-1",), 30)
    assert printed.encode() == import_manifest(stage_request(order, provider="Acme", manufacturer="Acme Inc."), CREATED)


def test_the_input_names_the_document_as_it_is_printed(run, folder, package):
    """Length and digest; and each file, where it will lie."""
    place = ("--files-url", "https://acme.blob.core.windows.net/updates/2?sv=1&sig=a%2Fb")
    document = run(folder, *PLACE, *place, "--only", "document").encode()

    (item,) = json.loads(run(folder, *PLACE, *place, "--only", "input"))

    digest = base64.b64encode(hashlib.sha256(document).digest()).decode()
    lies = "https://acme.blob.core.windows.net/updates/2/{}?sv=1&sig=a%2Fb"
    assert item == {
        "importManifest": {
            "url": lies.format("gateway-os-2.0.0.importmanifest.json"),
            "sizeInBytes": len(document),
            "hashes": {"sha256": digest},
        },
        "files": [{"filename": name, "url": lies.format(name)} for name in ("release.json", package.artifact.name)],
    }


def test_a_place_is_left_to_be_filled_in(run, folder):
    """Who has not laid the files anywhere yet sees what is missing."""
    (item,) = json.loads(run(folder, *PLACE, "--only", "input"))

    assert item["files"][0]["url"] == "https://ACCOUNT.blob.core.windows.net/CONTAINER/release.json"


def test_later_roots_are_a_file_of_their_own(run, folder, tmp_path):
    """Printed to the byte, as the manifest names it."""
    owner = ReleaseKit(root_keys=(1, 1), release_keys=(1, 1))
    owner.rotate()
    trust = tmp_path / "owner"
    trust.mkdir()
    for number, root in enumerate(owner.roots, start=1):
        (trust / f"{number}.root.json").write_bytes(root)

    manifest = parse(run(folder, *PLACE, "--trust", trust, "--only", "document").encode())
    roots = run(folder, *PLACE, "--trust", trust, "--only", "roots").encode()

    named = {file.name: (file.length, file.sha256) for file in manifest.files}
    assert named["roots.json"] == (len(roots), sha256(roots))
    assert parse_roots(roots) == owner.later_roots


def test_a_group_gets_a_deployment(run, folder):
    """Its body, as `az rest` sends it; the stage names it as a rollout would."""
    words = (*PLACE, "--group", "line-4", "--stage", "spring/1", "--download-security", "http")

    assert json.loads(run(folder, *words, "--only", "deployment")) == {
        "deploymentId": stage_name("spring/1"),
        "groupId": "line-4",
        "startDateTime": "2026-03-01T12:00:00Z",
        "update": {"updateId": {"provider": "Acme", "name": "gateway-os", "version": "2.0.0"}},
        "downloadSecurity": "http",
    }
    assert list(json.loads(run(folder, *words, "-o", "json"))) == ["document", "input", "deployment"]


def test_all_parts_one_after_the_other(run, folder):
    """For people, and for `jq`, which reads a stream of values."""
    text = run(folder, *PLACE)

    document, end = json.JSONDecoder().raw_decode(text)
    assert document["manifestVersion"] == "4.0"
    assert json.loads(text[end:])[0]["files"]


def test_the_time_is_now_unless_given(run, folder):
    """An import manifest must have one."""
    before = datetime.now(UTC).replace(microsecond=0)

    created = parse(run(folder, *PLACE[:4], "--only", "document").encode()).created

    assert before <= created <= datetime.now(UTC)


SWUPDATE = (
    "--handler",
    "microsoft/swupdate:2",
    "--file",
    "image.swu",
    "--file",
    "install.sh",
    "--script",
    "install.sh",
)
SCRIPT = ("--handler", "microsoft/script:1", "--file", "install.sh", "--script", "install.sh")
APT = ("--handler", "microsoft/apt:1", "--file", "packages.json")
NAMED = ("--name", "app", "--version", "1.2", "--model", "gateway-3")
RECIPES = [
    (
        (*SWUPDATE, "--installed-criteria", "2.0", "--arguments=--verbose"),
        {
            "scriptFileName": "install.sh",
            "arguments": "--verbose",
            "swuFileName": "image.swu",
            "installedCriteria": "2.0",
        },
    ),
    (SCRIPT, {"scriptFileName": "install.sh"}),
    ((*APT, "--installed-criteria", "app-1.2"), {"installedCriteria": "app-1.2"}),
]


@pytest.mark.parametrize(("options", "properties"), RECIPES, ids=[options[1] for options, _ in RECIPES])
def test_microsofts_agent_gets_its_own_handlers(run, files, options, properties):
    """From files on disk, hashed here."""
    printed = run(*PLACE, *NAMED, *options, "--only", "document")

    manifest = parse(printed.encode())
    (step,) = manifest.steps
    assert (step.handler, step.properties) == (options[1], properties)
    assert {file.name: (file.length, file.sha256) for file in manifest.files} == {
        name: (len(files[name]), sha256(files[name])) for name in step.files
    }
    assert str(manifest.update_id) == '{"provider":"Acme","name":"app","version":"1.2"}'
    assert manifest.compatibility == ({"manufacturer": "Acme Inc.", "model": "gateway-3"},)


@needs_samples
@pytest.mark.usefixtures("files")
@pytest.mark.parametrize("options", [None, *(options for options, _ in RECIPES)], ids=lambda each: each and each[1])
def test_the_published_schema_takes_the_manifest(run, folder, options):
    """Of our agent's update, and of each of Microsoft's handlers."""
    words = (folder,) if options is None else (*NAMED, *options)

    schema("4.0").validate(json.loads(run(*PLACE, *words, "--only", "document")))


@pytest.mark.usefixtures("files")
def test_a_release_names_the_update_for_microsofts_agent(run, folder):
    """Name, version and model are the release's, unless others are given; its artifacts stay out."""
    manifest = parse(run(folder, *PLACE, *SCRIPT, "--name", "other", "--only", "document").encode())

    assert str(manifest.update_id) == '{"provider":"Acme","name":"other","version":"2.0.0"}'
    assert manifest.compatibility == ({"manufacturer": "Acme Inc.", "model": MODEL},)
    assert [file.name for file in manifest.files] == ["install.sh"]


MISUSE = [
    ((), "translate azure: name a release"),
    ((*NAMED,), "translate azure: --name goes with --handler microsoft/..."),
    ((*SCRIPT,), "translate azure: --name is missing, or name a release that has it"),
    (
        (*NAMED, "--handler", "contoso/x:1"),
        "--handler is 'contoso/x:1'; for Microsoft's agent there is microsoft/swupd",
    ),
    ((*NAMED, *SCRIPT[:2]), "--file is missing: microsoft/script:1 installs files"),
    ((*NAMED, *SCRIPT[:4]), "--script is '': microsoft/script:1 runs one of the files, which are install.sh"),
    ((*NAMED, *SWUPDATE), "--installed-criteria is missing: by it microsoft/swupdate:2 sees"),
    ((*NAMED, *APT, "--file", "install.sh"), "--file is given 2 times: microsoft/apt:1 takes one file"),
    (
        (*NAMED, *APT, "--installed-criteria", "a-1", "--script", "x"),
        "--script is given: microsoft/apt:1 runs no script",
    ),
    (
        (*NAMED, "--handler", "microsoft/swupdate:2", *SCRIPT[2:], "--installed-criteria", "1"),
        "one file whose name ends in .swu, there are 0",
    ),
    ((*NAMED, *SCRIPT, "--stage", "spring/1"), "--stage names a deployment, which --group is missing for"),
    ((*NAMED, *SCRIPT, "--group", "$default"), r"--group is '\$default': expected"),
    ((*NAMED, *SCRIPT, "--files-url", "http://plain"), "--files-url is 'http://plain': expected"),
    ((*NAMED, *SCRIPT, "--created", "soon"), "--created is 'soon': "),
    ((*NAMED, *SCRIPT, "--only", "roots"), "there is no 'roots' with these options; there is document, input"),
    ((*NAMED, *SCRIPT, "--file", "sub/install.sh"), "two of the files are named 'install.sh'"),
    ((*NAMED, *SCRIPT, "--file", "none.sh"), "--file none.sh cannot be read: No such file"),
]


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize(("options", "message"), MISUSE, ids=[message[:40] for _, message in MISUSE])
def test_misuse_is_explained(run, options, message):
    """With the option at fault; exit code 2."""
    with pytest.raises(UsageError, match=message) as raised:
        run(*PLACE, *options)
    assert raised.value.exit_code == 2


@pytest.mark.parametrize("missing", ["--provider", "--manufacturer"])
def test_a_missing_option_is_named(run, folder, missing):
    """As the command line spells it."""
    given = {"--provider": "Acme", "--manufacturer": "Acme Inc."}

    with pytest.raises(UsageError, match=f"translate azure: {missing} is missing"):
        run(folder, *(word for name, value in given.items() if name != missing for word in (name, value)))


LIMITS = [
    (("--provider", "Acme & Sons"), "provider: 'Acme & Sons'; Device Update takes 1 to 64 letters"),
    (("--version", "1.0rc1"), "--version: '1.0rc1'; Device Update takes"),
    (("--name", "a b"), "--name: 'a b'; Device Update takes"),
]


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize(("options", "message"), LIMITS)
def test_a_limit_of_device_update_is_named(run, options, message):
    """As everywhere: before Device Update would refuse it."""
    with pytest.raises(LimitError, match=message):
        run(*PLACE, *NAMED, *SCRIPT, *options)


def test_an_empty_file_is_refused(run, tmp_path):
    """Device Update takes none."""
    (tmp_path / "install.sh").write_bytes(b"")

    with pytest.raises(LimitError, match="sizeInBytes"):
        run(*PLACE, *NAMED, *SCRIPT)


def test_a_release_with_too_many_files_is_refused(run, folder, kit):
    """Metadata and artifacts together."""
    artifacts = pretended(kit.package(b"x").artifact, 9)
    (folder / "release.json").write_bytes(kit.sign(new_release(artifacts=artifacts)))

    with pytest.raises(LimitError, match="Device Update takes 10 files"):
        run(folder, *PLACE)


def test_what_is_no_release_is_refused(run, folder):
    """Its own exit code, as for every command."""
    (folder / "release.json").write_text("{}")

    with pytest.raises(MalformedRelease):
        run(folder, *PLACE)


def test_what_it_prints_passes_its_check(run, folder, files, tmp_path):
    """Both agents' manifests."""
    assert files
    for words in ((folder,), (*NAMED, *SCRIPT)):
        file = tmp_path / "printed.importmanifest.json"
        file.write_text(run(*PLACE, *words, "--only", "document"))
        assert "within every limit of azure" in run("--check", file)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("not json", ["not JSON in UTF-8"]),
        ("[]", ["must be an object"]),
        ('{"manifestVersion": "4.0", "updateId": 5}', ["updateId: 5; must be an object", "compatibility: missing"]),
    ],
)
def test_the_check_lists_every_broken_limit(run, tmp_path, text, expected):
    """One line each, with field, value and limit; exit code 2."""
    file = tmp_path / "theirs.json"
    file.write_text(text)

    with pytest.raises(UsageError) as raised:
        run("--check", file)
    assert [words for words in expected if words not in str(raised.value)] == []
    assert raised.value.exit_code == 2

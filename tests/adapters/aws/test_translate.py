"""`otabridge translate aws`: what it prints is what AWS takes, and what it checks is what AWS refuses."""

from __future__ import annotations

import json
import re
import subprocess

import boto3
import botocore.session
import pytest
from botocore.validate import validate_parameters
from moto import mock_aws
from typer.testing import CliRunner

from adapters.aws.wire import parse_document
from bridge.cli.app import app
from bridge.errors import UsageError
from bridge.fleet import LimitError
from bridge.folder import RELEASE_FILE
from bridge.release.errors import MalformedRelease
from tests.releases import ReleaseKit, new_release, pretended
from tests.stepped import stepped

ACCOUNT = "123456789012"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/presign"
PLACE = ("--stage", "spring/1", "--bucket", "adapter-artifacts", "--region", "eu-west-1", "--role-arn", ROLE)
TARGET = ("--thing", "device-1", "--account", ACCOUNT)


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
        result = CliRunner().invoke(app, ["translate", "aws", *map(str, words)], catch_exceptions=False)
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == 0, result.output
        return result.output

    return invoke


def test_the_document_is_what_a_device_reads(run, folder, package):
    """Valid JSON, with the signed bytes in it and a placeholder a download."""
    document = parse_document(json.loads(run(folder, *PLACE, "--only", "document")))

    artifact = package.artifact
    assert document.metadata == package.document
    assert document.urls == {
        artifact.name: "${aws:iot:s3-presigned-url-v2:https://s3.eu-west-1.amazonaws.com/adapter-artifacts/"
        f"otabridge/{artifact.sha256}/{artifact.name}}}"
    }


def test_both_parts_in_one_object(run, folder):
    """For programs; the input holds the document as text."""
    parts = json.loads(run(folder, *PLACE, *TARGET, "--output", "json"))

    assert json.loads(parts["input"]["document"]) == parts["document"]
    assert parts["input"]["targets"] == [f"arn:aws:iot:eu-west-1:{ACCOUNT}:thing/device-1"]


def test_both_parts_one_after_the_other(run, folder):
    """For people, and for `jq`, which reads a stream of objects."""
    text = run(folder, *PLACE, *TARGET)

    document, end = json.JSONDecoder().raw_decode(text)
    assert document["schema"] == "otabridge/1"
    assert json.loads(text[end:])["targetSelection"] == "SNAPSHOT"


@mock_aws
def test_moto_takes_the_input(run, folder, monkeypatch):
    """As `aws iot create-job --cli-input-json` would send it."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    request = json.loads(run(folder, *PLACE, "--group", "eu", "--account", ACCOUNT, "--only", "input"))
    iot = boto3.client("iot", "eu-west-1")

    iot.create_job(**request)

    job = iot.describe_job(jobId=request["jobId"])["job"]
    assert job["targets"] == [f"arn:aws:iot:eu-west-1:{ACCOUNT}:thinggroup/eu"]
    assert job["presignedUrlConfig"] == {"roleArn": ROLE, "expiresInSec": 3600}
    assert iot.get_job_document(jobId=request["jobId"])["document"] == request["document"]


def test_a_device_takes_what_was_created_by_hand(run, folder, simulator, channel, package):
    """The printed input, sent by boto3, becomes an offer."""
    simulator.client("iot").create_job(**json.loads(run(folder, *PLACE, *TARGET, "--only", "input")))

    assert channel.next_offer(30).release == package.document


def test_later_roots_ride_along(run, folder, tmp_path):
    """Of the trust folder that is named, all but the first, which devices have."""
    owner = ReleaseKit(root_keys=(1, 1), release_keys=(1, 1))
    owner.rotate()
    trust = tmp_path / "owner"
    trust.mkdir()
    for number, root in enumerate(owner.roots, start=1):
        (trust / f"{number}.root.json").write_bytes(root)

    document = parse_document(json.loads(run(folder, *PLACE, "--only", "document", "--trust", trust)))

    assert document.roots == owner.later_roots


def test_a_release_that_is_too_large_is_refused(run, folder, kit):
    """With the field, its size and the limit."""
    artifacts = pretended(kit.package(b"x").artifact, 10)
    (folder / "release.json").write_bytes(kit.sign(new_release(artifacts=artifacts)))

    with pytest.raises(LimitError, match=r"translate aws: artifacts: 11 downloads; AWS fills in at most 10"):
        run(folder, *PLACE, *TARGET)


MISUSE = [
    ((*PLACE, "--only", "input"), "there is no 'input' with these options; there is document"),
    ((*PLACE, "--thing", "device-1"), "--account is needed to name 'device-1' by its ARN"),
    (TARGET, "translate aws: --stage is missing"),
    ((*PLACE, *TARGET, "--region", "Frankfurt"), "translate aws: --region is 'Frankfurt': expected"),
    ((*PLACE, *TARGET, "--account", "acme"), "translate aws: --account is 'acme': expected"),
    ((*PLACE, *TARGET, "--style", "freertos"), "translate aws: --style is 'freertos': invalid enum value"),
    ((*PLACE, *TARGET, "--handler", "install.sh"), "translate aws: --handler goes with --style device-client"),
]


@pytest.mark.parametrize(("options", "message"), MISUSE)
def test_misuse_is_explained(run, folder, options, message):
    """With the option at fault; exit code 2."""
    with pytest.raises(UsageError, match=message) as raised:
        run(folder, *options)
    assert raised.value.exit_code == 2


@pytest.mark.parametrize(("option", "value"), [("--timeout-minutes", 20000), ("--role-arn", "x")])
def test_a_limit_of_aws_is_named(run, folder, option, value):
    """As everywhere: before AWS would refuse it."""
    with pytest.raises(LimitError, match=f"{value}"):
        run(folder, *PLACE, *TARGET, option, value)


def test_what_is_no_release_is_refused(run, folder):
    """Its own exit code, as for every command."""
    (folder / "release.json").write_text("{}")

    with pytest.raises(MalformedRelease):
        run(folder, *PLACE, *TARGET)


def test_what_it_prints_passes_its_check(run, folder, tmp_path):
    """Document and input alike."""
    for part in ("document", "input"):
        file = tmp_path / "part.json"
        file.write_text(run(folder, *PLACE, *TARGET, "--only", part))
        assert "within every limit of aws" in run("--check", file)


CHECKED = [
    ("not json", ["not JSON"]),
    ("[]", ["no JSON object"]),
    ('{"steps": []}', ["limits of aws that it breaks: 1", "no agent would take it", "its schema is 'None'"]),
    (
        '{"jobId": "bad id!", "targets": [], "document": "{}", "timeoutConfig": {"inProgressTimeoutInMinutes": 0}}',
        [
            "limits of aws that it breaks: 4",
            "jobId: 'bad id!'; must be letters",
            "targets: []; must hold 1 to 100",
            "timeoutConfig",
            "schema",
        ],
    ),
    ('{"jobId": "a", "targets": ["arn:aws:x"], "document": {"schema": 1}}', ["must be the JSON text"]),
]


@pytest.mark.parametrize(("text", "expected"), CHECKED)
def test_the_check_lists_every_broken_limit(run, tmp_path, text, expected):
    """One line each, with field, value and limit; exit code 2."""
    file = tmp_path / "theirs.json"
    file.write_text(text)

    with pytest.raises(UsageError) as raised:
        run("--check", file)
    assert [words for words in expected if words not in str(raised.value)] == []


HOSTILE = [
    b"[" * 100_000,
    b'{"a":' * 40_000,
    b'{"a":"\xff"}',
    b'{"jobId":"\\ud800","targets":["arn:x"]}',
    b'{"jobId":[],"targets":{}}',
    b'{"jobId":1e999}',
    b'{"jobId":null,"targets":null,"tags":[7,{"Key":[]}]}',
    '{"a":1}'.encode("utf-16"),
    b"",
    json.dumps({"jobId": "a", "targets": ["x"] * 50_000}).encode(),
    json.dumps({"jobId": "a", "targets": ["arn:x"], "document": "[" * 30_000}).encode(),
    b" " * 300_000,
]


@pytest.mark.parametrize("content", HOSTILE, ids=[repr(each[:24]) for each in HOSTILE])
def test_a_hostile_file_is_answered_in_a_few_sentences(run, tmp_path, content):
    """Deep, huge, of another encoding, of wrong types: never a traceback, never a flood."""
    file = tmp_path / "theirs.json"
    file.write_bytes(content)

    with pytest.raises(UsageError) as raised:
        run("--check", file)
    assert len(str(raised.value)) < 20_000


def test_botocore_takes_the_input_as_it_is(run, folder):
    """By the service's own model, as boto3 and `aws iot create-job --cli-input-json` hold it against: no field more."""
    request = json.loads(run(folder, *PLACE, *TARGET, "--only", "input"))
    shape = botocore.session.get_session().get_service_model("iot").operation_model("CreateJob").input_shape

    validate_parameters(request, shape)

    assert set(request) <= set(shape.members)


def test_without_a_release_there_is_nothing_to_offer(run):
    """Otabridge's agent takes releases alone."""
    with pytest.raises(UsageError, match="translate aws: name a release"):
        run(*PLACE)


CLIENT = ("--style", "device-client", "--handler", "install-image.sh")


def actions(text: str) -> list[dict[str, object]]:
    """The steps of a job document for AWS's device client."""
    document = json.loads(text)
    assert document["version"] == "1.0"
    return [step["action"] for step in document["steps"]]


def test_awss_own_agent_gets_a_job_of_steps(run, folder, package):
    """Fetch, compare, install: of a release's artifact, from where `release publish` puts it."""
    artifact, path = package.artifact, f"/var/tmp/{package.artifact.name}"

    fetch, compare, install = actions(run(folder, *PLACE, *CLIENT, "--run-as", "root", "--only", "document"))

    url = f"https://s3.eu-west-1.amazonaws.com/adapter-artifacts/otabridge/{artifact.sha256}/{artifact.name}"
    assert fetch["input"] == {
        "handler": "download-file.sh",
        "args": [f"${{aws:iot:s3-presigned-url-v2:{url}}}", path],
        "path": "default",
    }
    assert {fetch["type"], install["type"]} == {"runHandler"}
    assert compare["type"] == "runCommand"
    assert install["input"] == {"handler": "install-image.sh", "args": [path], "path": "default"}
    assert [fetch.get("runAsUser"), install.get("runAsUser")] == ["root", "root"]


def test_awss_own_agent_gets_the_full_artifact_alone(run, kit, tmp_path):
    """It would fetch every delta too, and cannot tell which one its device can use."""
    package = kit.package(b"image" * 2000, sources=[b"image" * 1999, b"image" * 1500])
    (tmp_path / "deltas").mkdir()
    (tmp_path / "deltas" / RELEASE_FILE).write_bytes(package.document)

    fetch, compare, install = actions(run(tmp_path / "deltas", *PLACE, *CLIENT, "--only", "document"))

    assert len(package.release.artifacts) == 3
    assert fetch["input"]["args"][1] == f"/var/tmp/{package.release.full.name}"
    assert package.release.full.sha256 in compare["input"]["command"]
    assert install["input"]["args"] == [f"/var/tmp/{package.release.full.name}"]


@pytest.mark.parametrize(("content", "same"), [(b"as signed", True), (b"as altered", False)])
def test_a_download_that_is_not_what_was_named_ends_the_job(run, tmp_path, content, same):
    """AWS's download handler compares nothing; the command between does, in the shell that the client runs."""
    name = "it's, a file.deb"
    (tmp_path / name).write_bytes(b"as signed")
    device = tmp_path / "device"
    device.mkdir()
    steps = actions(
        run(
            *PLACE, *CLIENT, "--file", tmp_path / name, "--directory", device, "--arguments", "-y", "--only", "document"
        )
    )
    (device / name).write_bytes(content)

    words = re.split(r"(?<!\\),", steps[1]["input"]["command"])
    done = subprocess.run([word.replace("\\,", ",") for word in words], capture_output=True, check=False)

    assert (done.returncode == 0) is same
    assert steps[2]["input"]["args"] == [f"{device}/{name}", "-y"]


def test_an_old_client_is_given_no_command(run, folder):
    """Versions that know handlers alone would reject the job."""
    kinds = [each["type"] for each in actions(run(folder, *PLACE, *CLIENT, "--compare", "no", "--only", "document"))]

    assert kinds == ["runHandler", "runHandler"]


def test_botocore_and_the_check_take_a_job_for_awss_agent(run, tmp_path):
    """Files without a release; what is printed passes what others' files are held against."""
    file = tmp_path / "app.deb"
    file.write_bytes(b"a package")
    words = (*PLACE, *TARGET, *CLIENT, "--file", file)
    request = json.loads(run(*words, "--only", "input"))
    shape = botocore.session.get_session().get_service_model("iot").operation_model("CreateJob").input_shape

    validate_parameters(request, shape)
    assert "app.deb for spring/1" in request["description"]
    for part in ("document", "input"):
        printed = tmp_path / f"{part}.json"
        printed.write_text(run(*words, "--only", part))
        assert "within every limit of aws" in run("--check", printed)


def test_a_release_of_steps_is_not_for_awss_own_agent(run, tmp_path):
    """It would install the image and leave out the rest."""
    (tmp_path / RELEASE_FILE).write_bytes(stepped(ReleaseKit(), b"image").document)

    with pytest.raises(UsageError, match="the release has steps, and AWS's agent knows none: name its files"):
        run(tmp_path, *PLACE, *CLIENT)


CLIENT_MISUSE = [
    (("--style", "device-client"), "translate aws: --handler is missing"),
    (CLIENT, "translate aws: name a release, or files with --file, and not both"),
    ((*CLIENT, "--file", "none.deb"), "--file none.deb cannot be read: No such file"),
    ((*CLIENT, "--directory", "tmp"), "translate aws: --directory is 'tmp'"),
]


@pytest.mark.parametrize(("options", "message"), CLIENT_MISUSE)
def test_misuse_of_the_style_is_explained(run, options, message):
    """With the option at fault."""
    with pytest.raises(UsageError, match=message):
        run(*PLACE, *options)


def test_too_many_files_for_one_job_are_refused(run, tmp_path):
    """AWS fills in ten URLs of a document."""
    files = [tmp_path / f"{number}.deb" for number in range(11)]
    for file in files:
        file.write_bytes(b"x")

    with pytest.raises(LimitError, match="10"):
        run(*PLACE, *CLIENT, *(word for file in files for word in ("--file", file)))


CLIENT_FAULTS = [
    ({"version": "2.0", "steps": [{}]}, ["version: '2.0'", "steps[0]: {}; must hold an object `action`"]),
    ({"version": "1.0", "steps": []}, ["steps: []; must be a list with at least one step"]),
    (
        {"version": "1.0", "includeStdOut": True, "steps": "x"},
        ["includeStdOut: True; counts only as text", "steps: 'x'"],
    ),
    (
        {"version": "1.0", "steps": [{"action": {"type": "run", "ignoreStepFailure": True}}], "finalStep": 5},
        [
            "steps[0].action.name: None",
            "action.type: 'run'; must be runHandler or runCommand",
            "finalStep: 5",
            "as text",
        ],
    ),
    (
        {"version": "1.0", "steps": [{"action": {"name": "a", "type": "runHandler", "input": {"args": [1]}}}]},
        ["steps[0].action.input.handler: None; must be text", "input.args: [1]; must be a list of text"],
    ),
]


@pytest.mark.parametrize(("document", "expected"), CLIENT_FAULTS)
@pytest.mark.parametrize("wrapped", [False, True])
def test_the_check_knows_what_awss_agent_rejects(run, tmp_path, document, expected, wrapped):
    """In a document, and in the input that carries it."""
    file = tmp_path / "theirs.json"
    carrier = {"jobId": "a", "targets": ["arn:aws:iot:eu-west-1:1:thing/a"], "document": json.dumps(document)}
    file.write_text(json.dumps(carrier if wrapped else document))

    with pytest.raises(UsageError) as raised:
        run("--check", file)
    assert [words for words in expected if words not in str(raised.value)] == []

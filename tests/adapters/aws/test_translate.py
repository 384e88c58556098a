"""`otabridge translate aws`: what it prints is what AWS takes, and what it checks is what AWS refuses."""

from __future__ import annotations

import json

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
from bridge.release.errors import MalformedRelease
from tests.releases import ReleaseKit, new_release, sha256

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
    document = parse_document(json.loads(run(folder, *PLACE, "--document-only")))

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
    request = json.loads(run(folder, *PLACE, "--group", "eu", "--account", ACCOUNT, "--input-only"))
    iot = boto3.client("iot", "eu-west-1")

    iot.create_job(**request)

    job = iot.describe_job(jobId=request["jobId"])["job"]
    assert job["targets"] == [f"arn:aws:iot:eu-west-1:{ACCOUNT}:thinggroup/eu"]
    assert job["presignedUrlConfig"] == {"roleArn": ROLE, "expiresInSec": 3600}
    assert iot.get_job_document(jobId=request["jobId"])["document"] == request["document"]


def test_a_device_takes_what_was_created_by_hand(run, folder, simulator, channel, package):
    """The printed input, sent by boto3, becomes an offer."""
    simulator.client("iot").create_job(**json.loads(run(folder, *PLACE, *TARGET, "--input-only")))

    assert channel.next_offer(30).release == package.document


def test_later_roots_ride_along(run, folder, tmp_path):
    """Of the trust folder that is named, all but the first, which devices have."""
    owner = ReleaseKit(root_keys=(1, 1), release_keys=(1, 1))
    owner.rotate()
    trust = tmp_path / "owner"
    trust.mkdir()
    for number, root in enumerate(owner.roots, start=1):
        (trust / f"{number}.root.json").write_bytes(root)

    document = parse_document(json.loads(run(folder, *PLACE, "--document-only", "--trust", trust)))

    assert document.roots == owner.later_roots


def test_a_release_that_is_too_large_is_refused(run, folder, kit):
    """With the field, its size and the limit."""
    names = tuple(f"delta-{n}" for n in range(11))
    artifact = kit.package(b"x").artifact
    artifacts = tuple(type(artifact)(name, 1, sha256(b""), artifact.image) for name in names)
    (folder / "release.json").write_bytes(kit.sign(new_release(artifacts=artifacts)))

    with pytest.raises(LimitError, match=r"translate aws: artifacts: 11 downloads; AWS fills in at most 10"):
        run(folder, *PLACE, *TARGET)


MISUSE = [
    ((*PLACE, "--input-only"), "no input without a target: give --thing or --group"),
    ((*PLACE, "--thing", "device-1"), "--account is needed to name 'device-1' by its ARN"),
    ((*PLACE, *TARGET, "--document-only", "--input-only"), "at most one of"),
    (TARGET, "translate aws: .*stage"),
    ((*PLACE, *TARGET, "--region", "Frankfurt"), r"\$\.region"),
    ((*PLACE, *TARGET, "--account", "acme"), r"\$\.account"),
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
    for part in ("--document-only", "--input-only"):
        file = tmp_path / "part.json"
        file.write_text(run(folder, *PLACE, *TARGET, part))
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
    request = json.loads(run(folder, *PLACE, *TARGET, "--input-only"))
    shape = botocore.session.get_session().get_service_model("iot").operation_model("CreateJob").input_shape

    validate_parameters(request, shape)

    assert set(request) <= set(shape.members)


def test_another_cloud_is_not_guessed(folder):
    """The words say which there are."""
    result = CliRunner().invoke(app, ["translate", "gcp", str(folder)])

    assert isinstance(result.exception, UsageError)
    assert "no cloud is named 'gcp'; there is aws" in str(result.exception)

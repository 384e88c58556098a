"""docs/reference/aws-wire.md shows what the code really writes and reads."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from adapters.aws.request import (
    JobRequest,
    describe_group,
    describe_offer,
    group_arn,
    object_key,
    placeholder,
    render_request,
)
from adapters.aws.wire import Document, parse_document, render_document
from bridge.fleet import StageOrder
from bridge.names import stage_name
from bridge.release.details import parse_details, progress_details, report_details
from bridge.release.errors import FailureCode
from bridge.release.report import Outcome, Phase, Progress, Report
from tests.releases import new_release

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "aws-wire.md"
REGION = "eu-central-1"
RELEASE = b"the bytes of release.json"
DIGEST = "8d7d0b3ac0ffee00000000000000000000000000000000000000000000000001"
KEY = "spring-2026-1"
PROGRESS = Progress(Phase.DOWNLOADING, 40)
REPORT = Report(
    Outcome.FELL_BACK,
    "a",
    "1.4.2",
    FailureCode.UNHEALTHY,
    "check network: no default route after 60 s",
    fallbacks=3,
    artifact="gateway-os-2.0.0-from-1.4.2",
    saved=81_788_928,
)


@pytest.fixture(scope="module")
def blocks() -> dict[str, object]:
    """The page's JSON blocks by name."""
    found = re.findall(r"```json (\w+)\n(.*?)```", PAGE.read_text(), re.DOTALL)
    return {name: json.loads(body) for name, body in found}


def test_the_document_is_the_one_shown(blocks):
    """Field by field, in that order."""
    url = placeholder(REGION, "acme-firmware", object_key("otabridge", DIGEST, "rootfs.full"))
    document = Document("gateway-os", "2.0.0", RELEASE, (b"the bytes of 2.root.json",), {"rootfs.full": url})

    assert render_document(document) == json.dumps(blocks["document"], separators=(",", ":"))
    assert parse_document(blocks["document"]) == document


def test_the_input_is_the_one_shown(blocks):
    """With the document's text in place of the dots."""
    order = StageOrder(KEY, RELEASE, (), tuple(f"device-{n}" for n in range(12)), 60)
    name = stage_name(KEY)
    request = JobRequest(
        job_id=name,
        targets=(group_arn(REGION, "123456789012", name),),
        document="...",
        role_arn="arn:aws:iam::123456789012:role/otabridge-presign",
        timeout_minutes=60,
        description=f"{describe_group(order)}: {describe_offer(KEY, RELEASE, new_release(artifacts=()))}",
    )

    assert render_request(request) == blocks["input"]


def test_status_details_are_the_ones_shown(blocks):
    """Both ways."""
    assert progress_details(PROGRESS) == blocks["progress"]
    assert report_details(REPORT) == blocks["report"]
    assert [parse_details(blocks[name]) for name in ("progress", "report")] == [PROGRESS, REPORT]

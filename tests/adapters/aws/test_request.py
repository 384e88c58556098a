"""Names, placeholders and the input of CreateJob, and a job's counts as a tally."""

from __future__ import annotations

import re
from dataclasses import replace

import botocore.session
import pytest
from botocore.validate import validate_parameters
from hypothesis import given
from hypothesis import strategies as st

from adapters.aws.job_rules import RESERVED_JOB_IDS
from adapters.aws.limits import violations
from adapters.aws.request import (
    NATIVE,
    JobRequest,
    describe_group,
    describe_order,
    document_of,
    group_arn,
    is_empty,
    job_name,
    order_buckets,
    order_size,
    parse_tally,
    placeholder,
    render_request,
    thing_arn,
)
from adapters.aws.wire import render_document
from bridge.fleet import StageOrder
from bridge.names import stage_name
from bridge.release.bucket import Buckets
from bridge.tally import Tally

ROLE = "arn:aws:iam::123456789012:role/presign"


@given(st.text(min_size=1, max_size=300))
def test_any_key_names_a_job(key):
    """Within AWS's pattern and length, never a reserved word, and always the same."""
    name = stage_name(key)

    assert re.fullmatch(r"otabridge-[a-zA-Z0-9-]{1,54}", name)
    assert name not in RESERVED_JOB_IDS
    assert name == stage_name(key)


@given(st.text(min_size=1, max_size=80), st.text(min_size=1, max_size=80))
def test_two_keys_never_share_a_name(one, other):
    """Also where their readable parts look alike."""
    assert (stage_name(one) == stage_name(other)) == (one == other)


def test_a_name_can_be_read():
    """The key stands in the console, so people find their stage."""
    assert stage_name("spring-2026/eu/1").startswith("otabridge-spring-2026-eu-1-")


@pytest.mark.parametrize(
    ("region", "arn", "host"),
    [
        ("eu-west-1", "arn:aws:iot:eu-west-1:1:thing/t", "https://s3.eu-west-1.amazonaws.com/"),
        ("cn-north-1", "arn:aws-cn:iot:cn-north-1:1:thing/t", "https://s3.cn-north-1.amazonaws.com.cn/"),
        ("us-gov-west-1", "arn:aws-us-gov:iot:us-gov-west-1:1:thing/t", "https://s3.us-gov-west-1.amazonaws.com/"),
    ],
)
def test_the_parts_of_aws_are_told_apart(region, arn, host):
    """ARNs and hosts differ in China and for the US government."""
    assert thing_arn(region, "1", "t") == arn
    assert f":{host}bucket/" in placeholder(region, "bucket", "key")


def test_a_key_is_percent_encoded():
    """The placeholder's v2 form takes the URL encoded."""
    assert placeholder("eu-west-1", "b", "a b/ü").endswith("/b/a%20b/%C3%BC}")


@pytest.mark.parametrize("changes", [{}, {"per_minute": 100, "abort_percent": 10.5, "tags": {"team": "edge"}}])
def test_the_input_is_one_that_the_service_model_takes(package, changes):
    """botocore's own validation, and our limits."""
    place = {"region": "eu-west-1", "bucket": "bucket", "prefix": "otabridge"}
    document = render_document(document_of(package.release, package.document, (), **place))
    target = group_arn("eu-west-1", "123456789012", stage_name("k"))
    request = render_request(JobRequest(stage_name("k"), (target,), document, ROLE, 60, **changes))
    model = botocore.session.get_session().get_service_model("iot").operation_model("CreateJob")

    validate_parameters(request, model.input_shape)
    assert violations(request) == ()
    assert "jobExecutionsRetryConfig" not in request


def test_the_size_of_an_order_is_read_back(package):
    """From the job's and from the group's description; a text of somebody else says nothing."""
    order = StageOrder("k", package.document, (), ("a", "b"), 60, comment="first\ncanaries")

    assert order_size(describe_order(order, package.release)) == 2
    assert describe_order(order, package.release).endswith(" first?canaries")
    assert order_size(describe_group(replace(order, devices=()))) == 0
    assert order_size("weekly reboot of 12 devices") is None


COUNTS = {
    "numberOfQueuedThings": 1,
    "numberOfInProgressThings": 2,
    "numberOfSucceededThings": 3,
    "numberOfFailedThings": 4,
    "numberOfRejectedThings": 5,
    "numberOfTimedOutThings": 6,
    "numberOfCanceledThings": 7,
    "numberOfRemovedThings": 8,
}
WHOLE = Tally(waiting=1, running=2, installed=3, failed=4, rejected=5, timed_out=6, withdrawn=15)
TALLIES = [
    (COUNTS, "IN_PROGRESS", 36, WHOLE),
    (COUNTS, "IN_PROGRESS", 40, replace(WHOLE, waiting=5)),
    (COUNTS, "CANCELED", 40, replace(WHOLE, withdrawn=19, open=False, cancelled=True)),
    (COUNTS, "COMPLETED", None, replace(WHOLE, open=False)),
    ({}, "IN_PROGRESS", 7, Tally(waiting=7)),
    ({}, "SCHEDULED", None, Tally()),
    ({"processingTargets": ["arn"], "numberOfQueuedThings": "many"}, "DELETION_IN_PROGRESS", 2, None),
]


@pytest.mark.parametrize(("counts", "status", "size", "tally"), TALLIES)
def test_counts_become_a_tally_of_all_devices(counts, status, size, tally):
    """Those that the job has not counted wait; once it has ended they are withdrawn."""
    description = "" if size is None else f"otabridge stage, {size} devices: gateway-os 2.0.0 for k"

    found = parse_tally(counts, status=status, description=description)

    assert found == (tally or Tally(withdrawn=2, open=False))
    assert size is None or found.waiting + found.running + found.ended == size


ROLLING = {**COUNTS, "processingTargets": ["arn:aws:iot:eu-west-1:1:thinggroup/g"]}
BUCKET_TALLIES = [
    ("all found, one fewer than counted", COUNTS, "IN_PROGRESS", 37, WHOLE),
    ("all found, one more than counted", COUNTS, "IN_PROGRESS", 35, WHOLE),
    ("some to come", ROLLING, "IN_PROGRESS", 40, replace(WHOLE, waiting=5)),
    ("not looked yet", {}, "IN_PROGRESS", 40, Tally(waiting=40)),
    ("stopped before all were found", COUNTS, "CANCELED", 40, replace(WHOLE, withdrawn=19, open=False, cancelled=True)),
    ("ended", COUNTS, "COMPLETED", 40, replace(WHOLE, open=False)),
]


@pytest.mark.parametrize(
    ("counts", "status", "size", "tally"), [row[1:] for row in BUCKET_TALLIES], ids=[row[0] for row in BUCKET_TALLIES]
)
def test_an_order_by_buckets_has_the_devices_that_its_job_found(counts, status, size, tally):
    """A device that left after the count leaves no hole in the stage, one that came is not left out."""
    description = f"otabridge stage, {size} devices of buckets 9000-9999, 0-99: gateway-os 2.0.0 for k"

    assert parse_tally(counts, status=status, description=description) == tally


def test_buckets_are_read_back(package):
    """From the job's and from the group's description, in their order; exact devices and other texts have none."""
    ranges = (Buckets(9500, 9999), Buckets(0, 499))
    order = StageOrder("k", package.document, (), (), 60, buckets=ranges, size=12)

    assert order_buckets(describe_order(order, package.release)) == ranges
    assert order_size(describe_group(order)) == 12
    assert order_buckets(describe_group(replace(order, buckets=(), devices=("a",)))) == ()
    assert order_buckets("reboot of buckets 0-9") == ()
    assert not is_empty(describe_group(replace(order, size=0)))
    assert is_empty(describe_group(replace(order, buckets=())))


def test_an_adopted_job_keeps_its_own_name():
    """No stage order has such a key."""
    assert job_name(f"{NATIVE}weekly_Reboot-7") == "weekly_Reboot-7"
    assert job_name("spring-s1") == stage_name("spring-s1")

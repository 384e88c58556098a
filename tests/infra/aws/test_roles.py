"""Least privilege, both ways: what the adapter calls is what the module's policies allow, action by action.

The calls are recorded from the adapter at work against a simulated AWS, on every way that it has; that no way is
forgotten is held against its source.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from botocore.exceptions import ClientError

import adapters.aws
from adapters.aws import s3
from adapters.aws.cloud import AwsFleet
from adapters.aws.probes.listed import probes
from adapters.aws.probes.reading import Reading
from adapters.aws.settings import AwsFleetSettings
from bridge.fleet import FleetError, StageOrder
from bridge.names import stage_name
from bridge.probing import Duty, Found
from bridge.release.bucket import Buckets
from bridge.rollout.model import FleetPart
from tests.adapters.aws import made
from tests.adapters.aws.indexing import EVERY_BUCKET, INDEXED, report_of
from tests.infra.aws.needs import NO_RESOURCE, Call, Need, Place
from tests.infra.aws.policies import WILDCARDS, Policy
from tests.releases import ReleaseKit

DUTIES = ("controller", "publisher", "viewer")
BUCKET = "factory-artifacts"
NAMES = tuple(f"gate-{number}" for number in range(4))
WHOLE = FleetPart("factory")
FOREIGN = "AFR_OTA-spring"
CLIENTS = frozenset({"_iot", "_s3"})
TRANSFERS = frozenset({"UploadFileobj"})
"""Methods of boto3 that are no operation: s3transfer makes several of them, which are recorded."""


class Recorder:
    """Fleets whose calls are noted under the duty that makes them."""

    def __init__(self, aws) -> None:
        self.settings = AwsFleetSettings(
            region=aws.region,
            bucket=BUCKET,
            role_arn=f"arn:aws:iam::{aws.account}:role/factory-presign",
            tags={"team": "devices"},
            settle_seconds=0,
        )
        self.calls: dict[str, list[Call]] = {duty: [] for duty in DUTIES}

    def fleet(self, duty: str, **changes) -> AwsFleet:
        """The fleet as `duty` opens it."""
        fleet = AwsFleet("factory", msgspec.structs.replace(self.settings, **changes))
        self._note(fleet._session.events, duty)
        return fleet

    def look_at_made(self, duty: str, resources) -> None:
        """What `fleet check --from-terraform` reads of what Terraform made."""
        settings = msgspec.structs.asdict(self.settings)
        readings = [each for each in probes("factory", settings, resources) if isinstance(each, Reading)]
        self._note(readings[0].account._session.events, duty)
        for reading in readings:
            assert reading.run(Duty(duty)).found is Found.OK

    def _note(self, events, duty: str) -> None:
        noted = self.calls[duty]

        def note(params, model, **_):
            noted.append(Call(model.service_model.service_name, model.name, dict(params)))

        events.register("provide-client-params", note)

    def operations(self) -> set[str]:
        """Every operation that was called, by whomever."""
        return {call.operation for calls in self.calls.values() for call in calls}


@pytest.fixture(scope="module")
def package():
    """A signed release, large enough to be stored in parts."""
    return ReleaseKit(root_keys=(1, 1), release_keys=(1, 1)).package(bytes(range(256)) * 40)


@pytest.fixture(scope="module")
def order(package):
    """A stage for two devices by name."""
    return StageOrder("spring/1", package.document, (), NAMES[:2], timeout_minutes=30, part=WHOLE)


@pytest.fixture(scope="module")
def recorded(aws, order, package, tmp_path_factory) -> Iterator[Recorder]:
    """Everything that a fleet is asked for, once."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in aws.environment().items():
            patch.setenv(name, value)
        resources = made.make(aws)
        aws.populate({name: report_of(name) for name in NAMES})
        iot = aws.client("iot")
        iot.update_indexing_configuration(thingIndexingConfiguration=INDEXED)
        iot.create_thing_group(thingGroupName="hall-1")
        iot.create_job(jobId=FOREIGN, targets=[aws.thing_arn(NAMES[0])], document="{}")
        source = tmp_path_factory.mktemp("source") / "artifact"
        source.write_bytes(package.files[package.artifact.name])
        recorder = Recorder(aws)
        publish(recorder, package, source)
        for fleet, each in (
            (recorder.fleet("controller"), order),
            (recorder.fleet("controller", by_bucket=True), by_bucket(order)),
        ):
            fleet.put_artifact(package.artifact, source, lambda _: None)
            roll_out(fleet, each, package, lambda key: fail(aws, key))
        adopt(recorder.fleet("controller"))
        for listed in (True, False):
            look(recorder.fleet("viewer", by_bucket=not listed), order, package)
        for duty in ("controller", "viewer"):
            recorder.look_at_made(duty, resources)
        yield recorder


def publish(recorder, package, source):
    """An artifact in one request, one in parts, and one whose upload fails."""
    fleet = recorder.fleet("publisher")
    fleet.put_artifact(package.artifact, source, lambda _: None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(s3, "SINGLE", 100)
        patch.setattr(s3, "TRANSFER", s3.TransferConfig(multipart_threshold=100, use_threads=False))
        in_parts = msgspec.structs.replace(package.artifact, name="rootfs.parts")
        fleet.put_artifact(in_parts, source, lambda _: None)
        fleet._store._s3.meta.events.register("before-call.s3.UploadPart", lose)
        with pytest.raises(FleetError, match="UploadPart"):
            fleet.put_artifact(msgspec.structs.replace(package.artifact, name="rootfs.lost"), source, lambda _: None)


def lose(**_):
    """A part that does not arrive."""
    raise ClientError({"Error": {"Code": "InternalError", "Message": "lost"}}, "UploadPart")


def roll_out(fleet, order, package, trouble):
    """A stage from its plan to its end, begun again as after a crash; in another one a device has failed."""
    look_at_devices(fleet)
    fleet.check(order)
    fleet.start(order)
    fleet.start(order)
    trouble(order.key)
    look_at_order(fleet, order, package)
    fleet.health((order.key,), "thingName:gate-*")
    fleet.watchdog_resets((order.key,))
    fleet.stop(order.key, "enough")
    fleet.start(replace(order, key=f"{order.key}/again"))
    fleet.stop(f"{order.key}/again", "enough")


def fail(aws, key):
    """A device of the order takes the offer, and says that it failed."""
    devices = aws.client("iot-jobs-data")
    devices.start_next_pending_job_execution(thingName=NAMES[1])
    devices.update_job_execution(jobId=stage_name(key), thingName=NAMES[1], status="FAILED")


def by_bucket(order):
    """The same order for all devices, by bucket."""
    return replace(order, key="summer/1", devices=(), buckets=EVERY_BUCKET, size=len(NAMES))


def look(fleet, order, package):
    """What whoever only looks may ask."""
    look_at_devices(fleet)
    look_at_order(fleet, order, package)


def look_at_devices(fleet):
    """A census and the devices, of every kind of part."""
    fleet.facts()
    parts = (WHOLE, FleetPart("factory", group="hall-1"), FleetPart("factory", query="thingName:gate-*"))
    for part in (*parts, FleetPart("factory", devices=NAMES)):
        list(fleet.devices(part))
        fleet.census(part, (Buckets(0, 9999),))


def look_at_order(fleet, order, package):
    """Counts and reports of an order, and of one that was never started; savings by the index."""
    fleet.tally(order.key)
    fleet.tally("never/1")
    list(fleet.reports(order.key))
    fleet.saved((order.key,), package.release)


def adopt(fleet):
    """A job of somebody else's, watched and cancelled."""
    key = fleet.adopt(FOREIGN).key
    fleet.tally(key)
    fleet.stop(key, "enough")


def needs_of(recorder, aws, duty) -> set[Need]:
    """What the calls of a duty need."""
    place = Place(aws.account, aws.region)
    return {need for call in recorder.calls[duty] for need in place.needs(call)}


def missing(policy: Policy, needs) -> set[Need]:
    """Needs that the policy does not meet."""
    return {need for need in needs if not policy.allows(need.action, need.resource)}


@pytest.fixture(params=DUTIES)
def duty(request):
    """Each of those for whom there is a policy."""
    return request.param


@pytest.fixture
def policy(planned, duty) -> Policy:
    """The policy of a duty, as Terraform renders it."""
    return planned.policy(f'aws_iam_policy.access["{duty}"]')


def test_every_call_is_allowed(recorded, aws, duty, policy):
    """Nothing that a duty does is refused, on the very resources on which it is done."""
    assert missing(policy, needs_of(recorded, aws, duty)) == set()


def test_no_action_is_unused(recorded, aws, duty, policy):
    """What a duty is allowed, it does."""
    assert policy.actions - {need.action for need in needs_of(recorded, aws, duty)} == set()


def test_no_action_is_a_pattern(policy):
    """Actions are named one by one, so that a new one of AWS is allowed to nobody."""
    assert [action for action in policy.actions if WILDCARDS.search(action)] == []


def test_everything_stands_only_where_nothing_can_be_named(policy):
    """A statement about all resources holds only actions for which AWS knows no resource."""
    of_all = {action for each in policy.statements if "*" in each.resources for action in each.actions}

    assert of_all <= NO_RESOURCE


def test_what_is_not_otabridges_is_out_of_reach(aws, planned):
    """The controller can end its own jobs and those that may be adopted, and delete its own groups; no others."""
    policy, place = planned.policy('aws_iam_policy.access["controller"]'), f"arn:aws:iot:{aws.region}:{aws.account}"

    assert policy.allows("iot:CancelJob", f"{place}:job/otabridge-spring-1")
    assert policy.allows("iot:CancelJob", f"{place}:job/{FOREIGN}")
    assert not policy.allows("iot:CancelJob", f"{place}:job/reboot")
    assert not policy.allows("iot:CreateJob", f"{place}:job/{FOREIGN}")
    assert not policy.allows("iot:CreateJob", f"{place}:thinggroup/fleet-factory")
    assert not policy.allows("iot:DeleteThingGroup", f"{place}:thinggroup/fleet-factory")
    assert not policy.allows("iam:PassRole", f"arn:aws:iam::{aws.account}:role/factory-controller")
    assert not policy.allows("s3:PutObject", f"arn:aws:s3:::{BUCKET}/otabridge/x")


def test_a_publisher_reaches_nothing_but_its_folder(planned):
    """Not the rest of the bucket, not the ledger, and it deletes nothing."""
    policy = planned.policy('aws_iam_policy.access["publisher"]')

    assert policy.allows("s3:PutObject", f"arn:aws:s3:::{BUCKET}/otabridge/x/y")
    assert not policy.allows("s3:PutObject", f"arn:aws:s3:::{BUCKET}/elsewhere/x")
    assert not policy.allows("s3:PutObject", "arn:aws:s3:::factory-ledger/otabridge/x")
    assert not policy.allows("s3:DeleteObject", f"arn:aws:s3:::{BUCKET}/otabridge/x/y")


def test_a_viewer_changes_nothing(recorded, planned):
    """Whoever only looks calls nothing that changes, and is allowed nothing that does."""
    verbs = ("Describe", "Get", "List", "Search")
    allowed = planned.policy('aws_iam_policy.access["viewer"]').actions

    assert [action for action in allowed if not action.partition(":")[2].startswith(verbs)] == []
    assert [call for call in recorded.calls["viewer"] if not call.operation.startswith(verbs)] == []


def test_any_action_less_would_be_noticed(recorded, aws, duty, policy):
    """The first test would fail for a policy that lacks any one of its actions."""
    needs = needs_of(recorded, aws, duty)

    assert [action for action in policy.actions if not missing(policy.without(action), needs)] == []


def test_every_call_in_the_source_was_recorded(recorded):
    """An operation that is added to the adapter has to be played here, and so to be allowed."""
    assert operations_in_source() - recorded.operations() == set()


def operations_in_source() -> set[str]:
    """Operations that the adapter's source calls: methods of its clients, and their paginators."""
    found = set()
    for file in Path(adapters.aws.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and is_client(node.func.value):
                found.add(operation(node))
    return found - TRANSFERS


def is_client(node) -> bool:
    """Whether it is `self._iot` or `self._s3`."""
    return isinstance(node, ast.Attribute) and node.attr in CLIENTS


def operation(call) -> str:
    """The operation's name, from `describe_job(...)` or from `get_paginator("list_things")`."""
    name = call.args[0].value if call.func.attr == "get_paginator" else call.func.attr
    return "".join(word.capitalize() for word in name.split("_"))

"""Every call of AWS IoT that the adapter makes, as one that does nothing: those that change something name a job or a
group that is not there, or a query that is none.
"""

from __future__ import annotations

from adapters.aws.probes.account import NOWHERE, Account
from adapters.aws.probes.iot import ABSENT, Call, IotCall
from adapters.aws.refusals import ALREADY_EXISTS, INDEX_NOT_READY
from bridge.probing import Duty

LOOKS = frozenset({Duty.CONTROLLER, Duty.VIEWER})
ACTS = frozenset({Duty.CONTROLLER})
UNFIT = (*ABSENT, "InvalidRequestException", ALREADY_EXISTS)
NO_QUERY = (*UNFIT, INDEX_NOT_READY, "InvalidQueryException", "InvalidAggregationException")
JOBS, GROUPS, INDEX = "job/otabridge-*", "thinggroup/otabridge-*", "index/AWS_Things"
NOBODY = f"thingName:{NOWHERE}"


def _executions(at: Account) -> object:
    return at.iot.list_job_executions_for_job(jobId=NOWHERE, maxResults=1)


def _execution(at: Account) -> object:
    return at.iot.describe_job_execution(jobId=NOWHERE, thingName=NOWHERE)


def _members(at: Account) -> object:
    return at.iot.list_things_in_thing_group(thingGroupName=NOWHERE, maxResults=1)


def _groups(at: Account) -> object:
    return at.iot.list_thing_groups(namePrefixFilter=NOWHERE, maxResults=1)


def _search(at: Account) -> object:
    return at.iot.search_index(queryString=NOBODY, maxResults=1)


def _models(at: Account) -> object:
    return at.iot.get_buckets_aggregation(
        queryString=NOBODY,
        aggregationField="registry.version",
        bucketsAggregationType={"termsAggregation": {"maxBuckets": 1}},
    )


def _create_group(at: Account) -> None:
    """Should somebody have made the parent, the group is taken back."""
    at.iot.create_thing_group(thingGroupName=NOWHERE, parentGroupName=f"{NOWHERE}-parent")
    at.iot.delete_thing_group(thingGroupName=NOWHERE)


def _create_dynamic(at: Account) -> object:
    return at.iot.create_dynamic_thing_group(thingGroupName=NOWHERE, queryString="thingName:(")


def _add(at: Account) -> object:
    return at.iot.add_thing_to_thing_group(thingGroupName=NOWHERE, thingName=NOWHERE)


def _create_job(at: Account) -> None:
    """As a stage does, with role and tags; the group to which it would go is not there. Should it be, the job is
    cancelled.
    """
    settings = at.settings
    at.iot.create_job(
        jobId=NOWHERE,
        targets=[at.iot_arn(f"thinggroup/{NOWHERE}")],
        document="{}",
        targetSelection="SNAPSHOT",
        presignedUrlConfig={"roleArn": settings.role_arn, "expiresInSec": 60},
        tags=[{"Key": key, "Value": value} for key, value in settings.tags.items()],
    )
    at.iot.cancel_job(jobId=NOWHERE)


READS = (
    Call("DescribeJob", "read a job that is not there", lambda at: at.iot.describe_job(jobId=NOWHERE), JOBS),
    Call("ListJobExecutionsForJob", "list its devices", _executions, JOBS),
    Call("DescribeJobExecution", "read a device's part in it", _execution, "thing/*"),
    Call(
        "DescribeThingGroup",
        "read a group that is not there",
        lambda at: at.iot.describe_thing_group(thingGroupName=NOWHERE),
        GROUPS,
    ),
    Call("ListThingsInThingGroup", "list its devices", _members, "thinggroup/*"),
    Call("ListThings", "list one device", lambda at: at.iot.list_things(maxResults=1)),
    Call(
        "DescribeThing",
        "read a device that is not there",
        lambda at: at.iot.describe_thing(thingName=NOWHERE),
        "thing/*",
    ),
)
INDEX_READS = (
    Call("SearchIndex", "search a device that is not there", _search, INDEX, NO_QUERY),
    Call("GetStatistics", "count it", lambda at: at.iot.get_statistics(queryString=NOBODY), INDEX, NO_QUERY),
    Call("GetBucketsAggregation", "count it by its version", _models, INDEX, NO_QUERY),
)
ACTS_OF_ANY = (
    Call("GetJobDocument", "read a job's document", lambda at: at.iot.get_job_document(jobId=NOWHERE), JOBS),
    Call("CreateJob", "make a job for a group that is not there", _create_job, JOBS, UNFIT),
    Call("CancelJob", "cancel a job that is not there", lambda at: at.iot.cancel_job(jobId=NOWHERE), JOBS, UNFIT),
    Call("ListThingGroups", "list groups of a name that none has", _groups),
    Call("CreateThingGroup", "make a group below one that is not there", _create_group, GROUPS, UNFIT),
    Call("AddThingToThingGroup", "add a device that is not there to a group that is not", _add, GROUPS, UNFIT),
    Call(
        "DeleteThingGroup",
        "delete a group that is not there",
        lambda at: at.iot.delete_thing_group(thingGroupName=NOWHERE),
        GROUPS,
        UNFIT,
    ),
)

ACTS_BY_BUCKET = (
    Call("CreateDynamicThingGroup", "make a group of a query that is none", _create_dynamic, GROUPS, NO_QUERY),
    Call(
        "DeleteDynamicThingGroup",
        "delete a dynamic group that is not there",
        lambda at: at.iot.delete_dynamic_thing_group(thingGroupName=NOWHERE),
        GROUPS,
        UNFIT,
    ),
)


def iot_calls(account: Account) -> tuple[IotCall, ...]:
    """The probes; those of fleet indexing and of dynamic groups only where the fleet selects by bucket."""
    by_bucket = account.settings.by_bucket
    looks, acts = (READS + INDEX_READS, ACTS_OF_ANY + ACTS_BY_BUCKET) if by_bucket else (READS, ACTS_OF_ANY)
    return (*(IotCall(account, call, LOOKS) for call in looks), *(IotCall(account, call, ACTS) for call in acts))

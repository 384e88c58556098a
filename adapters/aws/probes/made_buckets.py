"""Probes of what the buckets are like: versions, encryption, no public access, and the lock of the ledger's."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial

from botocore.exceptions import ClientError

from adapters.aws.probes.account import Account
from adapters.aws.probes.made import Made
from adapters.aws.probes.reading import Reading
from adapters.aws.refusals import code_of
from adapters.made import Faults, unless

ACTIONS = "s3:GetBucketVersioning, s3:GetBucketPublicAccessBlock, s3:GetEncryptionConfiguration"
LOCK = "s3:GetBucketObjectLockConfiguration"
UNSET = frozenset(
    {"NoSuchPublicAccessBlockConfiguration", "ServerSideEncryptionConfigurationNotFoundError"}
    | {"ObjectLockConfigurationNotFoundError"}
)
"""With which S3 says that a bucket has no such configuration."""
BLOCKS = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
Json = Mapping[str, object]


def buckets(at: Account, made: Made) -> Iterator[Reading]:
    """Those of the buckets that are named."""
    if made.artifact_bucket_arn:
        arn, name = made.artifact_bucket_arn, _name(made.artifact_bucket_arn)
        read = partial(_artifacts, at, arn)
        yield Reading(at, "artifact_bucket_arn", f"the bucket {name}", ACTIONS, arn, read, "artifact_bucket_name")
    if made.ledger_bucket:
        name, arn = made.ledger_bucket, f"{at.bucket_arn.rpartition(':')[0]}:{made.ledger_bucket}"
        read = partial(_ledger, at, name)
        what = f"the ledger's bucket {name}"
        yield Reading(at, "ledger_bucket", what, f"{ACTIONS}, {LOCK}", arn, read, "ledger_bucket_name")


def _artifacts(at: Account, arn: str) -> Faults:
    theirs = at.settings.bucket
    yield from unless(holds=_name(arn) == theirs, needs=f"bucket of the fleet to be {_name(arn)}; it is {theirs}")
    yield from _any(at, _name(arn))


def _ledger(at: Account, name: str) -> Faults:
    yield from _any(at, name)
    lock = _configured(lambda: at.s3.get_object_lock_configuration(Bucket=name)["ObjectLockConfiguration"])
    locked = lock.get("ObjectLockEnabled") == "Enabled" and bool(lock.get("Rule"))
    yield from unless(holds=locked, needs=f"Object Lock with a retention in {name}", variable="ledger_bucket_name")


def _any(at: Account, name: str) -> Faults:
    status = at.s3.get_bucket_versioning(Bucket=name).get("Status")
    yield from unless(holds=status == "Enabled", needs=f"versioning of {name}")
    block = _configured(lambda: at.s3.get_public_access_block(Bucket=name)["PublicAccessBlockConfiguration"])
    open_ = [each for each in BLOCKS if not block.get(each)]
    yield from unless(holds=not open_, needs=f"{', '.join(open_)} of {name}")
    rules = _configured(lambda: at.s3.get_bucket_encryption(Bucket=name)["ServerSideEncryptionConfiguration"])
    yield from unless(holds=bool(rules.get("Rules")), needs=f"encryption of {name}", variable="artifact_kms_key_arn")


def _configured(ask: Callable[[], object]) -> Json:
    """What is configured; nothing where nothing is. Raises: ClientError."""
    try:
        found = ask()
    except ClientError as error:
        if code_of(error) in UNSET:
            return {}
        raise
    return found if isinstance(found, Mapping) else {}


def _name(arn: str) -> str:
    return arn.rpartition(":")[2]

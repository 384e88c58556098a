"""Exceptions of boto3 as FleetErrors: the operation, AWS's code, and what to do about it. One table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from boto3.exceptions import Boto3Error
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,  # noqa: A004 - botocore's own name for it
    HTTPClientError,
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
)

from adapters.artifact_source import UnfitSource
from adapters.violations import BrokenLimits
from bridge.fleet import FleetError, LimitError

ALREADY_EXISTS = "ResourceAlreadyExistsException"
NOT_FOUND = frozenset({"ResourceNotFoundException", "404", "NoSuchKey", "NotFound"})
INDEX_NOT_READY = "IndexNotReadyException"
PASSING = frozenset(
    {"ThrottlingException", "TooManyRequestsException", "Throttling", "SlowDown", "RequestTimeout", INDEX_NOT_READY}
)
"""Throttled, or not ready yet: waiting helps."""
DENIED = frozenset({"AccessDeniedException", "AccessDenied", "UnauthorizedException", "NotAuthorizedException", "403"})
STALE = frozenset(
    {"ExpiredToken", "ExpiredTokenException", "UnrecognizedClientException", "InvalidClientTokenId"}
    | {"InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidSignatureException"}
)
SERVER_FAULT = 500
PERMISSIONS: Mapping[str, str] = {
    "CreateJob": "iot:CreateJob on the job and its group, and iam:PassRole on the presign role",
    "HeadObject": "s3:GetObject on the object and s3:ListBucket on the bucket",
    "CreateMultipartUpload": "s3:PutObject",
    "UploadPart": "s3:PutObject",
    "CompleteMultipartUpload": "s3:PutObject",
    "AbortMultipartUpload": "s3:AbortMultipartUpload",
}
"""What a call needs where it is not just its own name."""
S3_CALLS = frozenset({"PutObject", *PERMISSIONS}) - {"CreateJob"}


@contextmanager
def explained(fleet: str) -> Iterator[None]:
    """Within it, what boto3 raises leaves as FleetError, and BrokenLimits as LimitError; `fleet` names the fleet."""
    try:
        yield
    except BrokenLimits as error:
        raise LimitError(f"fleet {fleet}: {error}") from error
    except UnfitSource as error:
        raise FleetError(f"fleet {fleet}: {error}") from error
    except ClientError as error:
        raise _refusal(fleet, error) from error
    except (BotoCoreError, Boto3Error) as error:
        raise _failure(fleet, error) from error


def code_of(error: ClientError) -> str:
    """AWS's name for what was wrong, such as ResourceNotFoundException; S3 answers HEAD with a bare status."""
    return str(error.response.get("Error", {}).get("Code", ""))


def is_missing(error: ClientError) -> bool:
    """Whether the call failed because the thing it names is not there."""
    return code_of(error) in NOT_FOUND


def _refusal(fleet: str, error: ClientError) -> FleetError:
    operation, code = error.operation_name, code_of(error)
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    passing = code in PASSING or status >= SERVER_FAULT
    message = str(error.response.get("Error", {}).get("Message", ""))[:512]
    text = f"fleet {fleet}: {operation} was refused: {code}: {message}. {_advice(operation, code, passing=passing)}"
    return FleetError(text, retryable=passing)


def _advice(operation: str, code: str, *, passing: bool) -> str:
    if code in DENIED:
        return f"Allow these credentials {_permission(operation)}"
    if code in STALE:
        return "The credentials are not valid (any more): sign in again"
    if code == "NoSuchBucket":
        return "Create the bucket, or correct `bucket` of this fleet"
    if code == INDEX_NOT_READY:
        return "Fleet indexing is still being built: try again later"
    if code == "LimitExceededException":
        return "A quota of the account is used up: end old jobs, or have it raised"
    return "Try again later" if passing else "Correct what AWS names and run the command again"


def _permission(operation: str) -> str:
    service = "s3" if operation in S3_CALLS else "iot"
    return PERMISSIONS.get(operation, f"{service}:{operation}")


def _failure(fleet: str, error: BotoCoreError | Boto3Error) -> FleetError:
    if isinstance(error, (NoCredentialsError, PartialCredentialsError, ProfileNotFound)):
        return FleetError(f"fleet {fleet}: {error}. Configure AWS credentials, or `profile` of this fleet")
    passing = isinstance(error, (ConnectionError, HTTPClientError))
    advice = "Check the network and `endpoint_url`" if passing else "The call did not get through"
    return FleetError(f"fleet {fleet}: {error}. {advice}", retryable=passing)

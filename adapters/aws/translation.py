"""`otabridge translate aws`: what would be sent to AWS IoT, and what is wrong with what others would send. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import msgspec

from adapters.aws.limits import check_request, violations
from adapters.aws.request import JobRequest, describe_offer, document_of, group_arn, render_request, thing_arn
from adapters.aws.wire import parse_document, render_document
from adapters.violations import BrokenLimits, Violation
from bridge.errors import UsageError
from bridge.fleet import LimitError
from bridge.names import stage_name
from bridge.release.errors import ReleaseError
from bridge.release.manifest import parse
from bridge.release.trust import read_release

MOST_FAULTS = 50
ACCOUNT = r"^\d{12}\Z"
_CARRIER: Mapping[str, object] = {
    "jobId": "check",
    "targets": ["arn:aws:iot:eu-west-1:000000000000:thing/check"],
    "presignedUrlConfig": {"roleArn": "arn:aws:iam::000000000000:role/check"},
}
"""A request without fault, to hold a document against the limits by."""


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The options of the command; `thing` and `group` are names, for which `account` is needed, or whole ARNs."""

    stage: Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
    region: Annotated[str, msgspec.Meta(pattern=r"^[a-z]{2}(-[a-z]+)+-\d\Z")]
    bucket: Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]\Z")]
    role_arn: str
    thing: tuple[str, ...] = ()
    group: tuple[str, ...] = ()
    account: Annotated[str, msgspec.Meta(pattern=ACCOUNT)] | None = None
    prefix: str = "otabridge"
    timeout_minutes: int = 60


def translate(release: bytes, roots: tuple[bytes, ...], options: Mapping[str, object]) -> dict[str, object]:
    """`document`, the job document, and, given a target, `input`, the input of CreateJob that carries it as text.

    Raises: UsageError; LimitError, with every limit that is broken; ReleaseError.
    """
    try:
        chosen = msgspec.convert(options, Options)
    except msgspec.ValidationError as error:
        raise UsageError(f"translate aws: {error}") from error
    try:
        document = _document(release, roots, chosen)
        parts: dict[str, object] = {"document": msgspec.json.decode(document)}
        if chosen.thing or chosen.group:
            parts["input"] = _input(release, chosen, document)
    except BrokenLimits as error:
        raise LimitError(f"translate aws: {error}") from error
    return parts


def check(text: bytes) -> tuple[str, ...]:
    """The limits that a job document, or the input of a CreateJob, breaks. Raises: UsageError."""
    value = _decode(text)
    if not isinstance(value, dict):
        raise UsageError("neither a job document nor the input of CreateJob: it is no JSON object")
    if "jobId" in value or "targets" in value:
        return _some((*map(str, violations(value)), *_document_faults(value.get("document"))))
    carrier = {**_CARRIER, "document": text.decode()}
    return _some((*map(str, violations(carrier)), *_schema_faults(value)))


def _decode(text: bytes) -> object:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"not JSON in UTF-8: {error}") from error


def _some(faults: tuple[str, ...]) -> tuple[str, ...]:
    """Enough of them to begin with."""
    left = len(faults) - MOST_FAULTS
    return faults if left <= 0 else (*faults[:MOST_FAULTS], f"and {left} more")


def _document(release: bytes, roots: tuple[bytes, ...], options: Options) -> str:
    place = {"region": options.region, "bucket": options.bucket, "prefix": options.prefix}
    return render_document(document_of(parse(read_release(release).signed), release, roots, **place))


def _input(release: bytes, options: Options, document: str) -> dict[str, object]:
    request = render_request(
        JobRequest(
            job_id=stage_name(options.stage),
            targets=_targets(options),
            document=document,
            role_arn=options.role_arn,
            timeout_minutes=options.timeout_minutes,
            description=describe_offer(options.stage, release, parse(read_release(release).signed)),
        )
    )
    check_request(request)
    return request


def _targets(options: Options) -> tuple[str, ...]:
    names = [name for name in (*options.thing, *options.group) if not name.startswith("arn:")]
    if names and options.account is None:
        raise UsageError(f"translate aws: --account is needed to name {names[0]!r} by its ARN; or give the whole ARN")
    account = options.account or ""
    things = [name if name.startswith("arn:") else thing_arn(options.region, account, name) for name in options.thing]
    groups = [name if name.startswith("arn:") else group_arn(options.region, account, name) for name in options.group]
    return (*things, *groups)


def _document_faults(document: object) -> tuple[str, ...]:
    if not isinstance(document, str):
        return ()
    try:
        return _schema_faults(msgspec.json.decode(document))
    except (msgspec.DecodeError, RecursionError):
        return ()


def _schema_faults(value: object) -> tuple[str, ...]:
    """What an agent would reject the document for."""
    try:
        parse_document(value)
    except ReleaseError as error:
        return (str(Violation("document", "no agent would take it", str(error))),)
    return ()

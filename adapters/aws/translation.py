"""`otabridge translate aws`: what would be sent to AWS IoT, and what is wrong with what others would send. Pure."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec

from adapters.aws.device_client import Download, Installation, is_meant, render
from adapters.aws.device_client import violations as device_client_violations
from adapters.aws.limits import MAX_COMMENT, check_request, violations
from adapters.aws.request import (
    JobRequest,
    describe_offer,
    document_of,
    group_arn,
    object_key,
    placeholder,
    render_request,
    thing_arn,
)
from adapters.aws.wire import parse_document, render_document
from adapters.violations import BrokenLimits, Violation
from bridge.errors import UsageError
from bridge.fleet import LimitError
from bridge.names import stage_name
from bridge.release.details import one_line
from bridge.release.errors import ReleaseError
from bridge.release.manifest import parse
from bridge.release.trust import read_release
from bridge.translation import NamedFile, option_name, read_options

MOST_FAULTS = 50
REGION = r"^[a-z]{2}(-[a-z]+)+-\d\Z"
BUCKET = r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]\Z"
Names = tuple[str, ...]
Files = tuple[NamedFile, ...]
Account = Annotated[str, msgspec.Meta(pattern=r"^\d{12}\Z")]
Style = Literal["otabridge", "device-client"]
YesNo = Literal["yes", "no"]
_CARRIER: Mapping[str, object] = {
    "jobId": "check",
    "targets": ["arn:aws:iot:eu-west-1:000000000000:thing/check"],
    "presignedUrlConfig": {"roleArn": "arn:aws:iam::000000000000:role/check"},
}
"""A request without fault, to hold a document against the limits by."""


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The options of the command; `thing` and `group` are names, for which `account` is needed, or whole ARNs."""

    stage: Annotated[str, msgspec.Meta(min_length=1, max_length=256, description="Key of the stage; names the job.")]
    region: Annotated[str, msgspec.Meta(pattern=REGION, description="The fleet's region.")]
    bucket: Annotated[str, msgspec.Meta(pattern=BUCKET, description="Where the artifacts lie.")]
    role_arn: Annotated[str, msgspec.Meta(description="Role that signs downloads.")]
    thing: Annotated[Names, msgspec.Meta(description="Target device, name or ARN; may be repeated.")] = ()
    group: Annotated[Names, msgspec.Meta(description="Target group, name or ARN; may be repeated.")] = ()
    account: Annotated[Account | None, msgspec.Meta(description="Account, to turn names into ARNs.")] = None
    prefix: Annotated[str, msgspec.Meta(description="Folder of the artifacts in the bucket.")] = "otabridge"
    timeout_minutes: Annotated[int, msgspec.Meta(description="Minutes that one device may take.")] = 60
    style: Annotated[Style, msgspec.Meta(description="For whose agent: otabridge's, or device-client.")] = "otabridge"
    file: Annotated[
        Files, msgspec.Meta(description="device-client: a file instead of a release; may be repeated.")
    ] = ()
    handler: Annotated[str, msgspec.Meta(description="device-client: the script on the device that installs.")] = ""
    arguments: Annotated[Names, msgspec.Meta(description="device-client: an argument for it; may be repeated.")] = ()
    directory: Annotated[
        str, msgspec.Meta(pattern="^/", description="device-client: where files go on the device.")
    ] = "/var/tmp"  # noqa: S108 - on the device, where AWS's own samples put them
    run_as: Annotated[str, msgspec.Meta(description="device-client: user that downloads and installs.")] = ""
    compare: Annotated[YesNo, msgspec.Meta(description="device-client: no for a client without runCommand.")] = "yes"


def translate(release: bytes | None, roots: tuple[bytes, ...], options: Mapping[str, object]) -> dict[str, object]:
    """`document`, the job document, and, given a target, `input`, the input of CreateJob that carries it as text.

    Raises: UsageError; LimitError, with every limit that is broken; ReleaseError.
    """
    chosen = read_options("aws", options, Options)
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
    return _some((*map(str, violations(carrier)), *_agent_faults(value)))


def _decode(text: bytes) -> object:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"not JSON in UTF-8: {error}") from error


def _some(faults: tuple[str, ...]) -> tuple[str, ...]:
    """Enough of them to begin with."""
    left = len(faults) - MOST_FAULTS
    return faults if left <= 0 else (*faults[:MOST_FAULTS], f"and {left} more")


def _document(release: bytes | None, roots: tuple[bytes, ...], options: Options) -> str:
    if options.style == "device-client":
        return _device_client_document(release, options)
    given = [name for name in ("file", "handler", "arguments", "run_as") if getattr(options, name)]
    if given:
        raise UsageError(f"translate aws: {option_name(given[0])} goes with --style device-client")
    if release is None:
        raise UsageError("translate aws: name a release")
    place = {"region": options.region, "bucket": options.bucket, "prefix": options.prefix}
    return render_document(document_of(parse(read_release(release).signed), release, roots, **place))


def _device_client_document(release: bytes | None, options: Options) -> str:
    if not options.handler:
        raise UsageError("translate aws: --handler is missing: the script in the device's handler directory to run")
    if (release is None) == (not options.file):
        raise UsageError("translate aws: name a release, or files with --file, and not both")
    downloads = [_download(each, options) for each in options.file or (_full(release),)]
    installation = Installation(options.handler, options.arguments, options.run_as, options.compare == "yes")
    document = msgspec.json.encode(render(downloads, installation)).decode()
    check_request({**_CARRIER, "document": document})
    return document


def _full(release: bytes | None) -> NamedFile:
    """The full artifact alone: AWS's agent fetches all that is named, and cannot tell which delta fits the device."""
    content = parse(read_release(release or b"").signed)
    if content.steps:
        raise UsageError("translate aws: the release has steps, and AWS's agent knows none: name its files with --file")
    return NamedFile(content.full.name, content.full.length, content.full.sha256)


def _download(file: NamedFile, options: Options) -> Download:
    url = placeholder(options.region, options.bucket, object_key(options.prefix, file.sha256, file.name))
    return Download(url, posixpath.join(options.directory, file.name), file.sha256)


def _input(release: bytes | None, options: Options, document: str) -> dict[str, object]:
    request = render_request(
        JobRequest(
            job_id=stage_name(options.stage),
            targets=_targets(options),
            document=document,
            role_arn=options.role_arn,
            timeout_minutes=options.timeout_minutes,
            description=_description(release, options),
        )
    )
    check_request(request)
    return request


def _description(release: bytes | None, options: Options) -> str:
    if release is None:
        return one_line(f"{', '.join(each.name for each in options.file)} for {options.stage}", MAX_COMMENT)
    return describe_offer(options.stage, release, parse(read_release(release).signed))


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
        return _agent_faults(msgspec.json.decode(document))
    except (msgspec.DecodeError, RecursionError):
        return ()


def _agent_faults(value: object) -> tuple[str, ...]:
    """What the agent that the document is for would reject it for."""
    if isinstance(value, dict) and is_meant(value):
        return tuple(map(str, device_client_violations(value)))
    return _schema_faults(value)


def _schema_faults(value: object) -> tuple[str, ...]:
    """What an agent would reject the document for."""
    try:
        parse_document(value)
    except ReleaseError as error:
        return (str(Violation("document", "no agent would take it", str(error))),)
    return ()

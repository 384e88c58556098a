"""A fleet's settings, as `[fleets.NAME]` of the configuration holds them where `cloud = "aws"`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import msgspec

from adapters.settings_words import in_words
from bridge.errors import UsageError

SHAPES: Mapping[str, str] = {
    "region": "a region, such as eu-central-1",
    "bucket": "a bucket's name: 3 to 63 lower-case letters, digits, dots and dashes",
    "role_arn": "a role, such as arn:aws:iam::123456789012:role/otabridge-downloads",
    "prefix": "letters, digits, `/`, `_`, `.` and `-`, at most 128",
    "endpoint_url": "an http or https URL",
    "currency": "three capital letters, such as EUR",
}

Seconds = Annotated[float, msgspec.Meta(ge=0, le=3600)]


class AwsFleetSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where a fleet is. Credentials come from the environment or `profile`, as for every AWS program.

    `role_arn` is the role that signs downloads (trusts iot.amazonaws.com, may s3:GetObject); URLs live `url_minutes`.
    `by_bucket` has AWS itself find the devices of a stage, by the bucket that each reports, so that the calls do not
    grow with the fleet: fleet indexing must hold the named shadow `otabridge`. `visible_seconds` bounds the wait for a
    group to be complete, and `settle_seconds` is waited before its job is created, since Jobs may see members later
    than the group shows them. `per_minute`, `abort_percent` and `tags` go into each job. `cost_a_gigabyte`, in
    `currency`, is what you pay for transfer to devices; plans then name the cost. Retries by the service are not
    offered: it counts every attempt, so that a tally would no longer add up to the stage's devices.
    """

    region: Annotated[str, msgspec.Meta(pattern=r"^[a-z]{2}(-[a-z]+)+-\d\Z")]
    bucket: Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]\Z")]
    role_arn: Annotated[str, msgspec.Meta(pattern=r"^arn:aws[a-z-]*:iam::\d{12}:role/\S{1,512}\Z")]
    prefix: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9/_.-]{0,128}\Z")] = "otabridge"
    endpoint_url: Annotated[str, msgspec.Meta(pattern=r"^https?://\S+\Z")] | None = None
    profile: str | None = None
    by_bucket: bool = False
    url_minutes: Annotated[int, msgspec.Meta(ge=1, le=60)] = 60
    per_minute: Annotated[int, msgspec.Meta(ge=1, le=1000)] | None = None
    abort_percent: Annotated[float, msgspec.Meta(gt=0, le=100)] | None = None
    tags: dict[str, str] = {}
    workers: Annotated[int, msgspec.Meta(ge=1, le=32)] = 8
    visible_seconds: Seconds = 60
    settle_seconds: Seconds = 5
    most_reports: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 500
    cost_a_gigabyte: Annotated[float, msgspec.Meta(ge=0, le=1000)] | None = None
    currency: Annotated[str, msgspec.Meta(pattern=r"^[A-Z]{3}\Z")] = "USD"


def read_settings(name: str, settings: Mapping[str, object]) -> AwsFleetSettings:
    """The settings of the fleet `name`. Raises: UsageError naming the field."""
    try:
        return msgspec.convert(settings, AwsFleetSettings)
    except msgspec.ValidationError as error:
        raise UsageError(f"fleet {name}: {in_words(str(error), settings, SHAPES)}") from error

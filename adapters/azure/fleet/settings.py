"""Where a fleet in Azure is: one IoT hub, the Device Update instance that belongs to it, one storage container."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec

from adapters.settings_words import in_words
from bridge.errors import UsageError

Host = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9.-]{0,252}(:\d{1,5})?\Z")]
Url = Annotated[str, msgspec.Meta(pattern=r"^https://\S{1,500}\Z")]
Word = Annotated[str, msgspec.Meta(pattern=r"^[a-zA-Z0-9.-]{1,64}\Z")]
Seconds = Annotated[float, msgspec.Meta(ge=0, le=3600)]
PerMinute = Annotated[int, msgspec.Meta(ge=1, le=100_000)]

SHAPES: Mapping[str, str] = {
    "hub": "a hub's host name, such as plant.azure-devices.net",
    "endpoint": "the host name of a Device Update account, such as plant.api.adu.microsoft.com",
    "instance": "the name of a Device Update instance: 3 to 36 letters, digits and dashes",
    "storage_url": "an https URL, such as https://plant.blob.core.windows.net",
    "adu_url": "an https URL",
    "container": "a container's name: 3 to 63 lower-case letters, digits and dashes",
    "provider": "1 to 64 letters, digits, dots and dashes",
    "manufacturer": "1 to 64 printable characters",
    "currency": "three capital letters, such as EUR",
    "prefix": "letters, digits, `/`, `_`, `.` and `-`, at most 128",
}


class AzureFleetSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where a fleet is, and how hard it may be worked. Credentials are those of `azure.identity`'s default chain.

    `provider` begins the id of every update, `manufacturer` is what the devices report as theirs; the model is the
    release's. `adu_url` is another address for `endpoint`, for proxies and simulators. `patience_seconds` bounds what
    one call waits for a job, an import or a group, looking every `poll_seconds`. `queries_per_minute` fits an S1 hub
    of one unit. `creates_per_minute`, which bounds deployments created, deleted and cancelled, each by itself, and
    `reads_per_minute` fit any Device Update instance. They hold for one process of otabridge.

    `by_bucket` says that every device reports `properties.reported.otabridge.bucket`: rollouts then select by ranges of
    buckets, so that their calls do not grow with the fleet. `cost_a_gigabyte` is what transfer to devices costs, in
    `currency`, for the plan's estimate; absent, the plan tells no cost.
    """

    hub: Host
    endpoint: Host
    instance: Annotated[str, msgspec.Meta(pattern=r"^[a-zA-Z0-9-]{3,36}\Z")]
    storage_url: Url
    container: Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]\Z")]
    provider: Word
    manufacturer: Annotated[str, msgspec.Meta(pattern=r"^[\x20-\x7e]{1,64}\Z")]
    prefix: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9/_.-]{0,128}\Z")] = "otabridge"
    download_security: Literal["https", "http"] = "https"
    adu_url: Url | None = None
    patience_seconds: Seconds = 20
    poll_seconds: Annotated[float, msgspec.Meta(gt=0, le=60)] = 2
    queries_per_minute: PerMinute = 20
    reads_per_minute: PerMinute = 30
    creates_per_minute: PerMinute = 7
    sas_hours: Annotated[int, msgspec.Meta(ge=1, le=168)] = 4
    most_reports: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 500
    workers: Annotated[int, msgspec.Meta(ge=1, le=32)] = 4
    by_bucket: bool = False
    cost_a_gigabyte: Annotated[float, msgspec.Meta(ge=0, le=1000)] | None = None
    currency: Annotated[str, msgspec.Meta(pattern=r"^[A-Z]{3}\Z")] = "USD"


def parse_settings(name: str, settings: Mapping[str, object]) -> AzureFleetSettings:
    """The settings of fleet `name`. Raises: UsageError naming fleet, field and value."""
    try:
        return msgspec.convert(settings, AzureFleetSettings)
    except msgspec.ValidationError as error:
        raise UsageError(f"fleet {name}: {in_words(str(error), settings, SHAPES)}") from error

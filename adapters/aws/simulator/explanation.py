"""The simulator explained to people and to programs that are not otabridge: one file, and the same in words."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from adapters.aws.simulator.simulator import AwsSimulator
from adapters.aws.simulator.views import DeviceIdentity

SETTINGS_FILE = "otabridge-sim.json"
SHOWN_THINGS = 3


@dataclass(frozen=True, slots=True)
class Scope:
    """What was put into the simulated account: a bucket, a thing group, and the things in it."""

    bucket: str
    group: str
    things: tuple[DeviceIdentity, ...]


def explain(simulator: AwsSimulator, scope: Scope, directory: Path) -> list[str]:
    """Write `otabridge-sim.json` into `directory`; how to point boto3 and a device at the simulator, a line each.

    Raises:
        OSError: the file cannot be written.
    """
    settings = directory / SETTINGS_FILE
    settings.write_text(json.dumps(_settings(simulator, scope), indent=2) + "\n")
    return [*_cloud_side(simulator, scope), *_device_side(simulator, scope), f"All of that is in {settings}."]


def _settings(simulator: AwsSimulator, scope: Scope) -> dict[str, object]:
    return {
        "account": simulator.account,
        "region": simulator.region,
        "endpoint_url": simulator.endpoint_url,
        "mqtt": {"host": simulator.mqtt_host, "port": simulator.mqtt_port},
        "ca_file": str(simulator.ca_file),
        "presign_role_arn": simulator.role_arn,
        "bucket": scope.bucket,
        "group": {"name": scope.group, "arn": simulator.group_arn(scope.group)},
        "environment": simulator.environment(),
        "things": {each.thing: _files(each) for each in scope.things},
    }


def _files(identity: DeviceIdentity) -> dict[str, str]:
    return {"cert_file": str(identity.cert_file), "key_file": str(identity.key_file)}


def _cloud_side(simulator: AwsSimulator, scope: Scope) -> list[str]:
    return [
        f"AWS IoT and S3, account {simulator.account} in {simulator.region}:",
        f"  AWS_ENDPOINT_URL={simulator.endpoint_url}",
        f"  bucket {scope.bucket}, thing group {scope.group}",
        f"  jobs presign with {simulator.role_arn}",
        "To redirect single services only, set AWS_ENDPOINT_URL_IOT,",
        "AWS_ENDPOINT_URL_IOT_JOBS_DATA_PLANE or AWS_ENDPOINT_URL_S3 instead.",
    ]


def _device_side(simulator: AwsSimulator, scope: Scope) -> list[str]:
    more = len(scope.things) - SHOWN_THINGS
    return [
        "Devices: MQTT 5 or 3.1.1 over TLS; the client id is the thing's name:",
        f"  host {simulator.mqtt_host}, port {simulator.mqtt_port}, CA {simulator.ca_file}",
        *(f"  {each.thing}: {each.cert_file} and {each.key_file.name}" for each in scope.things[:SHOWN_THINGS]),
        *([f"  and {more} more"] if more > 0 else []),
    ]

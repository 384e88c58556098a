"""The simulator as a program of its own: files and words that tell people how to use it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path

from adapters.aws.simulator.simulator import AwsSimulator
from adapters.aws.simulator.views import DeviceIdentity

SETTINGS_FILE = "otabridge-sim.json"
ENVIRONMENT_FILE = "otabridge-sim.env"
GROUP = "simulated"
BUCKET = "otabridge-artifacts"


def serve(directory: Path, things: int, announce: Callable[[str], None], stop: threading.Event) -> None:
    """Run one simulator until `stop` is set.

    Writes `otabridge-sim.json` and `otabridge-sim.env` into `directory` beside the certificates,
    registers `things` things in the group `simulated`, makes the bucket `otabridge-artifacts`,
    and explains through `announce`, one line a call, how to point boto3 and a device at it.

    Raises:
        OSError: the directory cannot be written or no port is free.
    """
    directory = directory.resolve()
    with AwsSimulator(directory) as simulator:
        identities = _populate(simulator, things)
        settings = directory / SETTINGS_FILE
        settings.write_text(json.dumps(_settings(simulator, identities), indent=2) + "\n")
        environment = directory / ENVIRONMENT_FILE
        environment.write_text(_environment(simulator))
        for line in _explanation(simulator, identities, settings, environment):
            announce(line)
        stop.wait()


def _populate(simulator: AwsSimulator, things: int) -> tuple[DeviceIdentity, ...]:
    simulator.bucket(BUCKET)
    iot = simulator.client("iot")
    iot.create_thing_group(thingGroupName=GROUP)
    names = [f"device-{number:04d}" for number in range(1, things + 1)]
    identities = tuple(simulator.add_thing(name) for name in names)
    for name in names:
        iot.add_thing_to_thing_group(thingGroupName=GROUP, thingName=name)
    return identities


def _settings(simulator: AwsSimulator, identities: tuple[DeviceIdentity, ...]) -> dict[str, object]:
    return {
        "account": simulator.account,
        "region": simulator.region,
        "endpoint_url": simulator.endpoint_url,
        "mqtt": {"host": simulator.mqtt_host, "port": simulator.mqtt_port},
        "ca_file": str(simulator.ca_file),
        "presign_role_arn": simulator.role_arn,
        "bucket": BUCKET,
        "group": {"name": GROUP, "arn": simulator.group_arn(GROUP)},
        "environment": simulator.environment(),
        "things": {each.thing: _files(each) for each in identities},
    }


def _files(identity: DeviceIdentity) -> dict[str, str]:
    return {"cert_file": str(identity.cert_file), "key_file": str(identity.key_file)}


def _environment(simulator: AwsSimulator) -> str:
    lines = (f"export {name}={value!r}" for name, value in simulator.environment().items())
    return "\n".join(lines) + "\n"


def _explanation(
    simulator: AwsSimulator,
    identities: tuple[DeviceIdentity, ...],
    settings: Path,
    environment: Path,
) -> list[str]:
    lines = [
        f"AWS IoT, account {simulator.account} in {simulator.region}, runs on this machine.",
        f"Everything below is also in {settings}.",
        "",
        "Cloud side: boto3, the AWS CLI and Terraform find it through these variables:",
        f"  . {environment}",
        f"They set AWS_ENDPOINT_URL={simulator.endpoint_url} for all services. To redirect single services, set",
        "AWS_ENDPOINT_URL_IOT, AWS_ENDPOINT_URL_IOT_JOBS_DATA_PLANE or AWS_ENDPOINT_URL_S3 to the same address.",
        f"Bucket {BUCKET} and thing group {GROUP} exist; jobs presign with {simulator.role_arn}.",
        "",
        "Device side: MQTT 5 or 3.1.1 over TLS with a client certificate; the client id is the thing name:",
        f"  host {simulator.mqtt_host}, port {simulator.mqtt_port}, CA {simulator.ca_file}",
    ]
    lines += [f"  thing {each.thing}: certificate {each.cert_file}, key {each.key_file}" for each in identities]
    return lines

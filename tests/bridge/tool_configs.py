"""What Terraform prints of either module, in both shapes."""

from __future__ import annotations

import json

AWS = {
    "schema_version": 1,
    "provider": "aws",
    "fleet": {
        "cloud": "aws",
        "region": "eu-central-1",
        "bucket": "plant-artifacts-123456789012",
        "role_arn": "arn:aws:iam::123456789012:role/plant-presign",
        "prefix": "otabridge",
        "by_bucket": True,
        "url_minutes": 60,
        "tags": {"otabridge:fleet": "plant"},
    },
    "resources": {
        "account_id": "123456789012",
        "ledger_bucket": None,
        "alarms": ["plant-event-age", "plant-dead-letters"],
        "keys": {"root": {"arn": "arn:aws:kms:eu-central-1:123456789012:key/1", "retired": False}, "days": 30},
    },
}
AZURE = {
    "schema_version": 1,
    "provider": "azure",
    "fleet": {
        "cloud": "azure",
        "hub": "plant-hub.azure-devices.net",
        "endpoint": "plant-adu.api.adu.microsoft.com",
        "instance": "plant",
        "storage_url": "https://plantota.blob.core.windows.net",
        "container": "artifacts",
        "provider": "contoso",
        "manufacturer": "Contoso",
        "prefix": "otabridge",
        "by_bucket": True,
    },
    "resources": {"provisioning_id_scope": None},
}


def bare(config=AWS):
    """As `terraform output -json tool_config` prints it."""
    return json.dumps(config).encode()


def wrapped(config=AWS, name="tool_config"):
    """As `terraform output -json` prints it, beside another output."""
    other = {"sensitive": False, "type": "string", "value": "plant"}
    return json.dumps({name: {"sensitive": False, "type": ["object", {}], "value": config}, "stack": other}).encode()


def changed(config=AWS, /, **fleet):
    """The same with other settings."""
    return {**config, "fleet": {**config["fleet"], **fleet}}

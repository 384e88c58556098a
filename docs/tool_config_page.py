"""The JSON Schema of the Terraform modules' output, as it is published."""

from __future__ import annotations

import json

from adapters.aws.settings import AwsFleetSettings
from adapters.azure.fleet.settings import AzureFleetSettings
from bridge.tool_config_schema import tool_config_schema


def tool_config_text() -> str:
    """The schema of `tool_config`, for both clouds."""
    schema = tool_config_schema({"aws": AwsFleetSettings, "azure": AzureFleetSettings})
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"

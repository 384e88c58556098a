"""What the Terraform module made in Azure, by the names in its `tool_config`; null and absent are one."""

from __future__ import annotations

from typing import Annotated

import msgspec

Name = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9._-]{1,260}\Z")] | None
Id = (
    Annotated[
        str, msgspec.Meta(pattern=r"^/subscriptions/[0-9a-fA-F-]{36}/resource[gG]roups/[A-Za-z0-9._()/-]{1,1024}\Z")
    ]
    | None
)
"""The id of a resource in Resource Manager."""
Key = Annotated[str, msgspec.Meta(pattern=r"^azurekms:[A-Za-z0-9-]{3,24}/[A-Za-z0-9-]{1,127}\Z")] | None


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """Every name has a probe but `location` and `resource_group`, which only say where the others are."""

    resource_group: str | None = None
    location: str | None = None
    hub_id: Id = None
    device_update_account_id: Id = None
    device_update_instance_id: Id = None
    device_update_principal_id: Name = None
    storage_account_id: Id = None
    container_id: Id = None
    key_vault_id: Id = None
    root_key: Key = None
    release_key: Key = None
    event_hub_namespace: Name = None
    event_hub: Name = None
    event_consumer_group: Name = None
    log_analytics_workspace_id: Id = None
    workbook_id: Id = None
    provisioning_id: Id = None
    provisioning_id_scope: Name = None
    provisioning_host: Name = None

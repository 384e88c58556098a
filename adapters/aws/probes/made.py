"""What the Terraform module made in AWS, by the names in its `tool_config`; null and absent are one."""

from __future__ import annotations

from typing import Annotated

import msgspec

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=2048)] | None
Names = tuple[Annotated[str, msgspec.Meta(min_length=1, max_length=256)], ...]


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """Every name has a probe but `name`, with which the others begin."""

    account_id: Name = None
    name: Name = None
    artifact_bucket_arn: Name = None
    ledger_bucket: Name = None
    ledger_writer_policy_arn: Name = None
    presign_role_arn: Name = None
    controller_role_arn: Name = None
    publisher_role_arn: Name = None
    viewer_role_arn: Name = None
    controller_policy_arn: Name = None
    publisher_policy_arn: Name = None
    viewer_policy_arn: Name = None
    root_key_arn: Name = None
    root_key_uri: Name = None
    root_key_alias: Name = None
    releases_key_arn: Name = None
    releases_key_uri: Name = None
    releases_key_alias: Name = None
    thing_group: Name = None
    device_policy: Name = None
    claim_policy: Name = None
    provisioning_template: Name = None
    event_queue_url: Name = None
    event_queue_arn: Name = None
    dead_letter_queue_url: Name = None
    event_rules: Names = ()
    dashboard: Name = None
    alarms: Names = ()

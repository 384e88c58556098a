"""Probes of what devices come with: their group, their policies, and the template by which they register."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from adapters.aws.probes.account import Account
from adapters.aws.probes.made import Made
from adapters.aws.probes.reading import Reading
from adapters.made import Faults, unless

VARIABLE = "enable_provisioning"
GROUP, POLICY, TEMPLATE = "iot:DescribeThingGroup", "iot:GetPolicy", "iot:DescribeProvisioningTemplate"


def devices(at: Account, made: Made) -> Iterator[Reading]:
    """Those that are named."""
    if made.thing_group:
        name, arn = made.thing_group, at.iot_arn(f"thinggroup/{made.thing_group}")
        yield Reading(at, "thing_group", f"the group {name}", GROUP, arn, partial(_group, at, name))
    for field, policy, variable in (
        ("device_policy", made.device_policy, ""),
        ("claim_policy", made.claim_policy, VARIABLE),
    ):
        if policy:
            arn, read = at.iot_arn(f"policy/{policy}"), partial(_policy, at, policy)
            yield Reading(at, field, f"the policy {policy}", POLICY, arn, read, variable)
    if made.provisioning_template:
        name = made.provisioning_template
        arn, read = at.iot_arn(f"provisioningtemplate/{name}"), partial(_template, at, name)
        yield Reading(at, "provisioning_template", f"the template {name}", TEMPLATE, arn, read, VARIABLE)


def _group(at: Account, name: str) -> Faults:
    at.iot.describe_thing_group(thingGroupName=name)
    return ()


def _policy(at: Account, name: str) -> Faults:
    document = at.iot.get_policy(policyName=name).get("policyDocument")
    yield from unless(holds=bool(document), needs=f"a default version of the policy {name}")


def _template(at: Account, name: str) -> Faults:
    found = at.iot.describe_provisioning_template(templateName=name)
    yield from unless(holds=bool(found.get("enabled")), needs=f"the template {name} enabled", variable=VARIABLE)
    yield from unless(holds=bool(found.get("provisioningRoleArn")), needs=f"a role of the template {name}")

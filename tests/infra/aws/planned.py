"""A plan of Terraform, asked for resources and for the policies in them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.infra.aws.policies import Policy, read_policy

MODULE = "module.otabridge."


@dataclass(frozen=True, slots=True)
class Planned:
    """Values of the module's resources, by their addresses within it."""

    values: Mapping[str, Mapping[str, Any]]

    def policy(self, address: str, attribute: str = "policy") -> Policy:
        """The policy in a resource."""
        return read_policy(self.values[address][attribute])

    def of(self, kind: str) -> Mapping[str, Mapping[str, Any]]:
        """All resources of one type."""
        return {address: each for address, each in self.values.items() if address.startswith(f"{kind}.")}


def read_plan(plan: Mapping[str, Any]) -> Planned:
    """What `terraform show -json` tells of a plan."""
    (module,) = plan["planned_values"]["root_module"]["child_modules"]
    return Planned({each["address"].removeprefix(MODULE): each.get("values", {}) for each in module["resources"]})

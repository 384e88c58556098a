"""Dynamic thing groups: a query says who is in them, and they are built some time after they were made.

moto keeps them among its own groups, so that listing and describing are its work; it never fills them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import msgspec
from moto.iot.models import FakeThing, FakeThingGroup

from adapters.aws.simulator.control import Place
from adapters.aws.simulator.errors import AlreadyExists, Refusal, ServiceError, invalid
from adapters.aws.simulator.index import FleetIndex, is_dynamic
from adapters.aws.simulator.index_requests import DynamicGroupRequest, StaticGroupRequest
from adapters.aws.simulator.query import parse
from adapters.aws.simulator.registry import Registry
from adapters.aws.simulator.shapes import Json

MOST = 100
"""Dynamic groups of an account (quota)."""
GROUPS_OF_A_THING = 10
"""Groups that a thing can be in (quota); one that is in so many is left out."""
CREATED = ("thingGroupName", "thingGroupArn", "thingGroupId", "indexName", "queryString", "queryVersion")
"""What CreateDynamicThingGroup answers."""


class DynamicGroup(FakeThingGroup):
    """A group that moto lists like its own. `status` and members are worked out when somebody asks."""

    def __init__(self, name: str, request: DynamicGroupRequest, owner: DynamicGroups) -> None:
        properties = msgspec.to_builtins(request.thing_group_properties)
        place = owner.place
        no_parent: str = None  # type: ignore[assignment]  # as moto itself passes it where there is none
        super().__init__(name, no_parent, properties, place.account, place.region, {})
        self.request = request
        self.query = parse(request.query_string)
        self._owner = owner

    @property
    def things(self) -> dict[str, FakeThing]:
        """The members by ARN."""
        return self._owner.members(self)

    @things.setter
    def things(self, empty: dict[str, FakeThing]) -> None:
        """moto's constructor puts an empty collection here, which nobody reads."""

    def to_dict(self) -> Json:
        """DescribeThingGroup."""
        shape: Json = dict(super().to_dict())
        shape |= {"indexName": self.request.index_name, "queryString": self.request.query_string}
        return {**shape, "queryVersion": self.request.query_version, "status": self._owner.status(self)}


class DynamicGroups:
    """Those of one account and region. A new one is BUILDING, and empty, for `seconds`."""

    def __init__(self, registry: Registry, index: FleetIndex, place: Place, now: Callable[[], float]) -> None:
        self._registry = registry
        self._index = index
        self.place = place
        self._now = now
        self._ready: dict[str, float] = {}
        self.seconds = 0.0

    def create(self, name: str, request: DynamicGroupRequest) -> Json:
        """CreateDynamicThingGroup."""
        self._index.require(request.index_name)
        with self._registry.lock:
            self._check_name(name)
            group = DynamicGroup(name, request, self)
            self._registry.put_group(group)
            self._ready[group.arn] = self._now() + self.seconds
            return {member: value for member, value in group.to_dict().items() if member in CREATED}

    def delete(self, name: str) -> Json:
        """DeleteDynamicThingGroup; of a group that is not there, nothing."""
        with self._registry.lock:
            group = self._find(name)
            if group is not None:
                self._registry.drop_group(group)
            elif self._registry.group(name) is not None:
                raise invalid(f"Thing group {name} is not a dynamic thing group")
        return {}

    def leave_static(self, name: str) -> None:
        """DeleteThingGroup is refused for one of these, and otherwise moto's."""
        if self._find(name) is not None:
            raise invalid(f"Operation not allowed on dynamic thing group {name}")

    def require_parent(self, request: StaticGroupRequest) -> None:
        """Raises: ServiceError, the group would be below one that is not there."""
        parent = request.parent_group_name
        if parent is not None and self._registry.group(parent) is None:
            raise invalid(f"Parent thing group {parent} does not exist")

    def _find(self, name: str) -> DynamicGroup | None:
        group = self._registry.group(name)
        return group if isinstance(group, DynamicGroup) else None

    def status(self, group: DynamicGroup) -> str:
        """Whether the group is built."""
        return "ACTIVE" if self._now() >= self._ready[group.arn] else "BUILDING"

    def members(self, group: DynamicGroup) -> dict[str, FakeThing]:
        """The members by ARN; none while the group is being built."""
        if self.status(group) != "ACTIVE":
            return {}
        static = (each for each in self._registry.groups() if not is_dynamic(each))
        memberships = Counter(arn for each in static for arn in each.things)
        found = self._index.members(group.query)
        return {thing.arn: thing for thing in found if memberships[thing.arn] < GROUPS_OF_A_THING}

    def _check_name(self, name: str) -> None:
        held = self._registry.group(name)
        if held is not None:
            raise AlreadyExists(f"Thing Group {name} already exists in current account", name, held.arn)
        if sum(map(is_dynamic, self._registry.groups())) >= MOST:
            raise ServiceError(Refusal.LIMIT_EXCEEDED, f"An account has at most {MOST} dynamic thing groups")

"""REST routes of fleet indexing and of dynamic thing groups (service `iot`)."""

from __future__ import annotations

from io import BytesIO

import msgspec
from werkzeug.routing import Rule
from werkzeug.wrappers import Request

from adapters.aws.simulator.dynamic import DynamicGroups
from adapters.aws.simulator.errors import invalid
from adapters.aws.simulator.index import MANAGED, FleetIndex
from adapters.aws.simulator.index_requests import (
    Aggregation,
    DynamicGroupRequest,
    IndexingUpdate,
    Search,
    StaticGroupRequest,
)
from adapters.aws.simulator.request import parse
from adapters.aws.simulator.rest import Names, Operation, body_of
from adapters.aws.simulator.shapes import Json

INDEX_RULES = (
    Rule("/indexing/config", methods=["GET"], endpoint="GetIndexingConfiguration"),
    Rule("/indexing/config", methods=["POST"], endpoint="UpdateIndexingConfiguration"),
    Rule("/indices/search", methods=["POST"], endpoint="SearchIndex"),
    Rule("/indices/statistics", methods=["POST"], endpoint="GetStatistics"),
    Rule("/indices/cardinality", methods=["POST"], endpoint="GetCardinality"),
    Rule("/indices/buckets", methods=["POST"], endpoint="GetBucketsAggregation"),
    Rule("/indices/<index>", methods=["GET"], endpoint="DescribeIndex"),
    Rule("/dynamic-thing-groups/<group>", methods=["POST"], endpoint="CreateDynamicThingGroup"),
    Rule("/dynamic-thing-groups/<group>", methods=["DELETE"], endpoint="DeleteDynamicThingGroup"),
    Rule("/thing-groups/<group>", methods=["DELETE"], endpoint="DeleteThingGroup"),
    Rule("/thing-groups/<group>", methods=["POST"], endpoint="CreateThingGroup"),
)


class IndexRoutes:
    """The operations of `INDEX_RULES`, from request to JSON."""

    def __init__(self, index: FleetIndex, groups: DynamicGroups) -> None:
        self._index = index
        self._groups = groups
        self.operations: dict[str, Operation] = {
            "GetIndexingConfiguration": lambda _request, _names: self._configuration(),
            "UpdateIndexingConfiguration": self._configure,
            "SearchIndex": lambda request, _: index.search(parse(body_of(request), Search)),
            "GetStatistics": lambda request, _: index.statistics(parse(body_of(request), Aggregation)),
            "GetCardinality": lambda request, _: index.cardinality(parse(body_of(request), Aggregation)),
            "GetBucketsAggregation": lambda request, _: index.buckets(parse(body_of(request), Aggregation)),
            "DescribeIndex": self._describe,
            "CreateDynamicThingGroup": self._create,
            "DeleteDynamicThingGroup": lambda _, names: groups.delete(names["group"]),
            "DeleteThingGroup": lambda _, names: groups.leave_static(names["group"]),
            "CreateThingGroup": self._leave_creation,
        }

    def _configuration(self) -> Json:
        config = self._index.config
        things = msgspec.to_builtins(config)
        if config.thing_indexing_mode != "OFF":
            things["managedFields"] = [{"name": name, "type": kind} for name, kind in MANAGED.items()]
        off = {"thingGroupIndexingMode": "OFF"}
        return {"thingIndexingConfiguration": things, "thingGroupIndexingConfiguration": off}

    def _configure(self, request: Request, _names: Names) -> Json:
        update = parse(body_of(request), IndexingUpdate).thing_indexing_configuration
        if update is None:
            raise invalid("This simulator plays the index of things only")
        self._index.configure(update)
        return {}

    def _describe(self, _request: Request, names: Names) -> Json:
        self._index.require(names["index"])
        connectivity = self._index.config.thing_connectivity_indexing_mode
        schema = self._index.config.thing_indexing_mode + ("_AND_CONNECTIVITY_STATUS" if connectivity != "OFF" else "")
        return {"indexName": names["index"], "indexStatus": "ACTIVE", "schema": schema}

    def _create(self, request: Request, names: Names) -> Json:
        return self._groups.create(names["group"], parse(body_of(request), DynamicGroupRequest))

    def _leave_creation(self, request: Request, _names: Names) -> None:
        """moto makes the group, but stumbles over a parent that is not there."""
        self._groups.require_parent(parse(body_of(request), StaticGroupRequest))
        request.environ["wsgi.input"] = BytesIO(request.get_data())

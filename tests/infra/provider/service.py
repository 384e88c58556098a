"""Terraform's calls to a provider, plugin protocol 6, answered from a schema: messages in, messages out.

`tfplugin6_pb2` is made from tfplugin6.proto when the provider is installed, and lies beside its program.
"""

from __future__ import annotations

import json
import re
import threading
from typing import Any

import grpc
import tfplugin6_pb2 as pb
from google.protobuf.message_factory import GetMessageClass

from tests.infra.provider.checks import Problem, problems
from tests.infra.provider.document import Block, Entry, Knowledge, Schemas
from tests.infra.provider.lifecycle import applied, planned, replacing
from tests.infra.provider.values import decode, encode

WORD = re.compile(r"(?<!^)(?=[A-Z])")


def handler_of(provider: Provider) -> grpc.GenericRpcHandler:
    """Has each call of the protocol answered by the method of its name."""
    service = pb.DESCRIPTOR.services_by_name["Provider"]
    handlers = {
        method.name: grpc.unary_unary_rpc_method_handler(
            getattr(provider, WORD.sub("_", method.name).lower()),
            GetMessageClass(method.input_type).FromString,
            GetMessageClass(method.output_type).SerializeToString,
        )
        for method in service.methods
    }
    return grpc.method_handlers_generic_handler(service.full_name, handlers)


class Provider:
    """Knows schemas and rules; makes, reads and changes nothing."""

    def __init__(self, schemas: Schemas, knowledge: Knowledge, stop: threading.Event) -> None:
        self._schemas = schemas
        self._knowledge = knowledge
        self._stop = stop

    def get_metadata(self, _request: Any, _context: grpc.ServicerContext) -> Any:
        """The names of all types."""
        answer = pb.GetMetadata
        return answer.Response(
            server_capabilities=pb.ServerCapabilities(plan_destroy=False),
            resources=[answer.ResourceMetadata(type_name=name) for name in self._schemas.resource_schemas],
            data_sources=[answer.DataSourceMetadata(type_name=name) for name in self._schemas.data_source_schemas],
        )

    def get_provider_schema(self, _request: Any, _context: grpc.ServicerContext) -> Any:
        """All schemas."""
        return pb.GetProviderSchema.Response(
            provider=_schema(self._schemas.provider),
            resource_schemas={name: _schema(each) for name, each in self._schemas.resource_schemas.items()},
            data_source_schemas={name: _schema(each) for name, each in self._schemas.data_source_schemas.items()},
        )

    def validate_provider_config(self, _request: Any, _context: grpc.ServicerContext) -> Any:
        """Terraform itself has held it against the schema."""
        return pb.ValidateProviderConfig.Response()

    def configure_provider(self, _request: Any, _context: grpc.ServicerContext) -> Any:
        """No account is opened."""
        return pb.ConfigureProvider.Response()

    def validate_resource_config(self, request: Any, _context: grpc.ServicerContext) -> Any:
        """By the rules."""
        rules = self._knowledge.rules.get(request.type_name, {})
        found = problems(self._block(request.type_name), _value(request.config), rules)
        return pb.ValidateResourceConfig.Response(diagnostics=[_diagnostic(each) for each in found])

    def validate_data_resource_config(self, _request: Any, _context: grpc.ServicerContext) -> Any:
        """Terraform itself has held it against the schema."""
        return pb.ValidateDataResourceConfig.Response()

    def upgrade_resource_state(self, request: Any, _context: grpc.ServicerContext) -> Any:
        """States are of this schema."""
        return pb.UpgradeResourceState.Response(upgraded_state=_dynamic(json.loads(request.raw_state.json)))

    def read_resource(self, request: Any, _context: grpc.ServicerContext) -> Any:
        """As it was: nobody else changes what is nowhere."""
        return pb.ReadResource.Response(new_state=request.current_state, private=request.private)

    def plan_resource_change(self, request: Any, _context: grpc.ServicerContext) -> Any:
        """The proposal, with what is computed left open."""
        proposed = _value(request.proposed_new_state)
        if proposed is None:
            return pb.PlanResourceChange.Response(planned_state=request.proposed_new_state)
        block = self._block(request.type_name)
        plan = planned(block, proposed)
        replaced = [_path((name,)) for name in replacing(block, _value(request.prior_state), plan)]
        return pb.PlanResourceChange.Response(planned_state=_dynamic(plan), requires_replace=replaced)

    def apply_resource_change(self, request: Any, _context: grpc.ServicerContext) -> Any:
        """The plan, with what was left open invented."""
        plan = _value(request.planned_state)
        if plan is None:
            return pb.ApplyResourceChange.Response(new_state=request.planned_state)
        state = applied(request.type_name, self._block(request.type_name), plan, self._knowledge)
        return pb.ApplyResourceChange.Response(new_state=_dynamic(state))

    def read_data_source(self, request: Any, _context: grpc.ServicerContext) -> Any:
        """Invented as if it were applied."""
        block = self._schemas.data_source_schemas[request.type_name].block
        plan = planned(block, _value(request.config))
        return pb.ReadDataSource.Response(state=_dynamic(applied(request.type_name, block, plan, self._knowledge)))

    def stop_provider(self, _request: Any, _context: grpc.ServicerContext) -> Any:
        """End the process."""
        self._stop.set()
        return pb.StopProvider.Response()

    def _block(self, kind: str) -> Block:
        return self._schemas.resource_schemas[kind].block


def _value(sent: Any) -> Any:
    return decode(sent.msgpack, sent.json)


def _dynamic(value: Any) -> Any:
    return pb.DynamicValue(msgpack=encode(value))


def _path(names: tuple[str, ...]) -> Any:
    return pb.AttributePath(steps=[pb.AttributePath.Step(attribute_name=name) for name in names])


def _diagnostic(problem: Problem) -> Any:
    return pb.Diagnostic(
        severity=pb.Diagnostic.ERROR,
        summary=f"Invalid value for {'.'.join(problem.path)}",
        detail=problem.detail,
        attribute=_path(problem.path[:1]),  # within blocks Terraform would ask for an index
    )


def _schema(entry: Entry) -> Any:
    return pb.Schema(version=entry.version, block=_block(entry.block))


def _block(block: Block) -> Any:
    attributes = [
        pb.Schema.Attribute(
            name=name,
            type=json.dumps(each.type).encode(),
            required=each.required,
            optional=each.optional,
            computed=each.computed,
            sensitive=each.sensitive,
        )
        for name, each in block.attributes.items()
    ]
    nested = [
        pb.Schema.NestedBlock(
            type_name=name,
            block=_block(each.block),
            nesting=pb.Schema.NestedBlock.NestingMode.Value(each.nesting_mode.upper()),
            min_items=each.min_items,
            max_items=each.max_items,
        )
        for name, each in block.block_types.items()
    ]
    return pb.Schema.Block(attributes=attributes, block_types=nested)

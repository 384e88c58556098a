"""The bodies of requests about the fleet index and dynamic groups, with the service's own limits (API reference)."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

INDEX = "AWS_Things"
QUERY_VERSION = "2017-09-30"
MAX_RESULTS = 100
MAX_CUSTOM_FIELDS = 5
MAX_SHADOWS = 10

QueryText = Annotated[str, Meta(min_length=1)]
ShadowName = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[$a-zA-Z0-9:_-]+$")]
Kind = Literal["Number", "String", "Boolean"]


class _Body(Struct, frozen=True, rename="camel", omit_defaults=True):
    """A JSON object in the service's camelCase; unknown members are ignored, as the service does."""


class IndexField(_Body, frozen=True):
    """A field that can be aggregated, and its type."""

    name: str
    type: Kind


class IndexFilter(_Body, frozen=True):
    """Which named shadows are indexed."""

    named_shadow_names: Annotated[tuple[ShadowName, ...], Meta(max_length=MAX_SHADOWS)] = ()


class ThingIndexing(_Body, frozen=True, omit_defaults=False):
    """What the index of things holds. Custom fields replace all that there were. Answers name all modes."""

    thing_indexing_mode: Literal["OFF", "REGISTRY", "REGISTRY_AND_SHADOW"]
    thing_connectivity_indexing_mode: Literal["OFF", "STATUS"] = "OFF"
    device_defender_indexing_mode: Literal["OFF", "VIOLATIONS"] = "OFF"
    named_shadow_indexing_mode: Literal["OFF", "ON"] = "OFF"
    custom_fields: Annotated[tuple[IndexField, ...], Meta(max_length=MAX_CUSTOM_FIELDS)] = ()
    filter: IndexFilter = IndexFilter()


class IndexingUpdate(_Body, frozen=True):
    """UpdateIndexingConfiguration; the index of thing groups is not played."""

    thing_indexing_configuration: ThingIndexing | None = None


class Search(_Body, frozen=True):
    """SearchIndex."""

    query_string: QueryText
    index_name: str = INDEX
    max_results: Annotated[int, Meta(ge=1, le=MAX_RESULTS)] = MAX_RESULTS
    next_token: str | None = None


class TermsAggregation(_Body, frozen=True):
    """How many of the most frequent values are wanted."""

    max_buckets: Annotated[int, Meta(ge=1, le=10_000)] = 10


class BucketsType(_Body, frozen=True):
    """The one kind of aggregation into buckets that there is."""

    terms_aggregation: TermsAggregation = TermsAggregation()


class Aggregation(_Body, frozen=True):
    """GetStatistics, GetCardinality and GetBucketsAggregation."""

    query_string: QueryText = "*"
    index_name: str = INDEX
    aggregation_field: str = "registry.version"
    buckets_aggregation_type: BucketsType = BucketsType()


class GroupProperties(_Body, frozen=True):
    """What people read about a group."""

    thing_group_description: Annotated[str, Meta(max_length=2028)] | None = None


class DynamicGroupRequest(_Body, frozen=True):
    """CreateDynamicThingGroup."""

    query_string: QueryText
    index_name: str = INDEX
    query_version: str = QUERY_VERSION
    thing_group_properties: GroupProperties = GroupProperties()


class StaticGroupRequest(_Body, frozen=True):
    """CreateThingGroup, as far as it is not left to moto."""

    parent_group_name: str | None = None

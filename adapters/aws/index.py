"""The fleet index of one account and region, asked through boto3: search, count, count by model.

Raises what boto3 raises, and BrokenLimits where the index does not hold what a question needs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import msgspec

from adapters.aws.query import BUCKET, MODEL, SAVED, SHADOW
from adapters.violations import BrokenLimits, Violation

if TYPE_CHECKING:  # stubs, which only type checkers have
    from mypy_boto3_iot import IoTClient
    from mypy_boto3_iot.type_defs import ThingDocumentTypeDef

PAGE = 100
"""The most that SearchIndex gives at once."""
MOST_MODELS = 10_000
"""The most values that GetBucketsAggregation tells apart."""
WHERE = "set it with UpdateIndexingConfiguration"


class Field(msgspec.Struct, frozen=True):
    """A custom field of the index: what is not declared as one, with its type, can be queried and not aggregated."""

    name: str = ""
    type: str = ""


BY_BUCKET = (Field(BUCKET, "Number"), Field(MODEL, "String"))
"""What counts by bucket and model need."""
OF_SAVINGS = (Field(SAVED, "Number"),)


class _Filter(msgspec.Struct, frozen=True, rename="camel"):
    named_shadow_names: tuple[str, ...] = ()


class IndexConfig(msgspec.Struct, frozen=True, rename="camel"):
    """What GetIndexingConfiguration says of the index of things, as far as otabridge needs it."""

    thing_indexing_mode: str = "OFF"
    named_shadow_indexing_mode: str = "OFF"
    custom_fields: tuple[Field, ...] = ()
    filter: _Filter = _Filter()

    def lacks(self, *, shadow: bool, fields: Sequence[Field]) -> Iterator[Violation]:
        """What is missing for any query, for queries about the `shadow`, and to aggregate `fields`."""
        if self.thing_indexing_mode == "OFF":
            yield Violation("thingIndexingMode", "OFF", f"must be REGISTRY_AND_SHADOW; {WHERE}")
        if shadow and self.named_shadow_indexing_mode != "ON":
            yield Violation("namedShadowIndexingMode", self.named_shadow_indexing_mode, f"must be ON; {WHERE}")
        if shadow and SHADOW not in self.filter.named_shadow_names:
            named = ", ".join(self.filter.named_shadow_names) or "nothing"
            yield Violation("filter.namedShadowNames", named, f"must name {SHADOW}; {WHERE}")
        for field in fields:
            if field not in self.custom_fields:
                without = f"without {field.name} of type {field.type}"
                yield Violation("customFields", without, f"{WHERE}, together with all others")


class FleetIndex:
    """The index AWS_Things, or why it cannot be asked."""

    def __init__(self, iot: IoTClient) -> None:
        self._iot = iot

    @cached_property
    def config(self) -> IndexConfig:
        """Asked once, unless it was found lacking."""
        found = self._iot.get_indexing_configuration().get("thingIndexingConfiguration", {})
        return msgspec.convert(found, IndexConfig)

    def require(self, *, shadow: bool = False, fields: Sequence[Field] = ()) -> None:
        """Raises: BrokenLimits, with all that must be configured."""
        found = tuple(self.config.lacks(shadow=shadow, fields=fields))
        if found:
            del self.config
            raise BrokenLimits(found)

    def things(self, query: str) -> Iterator[ThingDocumentTypeDef]:
        """The things that match, a page a call."""
        page = self._iot.search_index(queryString=query, maxResults=PAGE)
        yield from page.get("things", [])
        while token := page.get("nextToken"):
            page = self._iot.search_index(queryString=query, maxResults=PAGE, nextToken=token)
            yield from page.get("things", [])

    def count(self, query: str) -> int:
        """How many things match; one call."""
        return self._iot.get_statistics(queryString=query)["statistics"].get("count", 0)

    def sum(self, query: str, field: str) -> tuple[int, float]:
        """How many things match and have a number in the custom field, and what those add up to; one call."""
        found = self._iot.get_statistics(queryString=query, aggregationField=field)["statistics"]
        return found.get("count", 0), found.get("sum", 0.0)

    def models(self, query: str) -> dict[str, int]:
        """How many things match of each reported model, "" for those that report none; one call."""
        kind = {"termsAggregation": {"maxBuckets": MOST_MODELS}}
        found = self._iot.get_buckets_aggregation(
            queryString=query,
            aggregationField=MODEL,
            bucketsAggregationType=kind,  # type: ignore[arg-type]  # the stubs want their own name for it
        )
        counts = {each["keyValue"]: each["count"] for each in found["buckets"] if each["count"]}
        silent = found["totalCount"] - sum(counts.values())
        return {**counts, **({"": silent} if silent > 0 else {})}

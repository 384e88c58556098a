"""Probe of fleet indexing: may it be looked at, and does it hold what the fleet's settings rely on?"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from adapters.aws.index import BY_BUCKET, IndexConfig
from adapters.aws.probes.account import Account
from adapters.aws.probes.answers import Permission, judged
from adapters.aws.probes.iot_calls import LOOKS
from bridge.probing import Duty, Finding, Found

VARIABLE = "enable_fleet_indexing"


@dataclass(frozen=True, slots=True)
class Indexing:
    """The configuration of fleet indexing."""

    account: Account
    name: str = "iot:GetIndexingConfiguration"
    tried: str = "read the configuration of fleet indexing"
    duties: frozenset[Duty] = LOOKS

    def run(self, duty: Duty) -> Finding:
        """See Probe."""
        answers: list[IndexConfig] = []
        finding = judged(self.account.fleet, lambda: answers.append(self._read()), Permission(self.name, "*", duty))
        return self._held(answers[0]) if answers else finding

    def _read(self) -> IndexConfig:
        found = self.account.iot.get_indexing_configuration().get("thingIndexingConfiguration", {})
        return msgspec.convert(found, IndexConfig)

    def _held(self, config: IndexConfig) -> Finding:
        """What is lacking, where the fleet selects by bucket; else a fleet does without, but for queries and gates."""
        if not self.account.settings.by_bucket:
            return Finding(Found.OK, f"allowed; thingIndexingMode {config.thing_indexing_mode}, by_bucket is not set")
        lacks = "; ".join(map(str, config.lacks(shadow=True, fields=BY_BUCKET)))
        if lacks:
            return Finding(Found.MISSING, "allowed; by_bucket needs more", lacks, VARIABLE)
        return Finding(Found.OK, "allowed; it holds what by_bucket needs")

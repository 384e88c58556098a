"""All attacks, in the order in which a reviewer reads them."""

from __future__ import annotations

from tests.agent.attacks import accounts, chains, clocks, documents, releases, steps, stores

ATTACKS = (
    *releases.ATTACKS,
    *documents.ATTACKS,
    *chains.ATTACKS,
    *clocks.ATTACKS,
    *stores.ATTACKS,
    *steps.ATTACKS,
    *accounts.ATTACKS,
)

"""All state cases, group by group."""

from __future__ import annotations

from tests.agent.cases import (
    deltas,
    environments,
    falling,
    journals,
    kills,
    links,
    loops,
    media,
    offers,
    permissions,
    refusals,
    stepped,
    trials,
    undone,
    withdrawals,
)
from tests.agent.cases.case import Case, Group

GROUPS: tuple[Group, ...] = (
    *offers.GROUPS,
    *refusals.GROUPS,
    *permissions.GROUPS,
    *trials.GROUPS,
    *links.GROUPS,
    *deltas.GROUPS,
    *kills.GROUPS,
    *falling.GROUPS,
    *loops.GROUPS,
    *withdrawals.GROUPS,
    *media.GROUPS,
    *journals.GROUPS,
    *environments.GROUPS,
    *stepped.GROUPS,
    *undone.GROUPS,
)
CASES: tuple[Case, ...] = tuple(case for group in GROUPS for case in group.cases)

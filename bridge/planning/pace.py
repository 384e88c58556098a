"""How fast a plan offers a release: its pace, shared out among the fleets of a stage. Pure."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from fractions import Fraction

from bridge.planning.planned import Place, Plan

MINUTE = timedelta(minutes=1)


def admitted(plan: Plan, place: Place, size: int, since: datetime, now: datetime) -> int:
    """How many of `size` devices may have been offered the release `now`; all where nothing, or the cloud, paces."""
    rate = pace(plan, place)
    if rate is None or plan.fleet(place.fleet).facts.paces:
        return size
    minutes = max(0, (now - since) // MINUTE) + 1
    return min(size, max(1, math.floor(rate * minutes)))


def pace(plan: Plan, place: Place) -> Fraction | None:
    """The fleet's share of the rollout's pace in this stage, in devices a minute; None without one. An equal share
    where only devices that joined later are in it.
    """
    if plan.rollout.pace is None:
        return None
    size = plan.cohort(place).size
    share = Fraction(size, plan.stages[place.stage].size) if size else Fraction(1, len(plan.fleets))
    return plan.rollout.pace * share

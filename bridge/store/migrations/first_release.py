"""Rollouts as the first release kept them, and the same as schema 2 keeps them.

The shapes stand here as they were on the day of this migration: it must lead to the same rows whatever becomes of
`bridge.planning.planned` and `bridge.engine.progress`. Fields that the first release knew nothing of are left out;
their defaults hold.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

import msgspec
import sqlalchemy as sa

OLD_ROLLOUTS = sa.table(
    "rollouts_of_first_release",
    *[
        sa.column(name)
        for name in (
            *("name", "revision", "state", "stage", "stages", "begun", "version", "reason", "unknown_passes"),
            *("created", "updated", "plan", "release", "roots", "folder"),
        )
    ],
)
OLD_TALLIES = sa.table("tallies", *[sa.column(name) for name in ("rollout", "stage", "fleet", "tally")])
FINAL = frozenset({"stopped", "aborted", "completed"})
KEPT = ("name", "revision", "state", "stage", "stages", "version", "reason", "created", "updated")
"""Columns that mean the same in both."""


class Tally(msgspec.Struct, frozen=True):
    """Counts of devices of one order."""

    waiting: int
    running: int
    installed: int
    failed: int
    rejected: int
    timed_out: int
    withdrawn: int
    open: bool
    cancelled: bool


class Cohort(msgspec.Struct, frozen=True):
    """The devices of one fleet in one stage."""

    fleet: str
    devices: tuple[str, ...]


class OldStage(msgspec.Struct, frozen=True):
    """A stage with its devices settled."""

    percent: float
    cohorts: tuple[Cohort, ...]
    enough: float = 100.0


class StageWish(msgspec.Struct, frozen=True):
    """A stage as wished; the same in both."""

    percent: float
    enough: float = 100.0


class Budget(msgspec.Struct, frozen=True):
    """What may go wrong; the same in both."""

    failures: int = 0
    percent: float = 0.0


class OldRollout(msgspec.Struct, frozen=True):
    """`rollout.yaml`."""

    name: str
    release: str
    fleets: tuple[str, ...]
    stages: tuple[StageWish, ...]
    budget: Budget = Budget()
    group: str | None = None
    timeout_minutes: int = 60


class OldPlan(msgspec.Struct, frozen=True):
    """The plan."""

    rollout: OldRollout
    release_sha256: str
    release_version: str
    stages: tuple[OldStage, ...]
    digest: str


class Part(msgspec.Struct, frozen=True, omit_defaults=True):
    """The devices of a fleet that a rollout is for."""

    name: str
    group: str | None = None


class Rollout(msgspec.Struct, frozen=True):
    """`rollout.yaml`."""

    name: str
    release: str
    fleets: tuple[str | Part, ...]
    stages: tuple[StageWish, ...]
    budget: Budget
    timeout_minutes: int


class Release(msgspec.Struct, frozen=True):
    """A release by what was signed."""

    sha256: str
    version: str


class Facts(msgspec.Struct, frozen=True):
    """What a fleet's cloud gives; its name was not kept."""

    cloud: str = ""


class Fleet(msgspec.Struct, frozen=True):
    """One fleet of the plan; hardware models were not known."""

    part: Part
    facts: Facts
    models: Mapping[str, int]


class Stage(msgspec.Struct, frozen=True):
    """A stage with its devices settled."""

    cohorts: tuple[Cohort, ...]


class Plan(msgspec.Struct, frozen=True):
    """The plan. The digest stays: it is part of the names of orders that are under way."""

    rollout: Rollout
    release: Release
    fleets: tuple[Fleet, ...]
    stages: tuple[Stage, ...]
    digest: str


class Order(msgspec.Struct, frozen=True):
    """One offer of the release."""

    kind: str
    size: int
    since: datetime
    admitted: int
    tally: Tally | None
    closing: bool


class Orders(msgspec.Struct, frozen=True):
    """All orders of one fleet in one stage."""

    stage: int
    fleet: str
    orders: tuple[Order, ...]


class Breach(msgspec.Struct, frozen=True):
    """What was broken."""

    gate: str
    reason: str


class Progress(msgspec.Struct, frozen=True):
    """All that changes."""

    state: str
    stage: int
    begun: datetime | None
    orders: tuple[Orders, ...]
    breach: Breach | None
    unknown_since: datetime | None
    unknown_passes: int


def carried_plan(document: bytes) -> bytes:
    """The plan of schema 2 for a plan of the first release."""
    return msgspec.json.encode(_plan(msgspec.json.decode(document, type=OldPlan)))


def carried(row: sa.RowMapping, tallies: Sequence[sa.RowMapping]) -> dict[str, object]:
    """The row of schema 2 for a rollout of the first release and its `tallies`."""
    old = msgspec.json.decode(row["plan"], type=OldPlan)
    seen = {(each["stage"], each["fleet"]): msgspec.json.decode(each["tally"], type=Tally) for each in tallies}
    orders = tuple(_orders(row, old, seen))
    return {name: row[name] for name in KEPT} | {
        "open": row["state"] not in FINAL or bool(orders),
        "waiting": "",
        "digest": old.digest,
        "release": row["release"],
        "roots": row["roots"],
        "folder": row["folder"],
        "progress": msgspec.json.encode(_progress(row, orders)),
    }


def _plan(old: OldPlan) -> Plan:
    parts = tuple(Part(fleet, old.rollout.group) for fleet in old.rollout.fleets)
    return Plan(
        rollout=Rollout(
            name=old.rollout.name,
            release=old.rollout.release,
            fleets=parts if old.rollout.group else old.rollout.fleets,
            stages=old.rollout.stages,
            budget=old.rollout.budget,
            timeout_minutes=old.rollout.timeout_minutes,
        ),
        release=Release(old.release_sha256, old.release_version),
        fleets=tuple(Fleet(part, Facts(), {"": _devices(old.stages, part.name)}) for part in parts),
        stages=tuple(Stage(stage.cohorts) for stage in old.stages),
        digest=old.digest,
    )


def _devices(stages: Iterable[OldStage], fleet: str) -> int:
    cohorts = (cohort for stage in stages for cohort in stage.cohorts)
    return sum(len(cohort.devices) for cohort in cohorts if cohort.fleet == fleet)


def _orders(row: sa.RowMapping, old: OldPlan, seen: Mapping[tuple[int, str], Tally]) -> Iterator[Orders]:
    """An order for each fleet with devices in each stage begun: it was made, or was about to be.

    Those of an ended rollout are to be stopped once more: whether the fleets had heard of the end was not kept.
    """
    if row["begun"] is None:
        return
    for stage, planned in enumerate(old.stages[: row["stage"] + 1]):
        since = datetime.fromisoformat(row["begun"] if stage == row["stage"] else row["created"])
        for cohort in planned.cohorts:
            size = len(cohort.devices)
            if size:
                tally = seen.get((stage, cohort.fleet))
                order = Order("stage", size, since, size, tally, closing=row["state"] in FINAL)
                yield Orders(stage, cohort.fleet, (order,))


def _progress(row: sa.RowMapping, orders: tuple[Orders, ...]) -> Progress:
    """Only the budget could stop a rollout."""
    return Progress(
        state=row["state"],
        stage=row["stage"],
        begun=row["begun"] and datetime.fromisoformat(row["begun"]),
        orders=orders,
        breach=Breach("budget", row["reason"]) if row["state"] == "stopped" else None,
        unknown_since=datetime.fromisoformat(row["updated"]) if row["unknown_passes"] else None,
        unknown_passes=row["unknown_passes"],
    )

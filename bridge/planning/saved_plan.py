"""A plan in a file: made and looked at in one place, approved and applied in another, and refused where it no longer
fits the world.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import MappingProxyType

import msgspec

from bridge.errors import PlanDrifted, UsageError
from bridge.files import read_bounded, replace_file
from bridge.planning.plan import digest_of
from bridge.planning.planned import Cohort, Place, Plan

SCHEMA = 1
MAX_PLAN_BYTES = 256 * 1024 * 1024
"""A plan that names a million devices has some 40 MB."""
TOLERANCE = 0.1
"""Share by which the devices in a window of buckets may have changed since the plan was looked at."""
SHOWN = 5
_CHANGED = MappingProxyType(
    {
        "rollout": "the rollout file has changed",
        "release": "the release has changed",
        "back": "the way back has changed",
        "freezes": "the freeze calendars have changed",
        "approvers": "the approvers' keys have changed",
    }
)


class SavedPlan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`file` is the absolute path of the rollout file that the plan was made of."""

    schema: int
    file: str
    plan: Plan


def is_saved_plan(path: Path) -> bool:
    """Whether `path` is named as plans are; rollout files are YAML."""
    return path.suffix == ".json"


def save_plan(path: Path, file: Path, plan: Plan) -> Path:
    """Write the plan. Raises: UsageError when it cannot be written."""
    return replace_file(path, msgspec.json.encode(SavedPlan(SCHEMA, str(file.resolve()), plan)))


def read_plan(path: Path) -> SavedPlan:
    """The plan in `path`, whole and unaltered. Raises: UsageError."""
    data = read_bounded(path, MAX_PLAN_BYTES, "plan")
    if len(data) > MAX_PLAN_BYTES:
        raise UsageError(f"{path}: larger than {MAX_PLAN_BYTES} bytes; a plan is not")
    try:
        saved = msgspec.json.decode(data, type=SavedPlan)
    except (msgspec.DecodeError, RecursionError) as error:
        raise UsageError(f"{path}: no plan ({error}); `otabridge rollout plan --out` writes one") from error
    if saved.schema != SCHEMA:
        raise UsageError(f"{path}: schema {saved.schema} is another otabridge's, this reads {SCHEMA}; plan it again")
    if digest_of(saved.plan) != saved.plan.digest:
        raise UsageError(f"{path}: was edited after it was made; edit the rollout file, and plan it again")
    return saved


def require_undrifted(old: Plan, new: Plan) -> None:
    """Whether `new`, made of the same file now, is what was looked at as `old`.

    Raises: PlanDrifted, saying what is different.
    """
    found = list(_drift(old, new))
    if found:
        raise PlanDrifted(
            f"rollout {old.rollout.name}: the world is not the one of plan {old.digest[:12]}: {'; '.join(found)}. "
            "Plan it again, look at it, and have it approved"
        )


def _drift(old: Plan, new: Plan) -> Iterator[str]:
    yield from (words for name, words in _CHANGED.items() if getattr(old, name) != getattr(new, name))
    for stage in range(min(len(old.stages), len(new.stages))):
        for cohort in old.stages[stage].cohorts:
            now = {each.fleet: each for each in new.stages[stage].cohorts}.get(cohort.fleet, Cohort(cohort.fleet))
            yield from _moved(Place(stage, cohort.fleet), cohort, now)
    if old.digest != new.digest and old.rollout == new.rollout:
        yield from (f"fleet {name} selects its devices otherwise" for name in _reselected(old, new))


def _moved(place: Place, old: Cohort, new: Cohort) -> Iterator[str]:
    where = f"stage {place.stage + 1} of fleet {place.fleet}"
    gone, come = sorted({*old.devices} - {*new.devices}), sorted({*new.devices} - {*old.devices})
    if gone:
        yield f"{where} lost {_some(gone)}"
    if come:
        yield f"{where} gained {_some(come)}"
    if old.buckets and abs(new.size - old.size) > TOLERANCE * max(old.size, 1):
        yield f"{where} had {old.size} devices and has {new.size}"


def _reselected(old: Plan, new: Plan) -> Iterator[str]:
    for fleet in old.fleets:
        name = fleet.part.name
        now = next((each.facts for each in new.fleets if each.part.name == name), None)
        if now is not None and (now.by_bucket, now.paces) != (fleet.facts.by_bucket, fleet.facts.paces):
            yield name


def _some(devices: list[str]) -> str:
    shown = ", ".join(devices[:SHOWN])
    return f"{shown} and {len(devices) - SHOWN} more" if len(devices) > SHOWN else shown

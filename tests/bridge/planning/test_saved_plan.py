"""Saved plans: read back whole, refused where edited, and where the world has moved on."""

from __future__ import annotations

import msgspec
import pytest

from bridge.errors import PlanDrifted, UsageError
from bridge.planning.plan import digest_of
from bridge.planning.planned import Approver, Closure, Cohort, Facts, Plan, PlannedFleet, PlannedRelease, PlannedStage
from bridge.planning.saved_plan import MAX_PLAN_BYTES, is_saved_plan, read_plan, require_undrifted, save_plan
from bridge.rollout.model import FleetPart
from tests.bridge.plans import DEPOT, FACTORY, HOUR, NOW, new_plan


def named(plan: Plan) -> Plan:
    """`plan` under its own digest."""
    return msgspec.structs.replace(plan, digest=digest_of(plan))


LISTED = named(new_plan((2, 2), (3, 3)))
BUCKETED = named(new_plan((100, 100), (100, 100), by_bucket=True))


def with_cohorts(plan: Plan, *cohorts: Cohort) -> Plan:
    """`plan` with these in its first stage."""
    return named(msgspec.structs.replace(plan, stages=(PlannedStage(cohorts), *plan.stages[1:])))


def changed(plan: Plan, **fields) -> Plan:
    """Another plan."""
    return named(msgspec.structs.replace(plan, **fields))


@pytest.mark.parametrize("plan", [LISTED, BUCKETED])
def test_a_plan_reads_back_as_it_was(tmp_path, plan):
    """With the place of the file that it was made of."""
    saved = read_plan(save_plan(tmp_path / "plan.json", tmp_path / "x" / ".." / "rollout.yaml", plan))

    assert saved.plan == plan
    assert saved.file == str(tmp_path / "rollout.yaml")


def test_plans_are_known_by_their_names(tmp_path):
    """Rollout files are YAML."""
    assert is_saved_plan(tmp_path / "plan.json")
    assert not is_saved_plan(tmp_path / "rollout.yaml")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: data.replace(b'"name":"gates"', b'"name":"doors"'), "was edited after it was made"),
        (lambda data: data.replace(b'"schema":1', b'"schema":9'), "schema 9 is another otabridge's, this reads 1"),
        (lambda data: data[:-9], "no plan ("),
        (lambda data: data.replace(b'"file"', b'"path"'), "no plan ("),
        (lambda _: b"[" * 100_000, "no plan ("),
        (lambda _: b"", "no plan ("),
    ],
)
def test_what_is_not_a_whole_plan_is_refused(tmp_path, change, message):
    """Whatever happened to the file."""
    path = save_plan(tmp_path / "plan.json", tmp_path / "rollout.yaml", LISTED)
    path.write_bytes(change(path.read_bytes()))

    with pytest.raises(UsageError, match=r"plan\.json") as refused:
        read_plan(path)

    assert message in str(refused.value)


def test_a_file_that_is_no_plan_by_its_size_is_not_read(tmp_path, monkeypatch):
    """Nor is one that is not there."""
    assert MAX_PLAN_BYTES > 40_000_000
    monkeypatch.setattr("bridge.planning.saved_plan.MAX_PLAN_BYTES", 10)
    (tmp_path / "plan.json").write_bytes(b" " * 11)

    with pytest.raises(UsageError, match="larger than 10 bytes; a plan is not"):
        read_plan(tmp_path / "plan.json")
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        read_plan(tmp_path / "nowhere.json")


SAME = [
    (LISTED, LISTED),
    (
        BUCKETED,
        with_cohorts(BUCKETED, *(msgspec.structs.replace(each, count=110) for each in BUCKETED.stages[0].cohorts)),
    ),
    (LISTED, changed(LISTED, closures=(Closure(NOW, NOW + HOUR, "seen later"),))),
    (
        LISTED,
        changed(
            LISTED,
            fleets=tuple(PlannedFleet(each.part, Facts("test", orders_a_minute=1), {"x": 9}) for each in LISTED.fleets),
        ),
    ),
]


@pytest.mark.parametrize(("old", "new"), SAME)
def test_what_changes_by_itself_is_no_drift(old, new):
    """A tenth more devices in a window of buckets, another year of freezes, other prices."""
    require_undrifted(old, new)


DRIFTED = [
    (LISTED, changed(LISTED, release=PlannedRelease("22" * 32, "2.0.1")), "the release has changed"),
    (LISTED, changed(LISTED, back=None), "the way back has changed"),
    (LISTED, changed(LISTED, freezes=("33" * 32,)), "the freeze calendars have changed"),
    (LISTED, changed(LISTED, approvers=(Approver("ann", "id", b"{}"),)), "the approvers' keys have changed"),
    (LISTED, changed(LISTED, rollout=msgspec.structs.replace(LISTED.rollout, pace=9)), "the rollout file has changed"),
    (
        LISTED,
        with_cohorts(LISTED, Cohort(FACTORY, ("factory-s1-000", "new")), LISTED.stages[0].cohorts[1]),
        "stage 1 of fleet factory lost factory-s1-001; stage 1 of fleet factory gained new",
    ),
    (
        LISTED,
        with_cohorts(LISTED, LISTED.stages[0].cohorts[0]),
        "stage 1 of fleet depot lost depot-s1-000, depot-s1-001",
    ),
    (
        LISTED,
        with_cohorts(LISTED, LISTED.stages[0].cohorts[0], Cohort(DEPOT, tuple("abcdefg"))),
        "gained a, b, c, d, e and 2 more",
    ),
    (
        BUCKETED,
        with_cohorts(BUCKETED, *(msgspec.structs.replace(each, count=111) for each in BUCKETED.stages[0].cohorts)),
        "stage 1 of fleet factory had 100 devices and has 111",
    ),
    (
        LISTED,
        changed(LISTED, fleets=(PlannedFleet(FleetPart(FACTORY), Facts("test", paces=7), {}), LISTED.fleets[1])),
        "fleet factory selects its devices otherwise",
    ),
]


@pytest.mark.parametrize(("old", "new", "words"), DRIFTED)
def test_another_world_is_told_in_words(old, new, words):
    """Each thing that is different, and what to do."""
    with pytest.raises(PlanDrifted) as refused:
        require_undrifted(old, new)

    assert words in str(refused.value)
    assert f"the world is not the one of plan {old.digest[:12]}: " in str(refused.value)
    assert refused.value.exit_code == 29

"""`otabridge rollout apply` of what was agreed on: plans that were saved, plans that approvers must sign."""

from __future__ import annotations

import pytest

from bridge.cli.app import app
from tests.bridge.cli.desk import APPROVALS, ROLLOUT


def test_a_saved_plan_is_applied_as_it_was_seen(desk):
    """From anywhere: it knows its rollout file. Applied again, it goes on."""
    digest = desk.rollout("plan", "rollout.yaml", "--out", "plan.json", "-o", "json").json["plan"]["digest"]

    applied = [desk.rollout("apply", "plan.json", "--interval", "0.1", "-o", "json") for _ in range(2)]

    assert [(each.code, each.json["state"], each.json["plan"]) for each in applied] == [(0, "completed", digest)] * 2


def test_a_saved_plan_that_the_world_has_left_behind_ends_with_29(desk):
    """A device more in a fleet; nothing is recorded. Nor is it another plan's rollout that goes on."""
    desk.rollout("plan", "rollout.yaml", "--out", "plan.json")
    desk.depot.ids = (*desk.depot.ids, "depot-999")

    drifted = desk.rollout("apply", "plan.json", "--no-wait")
    nothing = desk.rollout("list").out
    desk.apply("--no-wait")
    other = desk.rollout("apply", "plan.json", "--no-wait")

    assert (drifted.code, other.code) == (29, 29)
    assert "depot-999" in drifted.err
    assert "Plan it again, look at it, and have it approved" in drifted.err
    assert nothing == "no rollout is recorded\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{}", "plan.json: no plan (Object missing required field"),
        ('{"schema": 1', "plan.json: no plan ("),
    ],
)
def test_what_is_no_plan_is_refused(desk, text, message):
    """Before any cloud is asked."""
    (desk.folder / "plan.json").write_text(text)

    applied = desk.rollout("apply", "plan.json")

    assert applied.code == 2
    assert message in applied.err


def test_an_edited_plan_is_refused(desk):
    """Its digest is what approvers sign."""
    desk.rollout("plan", "rollout.yaml", "--out", "plan.json")
    file = desk.folder / "plan.json"
    file.write_text(file.read_text().replace('"timeout_minutes":60', "").replace('"name":"gates"', '"name":"doors"'))

    applied = desk.rollout("apply", "plan.json")

    assert applied.code == 2
    assert "plan.json: was edited after it was made" in applied.err


def test_a_plan_that_nobody_signed_ends_with_28_and_can_be_signed(desk):
    """It is recorded; nothing is published. The message says who and how."""
    desk.approvers()
    desk.write(ROLLOUT + APPROVALS)

    applied = desk.apply("--no-wait")

    assert applied.code == 28
    assert "needs the signatures of 2 more" in applied.err
    assert (
        "approvers (ann, ben, eva) sign with `otabridge rollout approve gates --key KEY`, then it is applied again"
        in applied.err
    )
    assert [fleet.puts for fleet in desk.fleets.values()] == [[], []]
    assert desk.rollout("list", "-o", "json").json["rollouts"][0]["waiting"] == "approval"


def test_apply_waits_for_signatures_until_its_time_is_over(desk):
    """Told once on stderr; then 28."""
    desk.approvers()
    desk.write(ROLLOUT + APPROVALS)

    applied = desk.apply("--timeout", "1")

    assert applied.code == 28
    assert applied.err.count("waits for approvers: ") == 1


def test_a_plan_that_is_signed_while_apply_waits_goes_on(desk, monkeypatch):
    """Two approvers sign between two passes."""
    desk.approvers()
    desk.write(ROLLOUT + APPROVALS)
    desk.apply("--no-wait")
    signers = iter(["ann", "ben"])

    def sign(_: float) -> None:
        name = next(signers, None)
        if name:
            app(["rollout", "approve", "gates", "--key", f"{name}.pem"], standalone_mode=False)

    monkeypatch.setattr("bridge.wiring.time.sleep", sign)
    applied = desk.apply("-o", "json")

    assert applied.code == 0
    assert '"state": "completed"' in applied.out

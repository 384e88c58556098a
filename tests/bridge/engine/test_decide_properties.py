"""What no sequence of tallies, hours, outages and commands may ever lead to."""

from __future__ import annotations

from contextlib import nullcontext as does_not_raise

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.engine import controls
from bridge.engine.decide import decide
from bridge.engine.progress import Progress, State
from bridge.engine.sight import Sight
from bridge.errors import UsageError
from bridge.planning.planned import Place
from bridge.tally import Tally
from tests.bridge.lives import (
    CONTROLS,
    COUNTS,
    NOT_ABOUT_DEVICES,
    PLACES,
    PLANS,
    SIGHTS,
    STEPS,
    Ended,
    Life,
    Looked,
    Said,
    Told,
    credible,
)
from tests.bridge.plans import DEPOT, FACTORY, NOW, new_plan


@settings(max_examples=300, deadline=None)
@given(PLANS, STEPS)
def test_no_life_of_a_rollout_breaks_its_rules(plan, steps):
    """Published first; then whatever comes, in whatever order."""
    life = Life(plan)
    life.take(Looked(0, Sight()))
    for step in steps:
        life.take(step)


@settings(max_examples=200, deadline=None)
@given(PLANS, STEPS, SIGHTS)
def test_who_resumes_after_a_breach_does_not_meet_the_same_one(plan, steps, sight):
    """It was looked at and accepted: without any news the rollout does not pause again for it."""
    plan = msgspec.structs.replace(plan, rollout=msgspec.structs.replace(plan.rollout, on_breach="pause"))
    life = Life(plan)
    life.take(Looked(0, Sight()))
    for step in steps:
        life.take(step)
    if life.progress.state is not State.RUNNING:
        return
    sight = credible(plan, life.progress, sight, life.now)
    broken = decide(plan, life.progress, sight, life.now)
    breach = broken.progress.breach
    if broken.progress.state is not State.PAUSED or breach is None or breach.gate in NOT_ABOUT_DEVICES:
        return

    resumed = controls.resume(plan, broken.progress, life.now)

    assert resumed is not None
    again = decide(plan, resumed, sight, life.now).progress.breach
    assert again is None or again.gate in NOT_ABOUT_DEVICES


HARMLESS = st.lists(
    st.builds(
        Told,
        PLACES,
        st.just(-1),
        st.builds(Tally, waiting=COUNTS, running=st.integers(0, 2), installed=COUNTS),
    )
    | st.builds(Looked, st.sampled_from([0, 1, 61, 400]), st.just(Sight()))
    | st.builds(Looked, st.just(1), st.just(Sight(unseen={Place(0, DEPOT): "throttled"})))
    | st.builds(Said, st.sampled_from(["pause", "resume", "promote"])),
    max_size=20,
)
FORWARD_PLANS = PLANS.filter(lambda plan: plan.rollout.gates.failure_rate is None)


@settings(max_examples=60, deadline=None)
@given(FORWARD_PLANS, HARMLESS)
def test_a_good_release_comes_to_its_end(plan, steps):
    """However often it was paused, shut or out of reach: once devices answer, every stage is passed in turn."""
    life = Life(plan)
    life.take(Looked(0, Sight()))
    for step in steps:
        life.take(step)
    life.take(Said("resume"))
    for _ in range(150):
        life.take(Ended(0, Place(0, FACTORY)))
        life.take(Looked(61, Sight()))
        if life.progress.state.is_final:
            break

    assert life.progress.state is State.COMPLETED
    assert life.passed == {0, 1, 2}


SO_ALREADY = {
    ("abort", State.ABORTED),
    ("abort", State.STOPPED),
    ("roll back", State.ROLLED_BACK),
}


@pytest.mark.parametrize("state", [state for state in State if state.is_final])
@pytest.mark.parametrize("control", sorted(CONTROLS))
def test_nothing_leads_out_of_a_final_state(state, control):
    """Refused in words, or so already."""
    refused = does_not_raise() if (control, state) in SO_ALREADY else pytest.raises(UsageError, match=f"is {state}")

    with refused:
        assert CONTROLS[control](new_plan((1, 1)), Progress(state), NOW) is None

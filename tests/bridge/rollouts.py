"""Rollout files for tests: a good one, and any that may be written."""

from __future__ import annotations

from hypothesis import strategies as st

from bridge.rollout.model import FleetPart, Rollout, Stage
from bridge.rollout.rules import (
    Approvals,
    Budget,
    FailureRate,
    Gates,
    Health,
    LateJoiners,
    MaintenanceWindow,
    OnBreach,
    Retries,
    RollBack,
    SignOff,
    Undecided,
)

FLEETS = ("factory", "depot")
GOOD = """\
name: gates
release: releases/2.0.0
fleets: [factory, depot]
stages:
  - percent: 10
  - percent: 50
  - percent: 100
budget:
  failures: 2
"""
STAGES = GOOD[GOOD.index("stages") : GOOD.index("budget")]


def staged(stages: str) -> str:
    """The good file with other stages, from line 5 on."""
    return GOOD.replace(STAGES, f"stages:\n{stages}")


WORDS = st.from_regex(r"[a-z0-9][a-z0-9-]{0,8}", fullmatch=True)
TEXTS = st.text(st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="\ufeff"), min_size=1, max_size=20)
DURATIONS = st.sampled_from(["90s", "30m", "24h", "1d12h", "2w"])
COUNTS = st.integers(1, 100_000_000)
HARM = st.integers(0, 100_000_000)
PERCENTS = st.floats(0.001, 100)
PROBABILITIES = st.floats(0, 0.5, exclude_min=True, exclude_max=True)


def maybe(values: st.SearchStrategy) -> st.SearchStrategy:
    """One of them, or none."""
    return st.none() | values


def several(values: st.SearchStrategy, least: int = 0, most: int = 3) -> st.SearchStrategy:
    """A tuple of different ones."""
    return st.lists(values, min_size=least, max_size=most, unique=True).map(tuple)


RATES = st.builds(
    FailureRate, PERCENTS, PROBABILITIES, PROBABILITIES, minimum=COUNTS, undecided=st.sampled_from(Undecided)
)


@st.composite
def gates(draw) -> Gates:
    """Any gates; each figure has a limit, or is compared, or both."""
    queries = st.dictionaries(st.sampled_from(FLEETS), TEXTS, min_size=1)
    limits = st.tuples(PERCENTS, st.booleans()) | st.just((None, True))
    figures = [
        Health(name, draw(queries), *draw(limits), draw(PROBABILITIES), draw(COUNTS)) for name in draw(several(WORDS))
    ]
    return Gates(draw(maybe(RATES)), draw(maybe(HARM)), draw(maybe(HARM)), tuple(figures), draw(DURATIONS))


@st.composite
def stages(draw, approvers: int) -> tuple[Stage, ...]:
    """Any stages: test devices, a count, growing shares; signed by no more than there are."""
    sign_offs = st.builds(SignOff, st.integers(1, max(1, approvers)), several(TEXTS)) if approvers else st.none()
    rest = {"models": several(TEXTS), "enough": PERCENTS, "soak": DURATIONS, "gates": maybe(gates())}
    whole = {**rest, "sign_off": maybe(sign_offs)}
    named = st.builds(Stage, devices=st.dictionaries(st.sampled_from(FLEETS), several(TEXTS, 1), min_size=1), **whole)
    counted = st.builds(Stage, count=COUNTS, **whole)
    shares = sorted(draw(st.sets(PERCENTS, min_size=1, max_size=3)))
    found = [draw(each) for each in draw(st.sampled_from([[], [named], [counted], [named, counted]]))]
    return (*found, *(draw(st.builds(Stage, percent=st.just(share), **whole)) for share in shares))


@st.composite
def rollouts(draw) -> Rollout:
    """Any rollout that may be written over the two fleets."""
    part = st.builds(FleetPart, st.just("depot"), maybe(TEXTS), maybe(TEXTS))
    approvers = draw(st.just(()) | several(st.sampled_from(["a.pub", "keys/b.pub", "/c.pub"]), 1))
    approvals = st.builds(Approvals, st.integers(1, max(1, len(approvers))), st.just(approvers), DURATIONS)
    back = draw(maybe(st.just(RollBack("releases/1"))))
    breaches = [each for each in OnBreach if back or each is not OnBreach.ROLL_BACK]
    window = MaintenanceWindow("0 2 * * 1-5", draw(st.sampled_from(["1h", "2d"])), "Europe/Berlin")
    retries = st.integers(0, 5)
    return Rollout(
        name=draw(WORDS),
        release=draw(TEXTS.map("releases/".__add__).filter("releases/1".__ne__)),
        fleets=("factory", draw(part | st.just("depot"))),
        stages=draw(stages(len(approvers))),
        budget=draw(st.builds(Budget, HARM, st.floats(0, 100), maybe(HARM))),
        gates=draw(gates()),
        on_breach=draw(st.sampled_from(breaches)),
        roll_back=back,
        pace=draw(maybe(COUNTS)),
        windows=draw(st.sampled_from([(), (window,)])),
        freeze=draw(several(TEXTS)),
        timeout_minutes=draw(st.integers(1, 10080)),
        retries=draw(st.builds(Retries, retries, retries, retries, retries, DURATIONS)),
        late_joiners=draw(st.sampled_from(LateJoiners)),
        approvals=draw(approvals) if approvers else None,
    )

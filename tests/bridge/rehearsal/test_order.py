"""The tally of a rehearsed order adds up to its devices at any time, as a real cloud's does."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bridge.rehearsal.assumptions import Assumptions
from bridge.rehearsal.columns import draw
from bridge.rehearsal.order import RehearsedOrder

ANY = Assumptions(failing=10, falling_back=10, silent=10, offline=30, returns="1h", installs="10m")
MOMENTS = st.lists(st.floats(0, 200_000), min_size=1, max_size=6)


def new_order(pace: int | None = None) -> RehearsedOrder:
    """An order for 50 devices of any fate, from the beginning on, with an hour's patience."""
    columns = draw({"": 50}, ANY, np.random.default_rng(5))
    return RehearsedOrder(columns, np.arange(50), 0.0, 3600.0, pace, back=False)


@given(MOMENTS, st.integers(0, 50), st.floats(0, 100_000) | st.none())
def test_counts_add_up_at_any_time(moments, admitted, stopped):
    """Whoever is admitted, and whenever it is stopped: 50 devices are 50 devices."""
    order = new_order()
    order.admit(admitted, 0.0)
    if stopped is not None:
        order.stop(stopped)
    for moment in moments:
        tally = order.tally(moment)
        assert tally.total == 50
        assert min(tally.waiting, tally.running, tally.installed, tally.bad, tally.withdrawn) >= 0


@given(MOMENTS)
def test_what_ended_stays_ended(moments):
    """As time goes on no count of ended devices falls."""
    order = new_order()
    order.admit(50, 0.0)
    tallies = [order.tally(moment) for moment in sorted(moments)]
    for earlier, later in itertools.pairwise(tallies):
        assert (earlier.installed, earlier.failed, earlier.timed_out) <= (
            later.installed,
            later.failed,
            later.timed_out,
        )
        assert earlier.ended <= later.ended


def test_only_admitted_devices_begin():
    """Those beyond the pace wait, however much time passes."""
    order = new_order()
    order.admit(7, 0.0)

    assert order.begun(1e9) == 7
    order.admit(9, 1e9)
    assert order.begun(2e9) == 9


def test_the_clouds_own_pace_spreads_the_offers():
    """At five a minute, no more than five have begun within the first minute."""
    order = new_order(pace=5)
    order.admit(50, 0.0)

    assert order.begun(59.0) <= 5
    assert order.tally(59.0).waiting >= 45


def test_who_was_stopped_before_it_began_is_withdrawn():
    """Those in the middle finish, the others are left without."""
    order = new_order()
    order.admit(50, 0.0)
    begun = order.begun(60.0)
    order.stop(60.0)
    tally = order.tally(1e9)

    assert tally.withdrawn == 50 - begun
    assert tally.running == 0

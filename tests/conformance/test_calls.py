"""What an order by bucket costs: the same number of calls for ten devices and for a thousand."""

from __future__ import annotations

from bridge.fleet import EVERYTHING
from bridge.release.bucket import BUCKETS, Buckets, bucket
from tests.conformance.cloud import RUN, SIMULATED
from tests.conformance.staged import Staged, until_taken

CLOUDS = SIMULATED
SIZES = (10, 1000)
WHOLE = (Buckets(0, BUCKETS - 1),)


def test_calls_do_not_grow_with_the_devices(cloud, order):
    """Census, start, tally and stop, each counted by itself."""
    costs = [cost(cloud, order, size) for size in SIZES]

    assert costs[0] == costs[1]
    assert all(0 < calls < 60 for calls in costs[0].values())


def cost(cloud, order, size) -> dict[str, int]:
    """The calls of each act for an order of so many devices."""
    model = f"model-{RUN}-{size}"
    names = [f"{model}-{number}" for number in range(size)]
    cloud.populate({name: {"bucket": bucket(name), "model": model} for name in names})
    changes = {"devices": (), "buckets": WHOLE, "models": (model,), "size": size}
    staged = Staged(cloud.by_bucket, order)
    staged.fleet.facts()
    staged.stop(staged.start(key=f"warm-{size}", **changes))
    ours = staged.order_with(key=f"cost-{size}", **changes)
    acts = {
        "census": lambda: staged.fleet.census(EVERYTHING, WHOLE, (model,)),
        "start": lambda: staged.fleet.start(ours),
        "tally": lambda: staged.fleet.tally(ours.key),
        "stop": lambda: staged.fleet.stop(ours.key, "counted"),
    }
    found = {name: counted(cloud, act) for name, act in acts.items()}
    assert staged.tally(ours).withdrawn == size
    return found


def counted(cloud, act) -> int:
    """How many calls `act` makes until it is done."""
    with cloud.calls() as calls:
        until_taken(act)
    return len(calls)

"""What a rollout costs: calls to AWS for a stage, seconds and bytes for a plan, as the fleet grows.

`python benchmarks/rollout_scale.py [--devices 1000] [--plan 100000] [--split 1000000]` runs the real adapter against
the simulator of AWS and prints one line a measurement. Calls that are made once a device are shown apart: adding a
device to its stage's group, which AWS offers no batch for. All others must not grow with the devices but by the page.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import msgspec

from adapters.aws.cloud import AwsFleet, AwsFleetSettings
from adapters.aws.simulator.simulator import AwsSimulator
from bridge.cohort import split
from bridge.fleet import StageOrder
from bridge.ledger import Act, Entry
from bridge.plan import digest_of
from bridge.record import Material, Record
from bridge.rollout import Cohort, Plan, PlannedStage, Rollout
from bridge.store import Store
from tests.releases import ReleaseKit

BUCKET = "scale-artifacts"
PER_DEVICE = "AddThingToThingGroup"
PERCENTS = (1.0, 10.0, 50.0, 100.0)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--devices", type=int, default=1000, help="devices of the stage in the simulator")
    parser.add_argument("--plan", type=int, default=100_000, help="devices of the plan in the store")
    parser.add_argument("--split", type=int, default=1_000_000, help="devices put into stages")
    chosen = parser.parse_args()
    measure_split(chosen.split)
    measure_plan(chosen.plan)
    for devices in (chosen.devices // 10, chosen.devices):
        measure_stage(devices)


def measure_split(count: int) -> None:
    """Buckets and stages, in memory."""
    names = ids(count)
    with timed() as seconds:
        split("scale", names, PERCENTS)
    print(f"split   {count} devices into {len(PERCENTS)} stages: {seconds():.2f} s")


def measure_plan(count: int) -> None:
    """The plan's size, and what one pass of the controller pays to read and save it."""
    record = new_record(count)
    size = len(msgspec.json.encode(record.plan))
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder) / "otabridge.db")
        with timed() as created:
            store.create(record, Entry(record.created, record.name, "bench", Act.PLANNED, "bench"))
        with timed() as loaded:
            store.load(record.name)
        with timed() as saved:
            store.save(record)
    print(
        f"plan    {count} devices: {size / 1e6:.1f} MB of JSON; "
        f"create {created():.2f} s, load {loaded():.2f} s, save {saved():.3f} s"
    )


def new_record(count: int) -> Record:
    """A rollout of one fleet in four stages."""
    rollout = msgspec.convert(
        {"name": "scale", "release": "r", "fleets": ["factory"], "stages": [{"percent": each} for each in PERCENTS]},
        Rollout,
    )
    stages = tuple(
        PlannedStage(percent, (Cohort("factory", devices),))
        for percent, devices in zip(PERCENTS, split("scale", ids(count), PERCENTS), strict=True)
    )
    plan = Plan(rollout, "00" * 32, "2.0.0", stages, "")
    now = datetime.now(UTC)
    return Record(msgspec.structs.replace(plan, digest=digest_of(plan)), Material(b"{}", (), Path()), now, now)


def measure_stage(count: int) -> None:
    """One stage from start to stop, against the simulator."""
    with tempfile.TemporaryDirectory() as folder, AwsSimulator(Path(folder)) as simulator:
        os.environ.update(simulator.environment())
        simulator.bucket(BUCKET)
        register(simulator, count)
        fleet, calls = counted_fleet(simulator)
        order = new_order(count)
        for name, act in acts(fleet, order):
            calls.clear()
            with timed() as seconds:
                act()
            print(f"stage   {count} devices, {name}: {describe(calls)}; {seconds():.2f} s")


def acts(fleet: AwsFleet, order: StageOrder) -> Iterator[tuple[str, Callable[[], object]]]:
    """What the controller asks of a fleet in one stage."""
    yield "start", lambda: fleet.start(order)
    yield "start again", lambda: fleet.start(order)
    yield "tally", lambda: fleet.tally(order.key)
    yield "stop", lambda: fleet.stop(order.key, "bench")


def register(simulator: AwsSimulator, count: int) -> None:
    """Things without certificates: nobody connects."""
    iot = simulator.client("iot")
    for name in ids(count):
        iot.create_thing(thingName=name)


def counted_fleet(simulator: AwsSimulator) -> tuple[AwsFleet, Counter[str]]:
    """A fleet, and the calls that it makes, by operation."""
    settings = AwsFleetSettings(
        region=simulator.region,
        bucket=BUCKET,
        role_arn=simulator.role_arn,
        endpoint_url=simulator.endpoint_url,
        settle_seconds=0,
    )
    fleet, calls = AwsFleet("factory", settings), Counter[str]()
    events = fleet._session.events  # noqa: SLF001 - where boto3 announces every call
    events.register("before-send.iot", lambda event_name, **_: _count(calls, event_name))
    return fleet, calls


def _count(calls: Counter[str], event_name: str) -> None:
    calls[event_name.rpartition(".")[2]] += 1


def new_order(count: int) -> StageOrder:
    """A small release for all devices."""
    expires = datetime.now(UTC).replace(microsecond=0) + timedelta(days=30)
    kit = ReleaseKit(root_keys=(1, 1), release_keys=(1, 1), root_expires=expires)
    return StageOrder("scale-s1", kit.package(b"image", expires=expires).document, (), ids(count), timeout_minutes=60)


def describe(calls: Counter[str]) -> str:
    """Calls of the stage, and of its devices."""
    each = calls[PER_DEVICE]
    others = ", ".join(f"{name} {number}" for name, number in sorted(calls.items()) if name != PER_DEVICE)
    return f"{calls.total() - each} calls ({others}) and {each} once a device"


def ids(count: int) -> tuple[str, ...]:
    """Device names."""
    return tuple(f"gateway-{number:07}" for number in range(count))


@contextmanager
def timed() -> Iterator[Callable[[], float]]:
    """How long the block took, in seconds; asked after it."""
    started, ended = time.perf_counter(), [0.0]
    yield lambda: ended[0] - started
    ended[0] = time.perf_counter()


if __name__ == "__main__":
    main()

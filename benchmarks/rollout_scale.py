"""What a rollout costs: calls to AWS for a stage, seconds and bytes for a plan, as the fleet grows.

`python benchmarks/rollout_scale.py [--devices 1000] [--plan 100000] [--split 1000000]` runs the real adapter against
the simulator of AWS and prints one line a measurement, for devices that are named and for devices that the cloud finds
by their buckets. By name, AWS offers no batch for adding a device to a group: those calls are shown apart. All others
must not grow with the devices but by the page; by bucket none may, and the program fails if one does.
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

from adapters.aws.cloud import AwsFleet
from adapters.aws.settings import AwsFleetSettings
from adapters.aws.simulator.simulator import AwsSimulator
from bridge.engine.record import Material, Parcel, Record
from bridge.fleet import Device, StageOrder
from bridge.ledger import Act, Entry
from bridge.planning.cohort import ranges, ranked
from bridge.planning.plan import Request, SignedRelease, make_plan
from bridge.planning.planned import Facts
from bridge.release.bucket import BUCKETS
from bridge.rollout.model import FleetPart, Rollout
from bridge.store.store import Store
from tests.adapters.aws.indexing import INDEXED, report_of
from tests.bridge.fakes import FakeFleet
from tests.releases import ReleaseKit, new_release
from tests.releases import describe as describe_artifact

BUCKET = "scale-artifacts"
ARTIFACT = describe_artifact(b"image", b"compressed image")
PER_DEVICE = "AddThingToThingGroup"
PERCENTS = (1.0, 10.0, 50.0, 100.0)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--devices", type=int, default=1000, help="devices of the stage in the simulator")
    parser.add_argument("--plan", type=int, default=100_000, help="devices of the plan in the store")
    parser.add_argument("--split", type=int, default=1_000_000, help="devices put in order")
    chosen = parser.parse_args()
    measure_order(chosen.split)
    for by_bucket in (False, True):
        measure_plan(chosen.plan, by_bucket=by_bucket)
    sizes = (chosen.devices // 10, chosen.devices)
    for by_bucket in (False, True):
        small, large = (measure_stage(devices, by_bucket=by_bucket) for devices in sizes)
        if by_bucket and large != small:
            sys.exit(f"by bucket {sizes[0]} devices cost {small}, and {sizes[1]} cost {large}: calls grow with devices")


def measure_order(count: int) -> None:
    """Positions, in memory."""
    names = ids(count)
    with timed() as seconds:
        ranked("scale", names)
    print(f"order   {count} devices by position: {seconds():.2f} s")


def measure_plan(count: int, *, by_bucket: bool) -> None:
    """The plan's size, and what one pass of the controller pays to read and save it."""
    with timed() as planned:
        record = new_record(count, by_bucket=by_bucket)
    size = len(msgspec.json.encode(record.plan))
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder) / "otabridge.db")
        with timed() as created:
            store.create(record, Entry(record.created, record.name, "bench", Act.PLANNED, "bench"))
        with timed() as first:
            Store(Path(folder) / "otabridge.db").load(record.name)
        with timed() as loaded:
            store.load(record.name)
        with timed() as saved:
            store.save(record)
    print(
        f"plan    {count} devices {_how(by_bucket)}: {size / 1e6:.3f} MB of JSON; plan {planned():.2f} s, create "
        f"{created():.2f} s, first load {first():.2f} s, load {loaded():.3f} s, save {saved():.3f} s"
    )


class LargeFleet(FakeFleet):
    """A fleet in memory whose devices nobody looks for one by one."""

    def devices(self, part: FleetPart, buckets=()) -> Iterator[Device]:  # noqa: ARG002 - all of them
        """All."""
        return map(Device, self.ids)


def new_record(count: int, *, by_bucket: bool) -> Record:
    """A rollout of one fleet in four stages."""
    rollout = msgspec.convert(
        {"name": "scale", "release": "r", "fleets": ["factory"], "stages": [{"percent": each} for each in PERCENTS]},
        Rollout,
    )
    fleet = LargeFleet("factory", ids(count), told=Facts("test", by_bucket=by_bucket))
    plan = make_plan(
        Request(rollout, SignedRelease(Path(), b"{}", new_release(artifacts=(ARTIFACT,)))), {"factory": fleet}
    )
    now = datetime.now(UTC)
    return Record(plan, Material(Parcel(b"{}", Path()), ()), now, now)


def measure_stage(count: int, *, by_bucket: bool) -> dict[str, int]:
    """One stage from start to stop, against the simulator: the calls of each act."""
    found: dict[str, int] = {}
    with tempfile.TemporaryDirectory() as folder, AwsSimulator(Path(folder)) as simulator:
        os.environ.update(simulator.environment())
        simulator.bucket(BUCKET)
        register(simulator, count)
        fleet, calls = counted_fleet(simulator, by_bucket=by_bucket)
        for name, act in acts(fleet, new_order(count, by_bucket=by_bucket)):
            calls.clear()
            with timed() as seconds:
                act()
            found[name] = calls.total()
            print(f"stage   {count} devices {_how(by_bucket)}, {name}: {describe(calls)}; {seconds():.2f} s")
    return found


def acts(fleet: AwsFleet, order: StageOrder) -> Iterator[tuple[str, Callable[[], object]]]:
    """What the controller asks of a fleet in one stage."""
    if order.buckets:
        yield "census", lambda: fleet.census(order.part, order.buckets)
    yield "start", lambda: fleet.start(order)
    yield "start again", lambda: fleet.start(order)
    yield "tally", lambda: fleet.tally(order.key)
    yield "stop", lambda: fleet.stop(order.key, "bench")


def register(simulator: AwsSimulator, count: int) -> None:
    """Things without certificates, with what their agents reported once: nobody connects."""
    simulator.populate({name: report_of(name) for name in ids(count)})
    simulator.client("iot").update_indexing_configuration(thingIndexingConfiguration=INDEXED)


def counted_fleet(simulator: AwsSimulator, *, by_bucket: bool) -> tuple[AwsFleet, Counter[str]]:
    """A fleet, and the calls that it makes, by operation."""
    settings = AwsFleetSettings(
        region=simulator.region,
        bucket=BUCKET,
        role_arn=simulator.role_arn,
        endpoint_url=simulator.endpoint_url,
        settle_seconds=0,
        by_bucket=by_bucket,
    )
    fleet, calls = AwsFleet("factory", settings), Counter[str]()
    events = fleet._session.events  # noqa: SLF001 - where boto3 announces every call
    events.register("before-send.iot", lambda event_name, **_: _count(calls, event_name))
    return fleet, calls


def _count(calls: Counter[str], event_name: str) -> None:
    calls[event_name.rpartition(".")[2]] += 1


def new_order(count: int, *, by_bucket: bool) -> StageOrder:
    """A small release for all devices."""
    expires = datetime.now(UTC).replace(microsecond=0) + timedelta(days=30)
    kit = ReleaseKit(root_keys=(1, 1), release_keys=(1, 1), root_expires=expires)
    return StageOrder(
        "scale-s1",
        kit.package(b"image", expires=expires).document,
        (),
        () if by_bucket else ids(count),
        timeout_minutes=60,
        buckets=ranges("scale", 0, BUCKETS) if by_bucket else (),
        part=FleetPart("factory"),
        size=count,
    )


def describe(calls: Counter[str]) -> str:
    """Calls of the stage, and of its devices."""
    each = calls[PER_DEVICE]
    others = ", ".join(f"{name} {number}" for name, number in sorted(calls.items()) if name != PER_DEVICE)
    return f"{calls.total() - each} calls ({others}) and {each} once a device"


def _how(by_bucket: bool) -> str:  # noqa: FBT001 - the flag is what it puts into words
    return "by bucket" if by_bucket else "by name"


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

"""What a stage costs in Azure: HTTP calls to plan, start, count and stop it, as it grows.

`python benchmarks/azure_calls.py [--devices 10 1000 5000]` runs the real adapter against the simulator of Azure, with
every pace of the services left out, and prints a table for each size of a stage: what each act costs where devices are
named, and where they are selected by bucket, with the calls that Azure counts. By bucket nothing may grow with the
devices, and the program fails if an act does by more than a tenth; by name a start grows by the chunk of some hundred
devices that fits into one query condition of 8192 characters. How often a job is looked at while a hub works through
it, ten devices a second on one unit of S1, is not in it: that is one look every `poll_seconds`.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest.mock import patch
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).parents[1]))

import requests

from adapters.azure.cloud import AzureFleet
from adapters.azure.fleet.settings import parse_settings
from adapters.azure.simulated import MANUFACTURER, SimulatedAzure
from adapters.azure.simulator.simulator import AzureSimulator
from adapters.azure.wire import Standing, Word, reported_standing
from bridge.fleet import StageOrder
from bridge.names import stage_name
from bridge.release.bucket import BUCKETS, Buckets, bucket
from bridge.rollout.model import FleetPart
from tests.releases import MODEL, Package, ReleaseKit

KEY = "scale-s1"
MODEL_ID = "dtmi:azure:iot:deviceUpdateModel;3"
CONTRACT = "dtmi:azure:iot:deviceUpdateContractModel;3"
PATIENCE = 3600
MOST_GROWTH = 1.1
KINDS = (
    ("query", "/devices/query"),
    ("job asked for", "PUT /jobs/v2/"),
    ("job looked at", "GET /jobs/v2/"),
    ("deployment", "/deployments/"),
    ("group", "/management/groups"),
    ("update", "/deviceUpdate/"),
    ("token", "/token"),
    ("blob", ""),
)
"""What a call is, by words of its method and path; the first that fits."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--devices", type=int, nargs="+", default=[10, 1000, 5000], help="sizes of the stage")
    sizes = sorted(set(parser.parse_args().devices))
    few, *more = [measure(count) for count in sizes]
    sys.exit(sum(grew(few, each) for each in more) > 0)


def measure(count: int) -> Mapping[str, int]:
    """One stage of `count` devices in both ways, printed; how many calls each act by bucket cost."""
    print(f"{count} devices" + f"{'by name':>13}{'by bucket':>11}   of which by bucket")
    named, bucketed = measure_stage(count, by_bucket=False), measure_stage(count, by_bucket=True)
    for act, calls in bucketed.items():
        print(f"  {act:<18}{named[act].total():>5}{calls.total():>11}   {describe(calls)}")
    return {act: calls.total() for act, calls in bucketed.items()}


def grew(few: Mapping[str, int], many: Mapping[str, int]) -> bool:
    """Whether an act costs more than a tenth more with more devices; printed."""
    acts = [act for act in few if many[act] > few[act] * MOST_GROWTH]
    for act in acts:
        print(f"{act} by bucket grew from {few[act]} calls to {many[act]}")
    return bool(acts)


def measure_stage(count: int, *, by_bucket: bool) -> Mapping[str, Counter[str]]:
    """The calls of one stage from plan to stop; half of its devices have begun, as then a tally asks most."""
    measured: dict[str, Counter[str]] = {}
    with tempfile.TemporaryDirectory() as folder, simulated(Path(folder), by_bucket=by_bucket) as (simulator, fleet):
        register(simulator, count)
        order, package = new_order(count, by_bucket=by_bucket)
        put(fleet, package, Path(folder))
        with counted() as calls:
            for name, act in acts(simulator, fleet, order, count):
                calls.clear()
                act()
                measured[name] = Counter(calls)
    return measured


def acts(
    simulator: AzureSimulator, fleet: AzureFleet, order: StageOrder, count: int
) -> Iterator[tuple[str, Callable[[], object]]]:
    """What the controller asks of a fleet in one stage, of which it admits a half, and then the rest. One device
    fails, and is tried again while the others of its stage are still waiting or in the middle.
    """
    everything = FleetPart("factory")
    yield "plan", lambda: fleet.census(everything) if order.buckets else list(fleet.devices(everything))
    yield "start, half", lambda: fleet.start(replace(order, admitted=count // 2))
    yield "start, all", lambda: fleet.start(order)
    yield "start again", lambda: fleet.start(order)
    say(simulator, ids(count)[::2], Word.RUNNING)
    yield "tally", lambda: fleet.tally(order.key)
    say(simulator, ids(count)[:1], Word.FAILED)
    again = replace(order, key=f"{KEY}-2", devices=ids(count)[:1], buckets=(), size=1)
    yield "retry of one", lambda: fleet.start(again)
    yield "tally without it", lambda: fleet.tally(order.key)
    say(simulator, ids(count)[2::2], Word.INSTALLED)
    yield "health", lambda: fleet.health([order.key], "properties.reported.temperature > 80")
    yield "watchdog resets", lambda: fleet.watchdog_resets([order.key])
    yield "stop", lambda: fleet.stop(order.key, "bench")
    yield "tally after", lambda: fleet.tally(order.key)


@contextmanager
def simulated(folder: Path, *, by_bucket: bool) -> Iterator[tuple[AzureSimulator, AzureFleet]]:
    """A simulator, and a fleet on it that waits for as long as it takes."""
    simulator = AzureSimulator(folder / "azure")
    with simulator, patch.dict(os.environ, simulator.environment()):
        settings = {**SimulatedAzure(simulator).fleet(), "patience_seconds": PATIENCE, "by_bucket": by_bucket}
        yield simulator, AzureFleet("factory", parse_settings("factory", settings))


def register(simulator: AzureSimulator, count: int) -> None:
    """Devices of two groups that have been online once."""
    about = {"manufacturer": MANUFACTURER, "model": MODEL, "contractModelId": CONTRACT, "aduVer": "DU;agent/0"}
    agent = {"deviceProperties": about, "compatPropertyNames": "manufacturer,model"}
    for number, name in enumerate(ids(count)):
        simulator.hub.add_device(name, certificate_cn=name, tags={"ADUGroup": ("eu", "us")[number % 2]})
        simulator.hub.set_connected(name, connected=True, model_id=MODEL_ID)
        own = {"bucket": bucket(name), "model": MODEL}
        simulator.hub.report(name, {"deviceUpdate": {"__t": "c", "agent": agent}, "otabridge": own})


def say(simulator: AzureSimulator, devices: Sequence[str], word: Word) -> None:
    """As the devices report how they stand."""
    for name in devices:
        simulator.hub.report(name, reported_standing(Standing(stage_name(KEY), word)))


def new_order(count: int, *, by_bucket: bool) -> tuple[StageOrder, Package]:
    """A small release for all devices."""
    expires = datetime.now(UTC).replace(microsecond=0) + timedelta(days=30)
    kit = ReleaseKit(root_keys=(1, 1), release_keys=(1, 1), root_expires=expires)
    package = kit.package(b"image", expires=expires)
    order = StageOrder(KEY, package.document, (), () if by_bucket else ids(count), timeout_minutes=60)
    every = (Buckets(0, BUCKETS - 1),) if by_bucket else ()
    return replace(order, buckets=every, part=FleetPart("factory"), size=count), package


def put(fleet: AzureFleet, package: Package, folder: Path) -> None:
    """The release's artifacts are in the container."""
    for artifact in package.release.artifacts:
        source = folder / artifact.sha256
        source.write_bytes(package.files[artifact.name])
        fleet.put_artifact(artifact, source, lambda _: None)


@contextmanager
def counted() -> Iterator[Counter[str]]:
    """The requests that any of Azure's libraries sends, by kind."""
    calls, really = Counter[str](), requests.Session.send

    def send(session: requests.Session, request: requests.PreparedRequest, **options: object) -> requests.Response:
        text = f"{request.method} {urlsplit(str(request.url)).path}"
        calls[next(kind for kind, words in KINDS if words in text)] += 1
        return really(session, request, **options)

    with patch.object(requests.Session, "send", send):
        yield calls


def describe(calls: Counter[str]) -> str:
    """How many calls of each kind."""
    return ", ".join(f"{kind} {number}" for kind, number in sorted(calls.items()))


def ids(count: int) -> tuple[str, ...]:
    """Device names."""
    return tuple(f"gateway-{number:07}" for number in range(count))


if __name__ == "__main__":
    main()

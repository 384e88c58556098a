"""What a stage costs in Azure: HTTP calls to start, count and stop it, as it grows.

`python benchmarks/azure_calls.py [--devices 10 1000 5000]` runs the real adapter against the simulator of Azure, with
every pace of the services left out, and prints one line a measurement: all calls, then those that Azure counts. A
tally must cost the same for any number of devices; a start grows with the devices by the chunk of some hundred that
fits into one query condition of 8192 characters.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
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
from tests.releases import MODEL, Package, ReleaseKit

KEY = "scale-s1"
MODEL_ID = "dtmi:azure:iot:deviceUpdateModel;3"
CONTRACT = "dtmi:azure:iot:deviceUpdateContractModel;3"
PATIENCE = 3600
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
    for devices in parser.parse_args().devices:
        measure_stage(devices)


def measure_stage(count: int) -> None:
    """One stage from start to stop; half of its devices have begun, as then a tally asks most."""
    with tempfile.TemporaryDirectory() as folder, simulated(Path(folder)) as (simulator, fleet), counted() as calls:
        register(simulator, count)
        order, package = new_order(count)
        put(fleet, package, Path(folder))
        for name, act in acts(simulator, fleet, order):
            calls.clear()
            started = time.perf_counter()
            act()
            seconds = time.perf_counter() - started
            print(f"stage   {count} devices, {name}: {describe(calls)}; {seconds:.2f} s")


def acts(simulator: AzureSimulator, fleet: AzureFleet, order: StageOrder) -> Iterator[tuple[str, Callable[[], object]]]:
    """What the controller asks of a fleet in one stage."""
    yield "start", lambda: fleet.start(order)
    yield "start again", lambda: fleet.start(order)
    say(simulator, order.devices[::2], Word.RUNNING)
    yield "tally", lambda: fleet.tally(order.key)
    say(simulator, order.devices[::2], Word.INSTALLED)
    yield "stop", lambda: fleet.stop(order.key, "bench")
    yield "tally after", lambda: fleet.tally(order.key)


@contextmanager
def simulated(folder: Path) -> Iterator[tuple[AzureSimulator, AzureFleet]]:
    """A simulator, and a fleet on it that waits for as long as it takes."""
    simulator = AzureSimulator(folder / "azure")
    with simulator, patch.dict(os.environ, simulator.environment()):
        settings = {**SimulatedAzure(simulator).fleet(), "patience_seconds": PATIENCE}
        yield simulator, AzureFleet("factory", parse_settings("factory", settings))


def register(simulator: AzureSimulator, count: int) -> None:
    """Devices of two groups that have been online once."""
    about = {"manufacturer": MANUFACTURER, "model": MODEL, "contractModelId": CONTRACT, "aduVer": "DU;agent/0"}
    agent = {"deviceProperties": about, "compatPropertyNames": "manufacturer,model"}
    for number, name in enumerate(ids(count)):
        simulator.hub.add_device(name, certificate_cn=name, tags={"ADUGroup": ("eu", "us")[number % 2]})
        simulator.hub.set_connected(name, connected=True, model_id=MODEL_ID)
        simulator.hub.report(name, {"deviceUpdate": {"__t": "c", "agent": agent}})


def say(simulator: AzureSimulator, devices: Sequence[str], word: Word) -> None:
    """As the devices report how they stand."""
    for name in devices:
        simulator.hub.report(name, reported_standing(Standing(stage_name(KEY), word)))


def new_order(count: int) -> tuple[StageOrder, Package]:
    """A small release for all devices."""
    expires = datetime.now(UTC).replace(microsecond=0) + timedelta(days=30)
    kit = ReleaseKit(root_keys=(1, 1), release_keys=(1, 1), root_expires=expires)
    package = kit.package(b"image", expires=expires)
    return StageOrder(KEY, package.document, (), ids(count), timeout_minutes=60), package


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
    """All calls, and how many of each kind."""
    kinds = ", ".join(f"{kind} {number}" for kind, number in sorted(calls.items()))
    return f"{calls.total()} calls ({kinds})"


def ids(count: int) -> tuple[str, ...]:
    """Device names."""
    return tuple(f"gateway-{number:07}" for number in range(count))


if __name__ == "__main__":
    main()

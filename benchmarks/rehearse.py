"""A rollout of a million virtual devices over two clouds, by the real plan, decisions and controller.

Prints how many devices a bad release reaches before it is stopped, how long a good one takes, how the calls of the
clouds' APIs grow with the fleet, and beside it what a person with a fixed schedule and no gate would have exposed.
The last line is `rehearse: N devices, S s, M MB`: seconds and peak memory of all that was rehearsed with N devices.
"""

from __future__ import annotations

import resource
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from adapters.clouds import stated_facts
from bridge.planning.plan import Request, SignedRelease
from bridge.rehearsal.assumptions import Assumptions, ModelAssumptions
from bridge.rehearsal.run import Ending, Script, Troupe, rehearse
from bridge.rehearsal.spread import Spread, ending_of, spread
from bridge.rollout.model import Rollout
from tests.releases import describe, new_release

DEVICES = 1_000_000
RUNS = 12
BAR_SECONDS, BAR_MEGABYTES, BAR_CALLS = 60, 1000, 1.10
NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)
AWS = {
    "region": "eu-central-1",
    "bucket": "artifacts",
    "role_arn": "arn:aws:iam::123456789012:role/downloads",
    "by_bucket": True,
    "cost_a_gigabyte": 0.09,
}
AZURE = {
    "hub": "fleet.azure-devices.net",
    "endpoint": "fleet.api.adu.microsoft.com",
    "instance": "fleet",
    "storage_url": "https://fleet.blob.core.windows.net",
    "container": "artifacts",
    "provider": "Contoso",
    "manufacturer": "Contoso",
    "by_bucket": True,
    "cost_a_gigabyte": 0.08,
}
ROLLOUT = {
    "name": "million",
    "release": "release",
    "fleets": ["aws", "azure"],
    "stages": [
        {"count": 100, "enough": 80, "soak": "1h"},
        {"percent": 1, "enough": 80, "soak": "12h"},
        {"percent": 10, "enough": 80, "soak": "12h"},
        {"percent": 50, "enough": 80, "soak": "1h"},
        {"percent": 100, "enough": 80},
    ],
    "budget": {"failures": 20, "percent": 3},
    "gates": {"failure_rate": {"limit": 4, "undecided": "advance"}},
}
RELEASES = {
    "good (0.8 % fail)": Assumptions(),
    "bad (8 % fail)": Assumptions(failing=8.0),
    "bad on 1 model in 10 (40 %)": Assumptions(models={"rev-b": ModelAssumptions(failing=40.0)}),
    "slightly bad (5 % fail)": Assumptions(failing=4.7),
}


def request() -> Request:
    """The rollout of the demonstration."""
    release = new_release(artifacts=(describe(b"image", b"compressed image"),))
    return Request(msgspec.convert(ROLLOUT, Rollout), SignedRelease(Path("release"), b"release.json", release))


def script(devices: int, assumptions: Assumptions) -> Script:
    """The same rollout over two clouds with `devices` in all."""
    half = devices // 2
    models = {"rev-a": half - half // 10, "rev-b": half // 10}
    troupes = {
        "aws": Troupe(stated_facts("aws", "aws", AWS), models),
        "azure": Troupe(stated_facts("azure", "azure", AZURE), models),
    }
    return Script(request(), troupes, assumptions, timedelta(minutes=5), 100_000_000)


def runs(devices: int, assumptions: Assumptions, count: int) -> list[Ending]:
    """`count` rehearsals, each with fates of its own."""
    play = script(devices, assumptions)
    return [rehearse(play, seed, NOW) for seed in range(count)]


def exposures(devices: int, count: int) -> None:
    """Who meets which release before it is stopped."""
    print(f"{devices} devices, {count} runs each. Devices exposed:")
    print(f"{'release':30}{'least':>9}{'median':>9}{'9 in 10':>9}{'most':>9}{'days':>7}  ended")
    for name, assumptions in RELEASES.items():
        endings = runs(devices, assumptions, count)
        exposed = spread([ending.exposed for ending in endings])
        days = spread([ending.seconds / 86400 for ending in endings]).median
        how = ", ".join(sorted({ending_of(ending) for ending in endings}))
        print(f"{name:30}{row(exposed)}{days:>7.1f}  {how}")


def row(figures: Spread) -> str:
    """Four figures in columns."""
    return "".join(f"{round(each):>9}" for each in (figures.least, figures.median, figures.ninth, figures.most))


def growth(count: int) -> float:
    """Calls of the clouds' APIs for the same plan and three fleets; returns the largest over the smallest."""
    medians = []
    print("API calls of one whole rollout of a good release, median:")
    for devices in (1_000, 100_000, 1_000_000):
        endings = runs(devices, Assumptions(), count if devices < DEVICES else max(3, count // 2))
        calls, passes = (spread([getattr(each, name) for each in endings]).median for name in ("calls", "passes"))
        medians.append(calls)
        print(f"  {devices:>9} devices: {round(calls):>6} calls in {round(passes)} passes")
    return max(medians) / min(medians)


def main() -> int:
    """Everything, with its bars."""
    began = time.monotonic()
    exposures(DEVICES, RUNS)
    seconds = time.monotonic() - began
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    ratio = growth(RUNS)
    print(f"  most over least: {ratio:.3f} (bar {BAR_CALLS})")
    print(f"rehearse: {DEVICES} devices, {seconds:.1f} s, {megabytes:.0f} MB")
    return int(seconds > BAR_SECONDS or megabytes > BAR_MEGABYTES or ratio > BAR_CALLS)


if __name__ == "__main__":
    sys.exit(main())

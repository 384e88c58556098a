"""The life of one device in QEMU: scenarios, one after the other."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

from tests.boot.cloud import GuestCloud
from tests.boot.device import FACTORY_VERSION, Device
from tests.boot.environment import environment_of
from tests.boot.hardware import Hardware
from tests.boot.images import Flavour, slot_image
from tests.boot.machine import NotSeen
from tests.boot.scenarios import Finding, Scenario, Site, play
from tests.boot.tally import Tally

READY_SECONDS = 300.0
BEGINNING = "environment.bin"
"""In the folder of a life that is recorded: both copies of U-Boot's environment as they were before."""


def live(
    folder: Path, make: Callable[[Path], Hardware], scenarios: Iterable[Scenario], tally: Tally, log: Path | None
) -> None:
    """Play `scenarios` on what `make` makes in `folder`; all is recorded in `log`, if there is one.
    Raises: NotSeen where the device never starts."""
    with _site(folder, make(folder)) as site:
        device = site.device
        if log is not None:
            folder.joinpath(BEGINNING).write_bytes(environment_of(device.hardware.disk))
            device.record(log)
        _first_boot(device, tally)
        for scenario in scenarios:
            _play(scenario, site, tally)


@contextmanager
def _site(folder: Path, hardware: Hardware) -> Iterator[Site]:
    cloud = GuestCloud(folder)
    try:
        with patch.dict(os.environ, cloud.environment()):
            image = slot_image(Flavour(FACTORY_VERSION), hardware.platform)
            device = Device(folder, hardware, cloud, image)
            try:
                yield Site(device, cloud)
            finally:
                device.cut_power()
    finally:
        cloud.stop()


def _first_boot(device: Device, tally: Tally) -> None:
    began = time.monotonic()
    device.power_on()
    device.machine.wait(f"release {FACTORY_VERSION} runs the agent", READY_SECONDS)
    words = f"the agent is started after {time.monotonic() - began:.1f} s"
    tally.add(f"{device.hardware.name}first-boot", device.machine.powers_on, [], words)


def _play(scenario: Scenario, site: Site, tally: Tally) -> None:
    began, boots = time.monotonic(), site.device.machine.powers_on
    name = site.device.hardware.name + scenario.name
    try:
        finding = play(scenario, site)
    except NotSeen as error:
        tally.add(name, site.device.machine.powers_on - boots, [str(error)], "")
        return
    tally.add(name, finding.boots, finding.violations, _words(finding, time.monotonic() - began))
    if finding.told is not None:
        written = {"status": finding.told.status, "statusDetails": finding.told.details}
        site.device.console.with_name(f"{name}.json").write_text(json.dumps(written, indent=2))


def _words(finding: Finding, seconds: float) -> str:
    report = finding.report
    if report is None:
        return ""
    code = "" if report.code is None else f", code {report.code.value}: {report.detail}"
    where = f"slot {report.slot} runs {report.version}"
    return f"{seconds:.0f} s, the cloud was told: {report.outcome.value}, {where}{code}"

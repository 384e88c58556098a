"""The life of one device in QEMU: the scenarios that were chosen, one after the other."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

from tests.boot.cloud import GuestCloud
from tests.boot.device import FACTORY_VERSION, Device
from tests.boot.environment import environment_of
from tests.boot.images import Flavour, slot_image
from tests.boot.machine import NotSeen
from tests.boot.scenarios import Finding, Scenario, Site, play
from tests.boot.tally import Tally

READY_SECONDS = 300.0


def live(folder: Path, scenarios: Sequence[Scenario], tally: Tally, log: Path | None = None) -> bytes:
    """Play `scenarios`; those without a power cut are recorded in `log`. Both copies of U-Boot's environment as they
    were before. Raises: NotSeen where the device never starts."""
    with _site(folder) as site:
        device = site.device
        environment = environment_of(device.board.disk)
        if log is not None:
            device.record(log)
        _first_boot(device, tally)
        for scenario in scenarios:
            if scenario.troubles and device.is_recorded:
                device.end_recording()
            _play(scenario, site, tally)
    return environment


@contextmanager
def _site(folder: Path) -> Iterator[Site]:
    cloud = GuestCloud(folder)
    try:
        with patch.dict(os.environ, cloud.environment()):
            device = Device(folder, cloud, slot_image(Flavour(FACTORY_VERSION)))
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
    tally.add(
        "first-boot", device.machine.powers_on, [], f"the agent is started after {time.monotonic() - began:.1f} s"
    )


def _play(scenario: Scenario, site: Site, tally: Tally) -> None:
    began, boots = time.monotonic(), site.device.machine.powers_on
    try:
        finding = play(scenario, site)
    except NotSeen as error:
        tally.add(scenario.name, site.device.machine.powers_on - boots, [str(error)], "")
        return
    tally.add(scenario.name, finding.boots, finding.violations, _words(finding, time.monotonic() - began))
    if finding.told is not None:
        written = {"status": finding.told.status, "statusDetails": finding.told.details}
        site.device.board.folder.joinpath(f"{scenario.name}.json").write_text(json.dumps(written, indent=2))


def _words(finding: Finding, seconds: float) -> str:
    report = finding.report
    if report is None:
        return ""
    code = "" if report.code is None else f", code {report.code.value}: {report.detail}"
    where = f"slot {report.slot} runs {report.version}"
    return f"{seconds:.0f} s, the cloud was told: {report.outcome.value}, {where}{code}"

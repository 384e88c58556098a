"""Cuts the power at every write, sync, rename, change of the boot environment and restart of an update, and looks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random

from agent.cloud.channel import Offer
from tests.agent.device import SimulatedDevice
from tests.agent.power import Loss, PowerCut
from tests.sweep.scenarios import Scenario


@dataclass(frozen=True, slots=True)
class Cut:
    """The power goes during call `at` of the update, and again `again` calls after the next power-up (0: never)."""

    at: int
    loss: Loss
    again: int = 0


UNDISTURBED = Cut(0, Loss.KEPT)


@dataclass(frozen=True, slots=True)
class Finding:
    """One run and all that was wrong with it."""

    scenario: Scenario
    cut: Cut
    moment: str
    violations: tuple[str, ...]


def calls_of(scenario: Scenario) -> int:
    """How many places to cut an undisturbed run of `scenario` has."""
    device = scenario.device()
    before = device.kernel.calls
    device.run()
    return device.kernel.calls - before


def every_cut(scenario: Scenario) -> Iterator[Cut]:
    """One cut at each place, with each kind of loss."""
    for at in range(1, calls_of(scenario) + 1):
        for loss in Loss:
            yield Cut(at, loss)


def sampled_double_cuts(scenario: Scenario, step: int) -> Iterator[Cut]:
    """A cut at every `step`-th place, and a second one in the recovery from it, near and far."""
    losses = tuple(Loss)
    for number, at in enumerate(range(1, calls_of(scenario) + 1, step)):
        for again in (1, 2, 3, 5, 8, 13, 21, 34):
            yield Cut(at, losses[(number + again) % len(losses)], again)


def run(scenario: Scenario, cut: Cut) -> Finding:
    """Play `scenario` with `cut`, then on to its end, then hand the same offer over once more."""
    device = scenario.device()
    offer = device.cloud.offer
    device.kernel.cut_at = device.kernel.calls + cut.at
    violations: list[str] = []
    moments: list[str] = []
    try:
        _play(device, scenario, cut, violations, moments)
        violations += violations_at_end(device, scenario, offer)
    except AssertionError as error:
        violations.append(str(error))
    return Finding(scenario, cut, " / ".join(moments), tuple(violations))


def _play(device: SimulatedDevice, scenario: Scenario, cut: Cut, violations: list[str], moments: list[str]) -> None:
    random = Random(f"{scenario.name} {cut}")
    again = cut.again
    work: Callable[[], object] = device.run
    while True:
        try:
            work()
        except PowerCut as power:
            moments.append(str(power))
            device.kernel.lose(cut.loss, random)
            violations += scenario.violations_after_cut(device.kernel)
            device.kernel.cut_at = device.kernel.calls + again if again else None
            work, again = device.power_up_and_run, 0
        else:
            return


def violations_at_end(device: SimulatedDevice, scenario: Scenario, offer: Offer | None) -> Iterator[str]:
    """Where the end is not as the scenario wants it, or the same offer, handed over once more, is not done with."""
    if not device.cloud.reports:
        yield "the offer was never concluded"
        return
    report = device.cloud.reports[-1][1]
    yield from scenario.violations_at_end(device, report)
    effects = (device.reboots, device.link.served)
    if device.run(offer) != report or (device.reboots, device.link.served) != effects:
        yield "the same offer, handed over again, did something or ended otherwise"

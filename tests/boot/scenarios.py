"""What happens to one device in its life, as data: a release that is offered, trouble on the way, and how each ends.

The scenarios run one after the other on one device; each begins where the one before left it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from adapters.aws.simulator.views import ExecutionView
from agent.slots import Slot
from bridge.release.details import parse_details
from bridge.release.report import Outcome, Phase, Progress, Report
from tests.boot.cloud import GuestCloud, Offered
from tests.boot.device import Device
from tests.boot.images import Flavour, slot_image
from tests.boot.machine import NotSeen

CUT_SECONDS = 600.0
"""For a phase at which the power is to be cut to come."""
MOST_FETCHED = 1.25
"""Of the artifact's length: what lay in buffers when the power failed is fetched again, not what had been written."""
END_SECONDS = 900.0
"""For the report of an installation, three boots that a watchdog ends included."""


@dataclass(frozen=True, slots=True)
class Site:
    """The device, which is on, and its cloud."""

    device: Device
    cloud: GuestCloud


Trouble = Callable[[Site, Offered], None]


@dataclass(frozen=True, slots=True)
class Scenario:
    """A release of `flavour` is offered, `troubles` come over the device in order, `outcome` is to be reported, and
    `marks` have to be on the console so many times."""

    name: str
    flavour: Flavour
    outcome: Outcome
    troubles: tuple[Trouble, ...] = ()
    marks: tuple[tuple[str, int], ...] = ()
    detail: str = ""
    """Has to be in the report's."""


@dataclass(frozen=True, slots=True)
class Finding:
    """How a scenario went: `violations` is empty where it ended as it must. `told` is what the cloud holds of it."""

    scenario: Scenario
    told: ExecutionView | None
    report: Report | None
    boots: int
    violations: tuple[str, ...]
    console: tuple[str, ...]


def cut_at(phase: Phase, percent: int = 0) -> Trouble:
    """The power is cut once the cloud has heard of so much of `phase`, and comes back."""

    def strike(site: Site, offered: Offered) -> None:
        if not site.cloud.wait_for_progress(offered, phase, percent, CUT_SECONDS):
            raise NotSeen(f"the cloud never heard of {phase.value} {percent} %")
        _cut(site)

    return strike


def cut_at_console(pattern: str) -> Trouble:
    """The power is cut once the console says so, and comes back."""

    def strike(site: Site, _: Offered) -> None:
        site.device.machine.wait(pattern, CUT_SECONDS, site.device.machine.mark())
        _cut(site)

    return strike


def _cut(site: Site) -> None:
    site.device.cut_power()
    site.device.power_on()


def play(scenario: Scenario, site: Site) -> Finding:
    """Run `scenario`. Raises: NotSeen, FleetError, ProgramFailed."""
    machine, before = site.device.machine, site.device.state()[0]
    mark, boots, sent = machine.mark(), machine.powers_on, site.cloud.bytes_sent()
    image = slot_image(scenario.flavour, site.device.hardware.platform)
    offered = site.cloud.offer(image, scenario.flavour.release)
    for trouble in scenario.troubles:
        trouble(site, offered)
    told = site.cloud.wait_for_end(offered, END_SECONDS)
    report = _report_in(told)
    console = tuple(line.text for line in machine.lines(mark))
    violations = (
        *_judge(scenario, report, before),
        *_settled(scenario, site, before),
        *_marked(scenario, console),
        *_fetched(site.cloud.bytes_sent() - sent, offered.length),
    )
    return Finding(scenario, told, report, machine.powers_on - boots, violations, console)


def _report_in(execution: ExecutionView | None) -> Report | None:
    said = None if execution is None else parse_details(execution.details)
    return None if isinstance(said, Progress) else said


def _judge(scenario: Scenario, report: Report | None, before: Slot) -> list[str]:
    """What is wrong with the report."""
    if report is None:
        return [f"no report came within {END_SECONDS:.0f} s"]
    slot = _slot_after(scenario, before)
    wrong = [] if report.outcome is scenario.outcome else [f"{report.outcome.value} was reported: {report.detail}"]
    wrong += [] if report.slot == slot else [f"slot {report.slot} was reported, not {slot}"]
    wrong += [] if scenario.detail in report.detail else [f"{report.detail!r} does not say {scenario.detail!r}"]
    installed = report.version == scenario.flavour.release
    return wrong + ([] if installed is _installs(scenario) else [f"version {report.version} was reported"])


def _settled(scenario: Scenario, site: Site, before: Slot) -> list[str]:
    """What is wrong with what the boot loader remembers."""
    wanted = (_slot_after(scenario, before), None)
    found = site.device.state()
    return [] if found == wanted else [f"default and trial are {found}, not {wanted}"]


def _marked(scenario: Scenario, console: tuple[str, ...]) -> list[str]:
    counts = ((mark, wanted, sum(mark in line for line in console)) for mark, wanted in scenario.marks)
    return [f"{mark!r} came {count} times, not {wanted}" for mark, wanted, count in counts if count != wanted]


def _fetched(count: int, length: int) -> list[str]:
    """What is wrong with the bytes that were sent: after an interruption the device goes on where it was."""
    return [] if count <= MOST_FETCHED * length else [f"{count} bytes were sent of an artifact of {length}"]


def _installs(scenario: Scenario) -> bool:
    return scenario.outcome is Outcome.INSTALLED


def _slot_after(scenario: Scenario, before: Slot) -> Slot:
    return before.other if _installs(scenario) else before


GIVEN_UP = ("otabridge: giving up slot", 1)
GOOD = Scenario("good", Flavour("2.0.0"), Outcome.INSTALLED, marks=(("release 2.0.0 runs the agent", 1),))
INIT_DIES = Scenario(
    "init-dies",
    Flavour("3.0.0", trouble="init-dies", has_agent=False),
    Outcome.FELL_BACK,
    marks=(("release 3.0.0: init dies", 3),),
)
BAD_KERNEL = Scenario(
    "bad-kernel",
    Flavour("4.0.0", has_kernel=False, has_agent=False),
    Outcome.FELL_BACK,
    marks=(("release 4.0.0", 0),),
)
HANG = Scenario(
    "hang",
    Flavour("5.0.0", trouble="hangs", has_agent=False),
    Outcome.FELL_BACK,
    marks=(("release 5.0.0: hangs", 3),),
)
AGENT_STOPS = Scenario(
    "agent-stops",
    Flavour("9.0.0", trouble="agent-stops"),
    Outcome.FELL_BACK,
    marks=(("release 9.0.0: its agent is stopped", 3),),
)
BITTEN = "a watchdog ended 3 of its boots"
"""In the report, where the watchdog's driver can tell after a restart that it was it."""
CUTS = (
    Scenario("cut-download", Flavour("6.0.0"), Outcome.INSTALLED, (cut_at(Phase.DOWNLOADING, 40),)),
    Scenario("cut-switch", Flavour("7.0.0"), Outcome.INSTALLED, (cut_at(Phase.CHECKING), cut_at(Phase.SWITCHING))),
    Scenario(
        "cut-trial",
        Flavour("8.0.0"),
        Outcome.INSTALLED,
        (cut_at_console("release 8.0.0 starts"), cut_at_console("release 8.0.0 is checked")),
    ),
)


def given_up(*scenarios: Scenario) -> tuple[Scenario, ...]:
    """The same, with a boot script that says when it gives up a slot."""
    return tuple(replace(each, marks=(*each.marks, GIVEN_UP)) for each in scenarios)


OF_UBOOT = (*given_up(AGENT_STOPS, HANG), *CUTS, GOOD, *given_up(INIT_DIES, BAD_KERNEL))
"""What takes long comes first, so that devices side by side end at about the same time."""
ALTERNATIVE = ("Bootlimit (3) exceeded. Using altbootcmd", 1)
"""On the console of a U-Boot that counts boots itself, when they are too many."""
OF_COUNTING = tuple(replace(each, marks=(*each.marks, ALTERNATIVE)) for each in given_up(INIT_DIES))
BITES = replace(AGENT_STOPS, detail=BITTEN)
OF_GRUB = (*given_up(BITES, HANG, INIT_DIES, BAD_KERNEL), GOOD)
OF_SYSTEMD_BOOT = (BITES, HANG, INIT_DIES, GOOD)

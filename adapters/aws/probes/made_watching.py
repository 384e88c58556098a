"""Probes of what people watch by: the dashboard and the alarms."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from adapters.aws.probes.account import Account
from adapters.aws.probes.made import Made
from adapters.aws.probes.reading import Reading
from adapters.made import Faults, unless

VARIABLE = "enable_events"
MOST_ALARMS = 100


def watching(at: Account, made: Made) -> Iterator[Reading]:
    """Those that are named."""
    if made.dashboard:
        name, read = made.dashboard, partial(_dashboard, at, made.dashboard)
        arn = at.arn("cloudwatch", f"dashboard/{name}").replace(f":{at.settings.region}:", "::")
        yield Reading(at, "dashboard", f"the dashboard {name}", "cloudwatch:GetDashboard", arn, read)
    if made.alarms:
        read, arn = partial(_alarms, at, made.alarms), at.arn("cloudwatch", "alarm:*")
        what = f"the alarms {', '.join(made.alarms)}"
        yield Reading(at, "alarms", what, "cloudwatch:DescribeAlarms", arn, read, VARIABLE)


def _dashboard(at: Account, name: str) -> Faults:
    at.cloudwatch.get_dashboard(DashboardName=name)
    return ()


def _alarms(at: Account, names: tuple[str, ...]) -> Faults:
    found = at.cloudwatch.describe_alarms(AlarmNames=list(names)[:MOST_ALARMS]).get("MetricAlarms", [])
    there = {each.get("AlarmName"): each for each in found}
    gone = [name for name in names if name not in there]
    yield from unless(holds=not gone, needs=f"the alarms {', '.join(gone)}", variable=VARIABLE)
    silent = [name for name in names if name in there and not there[name].get("ActionsEnabled", True)]
    yield from unless(holds=not silent, needs=f"actions of the alarms {', '.join(silent)} enabled")

"""Rollout files whose fields are right, but not together or not here, each with what a person is told."""

from __future__ import annotations

from tests.bridge.rollouts import GOOD, staged

EXCLUSIVE = {
    "a stage of nothing": (
        staged("  - soak: 1h\n"),
        "rollout.yaml:5: stages[0]: says not which devices; give one of percent, count and devices",
    ),
    "a stage of two": (
        staged("  - percent: 5\n    count: 7\n"),
        "rollout.yaml:6: stages[0].count: cannot be together with percent; keep one of percent, count",
    ),
    "devices and a group": (
        GOOD.replace("depot", "{name: depot, group: pilot, devices: [a]}"),
        "rollout.yaml:3: fleets[1].devices: cannot be together with group; keep one or the other",
    ),
    "devices and a query": (
        GOOD.replace("depot", "{name: depot, query: x, devices: [a]}"),
        "rollout.yaml:3: fleets[1].devices: cannot be together with query; keep one or the other",
    ),
    "a device of the fleet twice": (
        GOOD.replace("depot", "{name: depot, devices: [a, b, a]}"),
        "rollout.yaml:3: fleets[1].devices[2]: device a is named twice; name it once",
    ),
    "a test device twice": (
        staged("  - devices: {factory: [a, a]}\n"),
        "rollout.yaml:5: stages[0].devices.factory[1]: device a is named twice; name it in one stage",
    ),
    "a model twice": (
        staged("  - percent: 5\n    models: [m, m]\n"),
        "rollout.yaml:6: stages[0].models[1]: model m is named twice; name it once",
    ),
    "a fleet twice": (
        GOOD.replace("depot", "factory"),
        "rollout.yaml:3: fleets[1]: fleet factory is named twice; name it once",
    ),
    "a figure without a limit": (
        GOOD + "gates:\n  health:\n  - {name: a, queries: {factory: q}}\n",
        "rollout.yaml:12: gates.health[0]: can never be breached; give a limit, or compare: true, or both",
    ),
    "no way back": (
        GOOD + "on_breach: roll-back\n",
        "rollout.yaml:10: on_breach: roll-back needs the release to go back to; add roll_back with its release",
    ),
    "a sign-off by nobody": (
        staged("  - percent: 5\n    sign_off: {}\n"),
        "rollout.yaml:6: stages[0].sign_off: needs approvals, which name the approvers; add approvals to the rollout",
    ),
    "a criterion twice": (
        staged("  - percent: 5\n    sign_off: {criteria: [it runs, it runs]}\n")
        + "approvals: {threshold: 1, approvers: [a.pub]}\n",
        "rollout.yaml:6: stages[0].sign_off.criteria[1]: criterion it runs is named twice",
    ),
    "a calendar twice": (GOOD + "freeze: [a.ics, a.ics]\n", "rollout.yaml:10: freeze[1]: file a.ics is named twice"),
}
"""Fields that exclude or need one another, which a schema can say, too."""

BEYOND = {
    "a name with a line break": (GOOD.replace("gates", '"gates\\n"'), "rollout.yaml:1: name: must be lower-case"),
    "a whole number with a point": (GOOD + "pace: 5.0\n", "rollout.yaml:10: pace: must be a whole number"),
    "stages that do not grow": (
        GOOD.replace("50", "10"),
        "rollout.yaml:6: stages[1].percent: 10 does not exceed the stage before (10); percentages are cumulative",
    ),
    "stages of a model that do not grow": (
        staged(
            "  - {percent: 50, models: [a, b]}\n  - {percent: 10, models: [c]}\n  - count: 3\n"
            "  - {percent: 20, models: [b, a]}\n  - percent: 5\n"
        ),
        "rollout.yaml:8: stages[3].percent: 20 does not exceed the stage before (50)",
    ),
    "a fleet that is not configured": (
        GOOD.replace("depot", "depots"),
        "rollout.yaml:3: fleets[1]: no fleet depots in the configuration; did you mean depot? it has: depot, factory",
    ),
    "a part of a fleet that is not configured": (
        GOOD.replace("[factory, depot]", "\n  - factory\n  - group: pilot\n    name: shed"),
        "rollout.yaml:6: fleets[1].name: no fleet shed in the configuration; it has: depot, factory",
    ),
    "a fleet twice, once in part": (
        GOOD.replace("depot", "{name: factory, group: pilot}"),
        "rollout.yaml:3: fleets[1].name: fleet factory is named twice; name it once",
    ),
    "test devices of another fleet": (
        staged("  - devices:\n      shed: [a]\n"),
        "rollout.yaml:6: stages[0].devices.shed: the rollout is not for fleet shed; choose among factory, ",
    ),
    "a test device in two stages": (
        staged("  - devices: {factory: [a], depot: [a]}\n  - devices: {factory: [b, a]}\n"),
        "rollout.yaml:6: stages[1].devices.factory[1]: device a is named twice; name it in one stage",
    ),
    "a test device outside of the part": (
        GOOD.replace("depot", "{name: depot, devices: [a, b]}").replace("percent: 10\n", "devices: {depot: [c]}\n"),
        "rollout.yaml:5: stages[0].devices.depot[0]: device c is not among the devices of depot under fleets",
    ),
    "test devices without end": (
        staged(f"  - devices: {{factory: [{', '.join(map('d{}'.format, range(1001)))}]}}\n"),
        "rollout.yaml:5: stages: name 1,001 devices; at most 1,000 may be named, take others by count or percent",
    ),
    "a figure of another fleet": (
        GOOD + "gates: {health: [{name: a, limit: 1, queries: {shed: q}}]}\n",
        "rollout.yaml:10: gates.health[0].queries.shed: the rollout is not for fleet shed",
    ),
    "a figure of a stage without a limit": (
        staged("  - percent: 5\n    gates:\n      health: [{name: a, limit: 1, queries: {shed: q}}]\n"),
        "rollout.yaml:7: stages[0].gates.health[0].queries.shed: the rollout is not for fleet shed",
    ),
    "a figure twice": (
        GOOD
        + "gates: {health: [{name: a, limit: 1, queries: {depot: q}}, {name: a, limit: 2, queries: {depot: q}}]}\n",
        "rollout.yaml:10: gates.health[1].name: a is named twice; give each figure its own name",
    ),
    "a window of no zone": (
        GOOD + 'windows:\n- cron: "0 2 * * *"\n  zone: Europe/Berlino\n  duration: 1h\n',
        "rollout.yaml:12: windows[0].zone: zone 'Europe/Berlino' is no IANA time zone; did you mean Europe/Berlin",
    ),
    "a window of four fields": (
        GOOD + 'windows:\n- cron: "0 2 * *"\n  duration: 1h\n',
        "rollout.yaml:11: windows[0].cron: cron '0 2 * *' has 4 fields, not five: minute, hour, day of month, month",
    ),
    "a window of no hour": (
        GOOD + 'windows:\n- cron: "0 25 * * *"\n  duration: 1h\n',
        "rollout.yaml:11: windows[0].cron: cron '0 25 * * *': hour '25' is wrong; it goes from 0 to 23",
    ),
    "a window that never closes": (
        GOOD + 'windows:\n- cron: "0 2 * * *"\n  duration: 9999d\n',
        "rollout.yaml:12: windows[0].duration: duration 9999d: a window stays open for",
    ),
    "more signatures than approvers": (
        GOOD + "approvals:\n  approvers: [a.pub]\n  threshold: 2\n",
        "rollout.yaml:12: approvals.threshold: 2 can never sign, approvals.approvers names 1; name more, or",
    ),
    "an approver twice": (
        GOOD + "approvals: {threshold: 1, approvers: [a.pub, ./a.pub]}\n",
        "rollout.yaml:10: approvals.approvers[1]: approver a.pub is named twice; name it once",
    ),
    "a sign-off by more than there are": (
        staged("  - percent: 5\n    sign_off: {threshold: 2}\n") + "approvals: {threshold: 1, approvers: [a.pub]}\n",
        "rollout.yaml:6: stages[0].sign_off.threshold: 2 can never sign",
    ),
    "a way back to itself": (
        GOOD + "roll_back: {release: ./releases/2.0.0}\n",
        "rollout.yaml:10: roll_back.release: is the release of this rollout; name the previous good one",
    ),
    "late joiners of test devices": (
        staged("  - devices: {factory: [a]}\n") + "late_joiners: include\n",
        "rollout.yaml:8: late_joiners: include cannot be where the last stage names its devices",
    ),
}
"""What only the reader knows to be wrong."""

"""Rollout files that are no YAML, or do not fit the model, each with what a person is told."""

from __future__ import annotations

from tests.bridge.rollouts import GOOD, STAGES, staged

NOT_YAML = {
    "empty": ("", "rollout.yaml: the file is empty; `otabridge rollout new` writes one"),
    "unfinished": ("name: [", "rollout.yaml:1: not valid YAML: expected the node content, but found '<stream end>'"),
    "a tab": ("name: gates\n\trelease: x", "rollout.yaml:2: not valid YAML: found character '\\t'"),
    "two documents": (GOOD + "---\nname: b\n", "rollout.yaml:10: not valid YAML: but found another document"),
    "a key twice": (GOOD + "name: other\n", "rollout.yaml:10: name is given twice; keep one of them"),
    "a list as key": ("? [a]\n: b\n", "rollout.yaml:1: a key must be a plain word"),
    "a number as key": (GOOD + "1: 2\n", "rollout.yaml:10: the key 1 is no text to every reader of YAML"),
    "a truth as key": (GOOD + "on: push\n", "rollout.yaml:10: the key on is no text to every reader of YAML"),
    "merging": (GOOD + "<<: {pace: 1}\n", "rollout.yaml:10: merging with << is not taken; write the fields out"),
    "an object of Python": (
        "name: !!python/object/apply:os.system [x]\n",
        'rollout.yaml:1: tags such as "tag:yaml.org,2002:python/object/apply:os.system" are not taken',
    ),
    "a tag": (GOOD + "pace: !!int abc\n", 'rollout.yaml:10: tags such as "tag:yaml.org,2002:int" are not taken'),
    "nested without end": ("[" * 60_000, "rollout.yaml:1: nested deeper than 8 levels"),
    "an alias to itself": ("name: &a [*a]\n", "rollout.yaml:1: an alias nests deeper than 8 levels"),
    "aliases that multiply": (
        "a: &a [x]\n"
        + "".join(
            f"{key}: &{key} [{', '.join(['*' + before] * 9)}]\n" for before, key in zip("abcd", "bcde", strict=True)
        ),
        "or more than 16 aliases",
    ),
    "aliases of a long list": (
        f"a: &a [{'x, ' * 9000}]\nb: [*a, *a, *a]\n",
        "rollout.yaml:1: nested deeper than 8 levels, or more than 16 aliases, or more than 25000 values",
    ),
    "values without end": ("[" + "x, " * 30_000, "rollout.yaml:1: nested deeper than 8 levels"),
    "a byte that is no text": ("name: x\nrelease: \x00\n", "rollout.yaml:2: not valid YAML: a character that it does"),
    "an escape beyond Unicode": ('name: "\\UFFFFFFFF"\n', "rollout.yaml: not valid YAML: a number or an escape in it"),
    "half a character": (
        'name: "\\uD800"\n',
        "rollout.yaml:1: name: holds a character that cannot be printed (U+D800)",
    ),
    "a terminal's escape": (
        'name: "\\e[2J"\n',
        "rollout.yaml:1: name: holds a character that cannot be printed (U+001B); take it out",
    ),
    "a key that rings": ('"\\a": x\n', "rollout.yaml:1: a key holds a character that cannot be printed (U+0007)"),
    "a word that is false": (
        GOOD.replace("depot", "no"),
        'rollout.yaml:3: fleets[1]: some readers of YAML take no for false; write false, or "no" in quotes for text',
    ),
    "minutes that are sexagesimal": (
        GOOD + "timeout_minutes: 1:30\n",
        "rollout.yaml:10: timeout_minutes: readers of YAML differ on 1:30; write a plain decimal number",
    ),
    "a number that is octal": (GOOD + "pace: 010\n", "rollout.yaml:10: pace: readers of YAML differ on 010"),
    "a number with underscores": (GOOD + "pace: 1_0\n", "rollout.yaml:10: pace: readers of YAML differ on 1_0"),
    "a number of 5000 digits": (GOOD + f"pace: {'9' * 5000}\n", "rollout.yaml:10: pace: readers of YAML differ on 999"),
    "a stage that is no number": (
        GOOD.replace("100", ".nan"),
        "rollout.yaml:7: stages[2].percent: readers of YAML differ on .nan",
    ),
    "a date": (
        GOOD.replace("releases/2.0.0", "2026-09-01"),
        'rollout.yaml:2: release: some readers of YAML take 2026-09-01 for a date; write "2026-09-01" in quotes',
    ),
    "an equals sign": (
        GOOD.replace("depot", "="),
        "rollout.yaml:3: fleets[1]: some readers of YAML take = for no text",
    ),
}
"""What is refused before the model is asked."""

SHAPE = {
    "a list": ("- gates", "rollout.yaml:1: must be a mapping, not a list"),
    "an unknown field": (
        GOOD + "pase: 3\n",
        "rollout.yaml:10: pase: no such field; did you mean pace? known here are name, release, fleets, stages, ",
    ),
    "an unknown field like no other": (
        GOOD + "xyzzy: 3\n",
        "rollout.yaml:10: xyzzy: no such field; known here are name, release, fleets, stages, budget, gates, ",
    ),
    "an unknown field with a dash": (
        GOOD + "roll-back: {release: x}\n",
        "rollout.yaml:10: roll-back: no such field; did you mean roll_back? known here",
    ),
    "an unknown field of the budget": (
        GOOD.replace("failures: 2", "failure: 2"),
        "rollout.yaml:9: budget.failure: no such field; did you mean failures? known here are failures, percent",
    ),
    "an unknown field of a stage": (
        GOOD.replace("percent: 50", "percentage: 50"),
        "rollout.yaml:6: stages[1].percentage: no such field; did you mean percent? known here are percent, count",
    ),
    "an unknown field of a fleet": (
        GOOD.replace("depot", "{name: depot, groups: pilot}"),
        "rollout.yaml:3: fleets[1].groups: no such field; did you mean group? known here are name, group, query",
    ),
    "a fleet without a name": (
        GOOD.replace("depot", "{group: pilot}"),
        "rollout.yaml:3: fleets[1].name: is missing: The fleet's name in otabridge.toml.",
    ),
    "a fleet that is a number": (
        GOOD.replace("depot", "7"),
        "rollout.yaml:3: fleets[1]: must be text or a mapping, not 7; put it in quotes",
    ),
    "a group that is a list": (
        GOOD.replace("depot", "{name: depot, group: [a]}"),
        "rollout.yaml:3: fleets[1].group: must be text of 1 to 128 characters, not a list",
    ),
    "a query without end": (
        GOOD.replace("depot", f"{{name: depot, query: {'x' * 401}}}"),
        "rollout.yaml:3: fleets[1].query: must be text of 1 to 400 characters, not",
    ),
    "devices without end": (
        GOOD.replace("depot", f"{{name: depot, devices: [{', '.join(map('d{}'.format, range(10_001)))}]}}"),
        "rollout.yaml:3: fleets[1].devices: must have at most 10,000 items, not 10,001",
    ),
    "a missing field": (
        "name: gates\n",
        "rollout.yaml:1: release: is missing: Path of the release's folder or `release.json`, relative to this file.",
    ),
    "a version that is a number": (
        GOOD.replace("releases/2.0.0", "2.10"),
        "rollout.yaml:2: release: must be text of 1 to 1,024 characters, not 2.1; put it in quotes",
    ),
    "fleets that are one": (
        GOOD.replace("[factory, depot]", "factory"),
        'rollout.yaml:3: fleets: must be a list of 1 to 32 items, not "factory"; write [factory]',
    ),
    "stages that are one": (
        staged("  percent: 100\n"),
        "rollout.yaml:5: stages: must be a list of 1 to 20 items, not a mapping; put a dash before each item",
    ),
    "no stages": (GOOD.replace(STAGES, "stages: []\n"), "rollout.yaml:4: stages: must not be empty"),
    "a block that is left empty": (
        GOOD + "retries:\n",
        "rollout.yaml:10: retries: must be a mapping, not nothing; write a value, or leave the field out",
    ),
    "a name that the clouds refuse": (
        GOOD.replace("gates", "Gates 2"),
        "rollout.yaml:1: name: must be lower-case letters, digits and dashes, at most 40 characters, not beginning",
    ),
    "a per cent sign": (
        GOOD.replace("percent: 50", "percent: 50%"),
        'rollout.yaml:6: stages[1].percent: must be a number above 0 and at most 100, not "50%"; write 50',
    ),
    "a number as text": (
        GOOD + 'pace: "50"\n',
        'rollout.yaml:10: pace: must be a whole number from 1 to 100,000,000, not "50"; write 50',
    ),
    "half a device": (GOOD.replace("failures: 2", "failures: 2.5"), "rollout.yaml:9: budget.failures: must be a whole"),
    "a stage of nobody": (
        GOOD.replace("percent: 10\n", "percent: 0\n"),
        "rollout.yaml:5: stages[0].percent: must be a number above 0 and at most 100, not 0",
    ),
    "a stage of more than all": (
        GOOD.replace("100", "101"),
        "rollout.yaml:7: stages[2].percent: must be a number above 0 and at most 100, not 101",
    ),
    "a count of none": (
        staged("  - count: 0\n"),
        "rollout.yaml:5: stages[0].count: must be a whole number from 1 to 100,000,000, not 0",
    ),
    "a count that is true": (staged("  - count: true\n"), "stages[0].count: must be a whole number from 1 to 100,000,"),
    "test devices of no fleet": (staged("  - devices: {}\n"), "rollout.yaml:5: stages[0].devices: must not be empty"),
    "test devices in a row": (
        staged("  - devices: [a, b]\n"),
        "rollout.yaml:5: stages[0].devices: must be a mapping, not a list",
    ),
    "a test device that is a number": (
        staged("  - devices:\n      factory:\n        - 17\n"),
        "rollout.yaml:7: stages[0].devices.factory[0]: must be text of 1 to 128 characters, not 17; put it in quotes",
    ),
    "a soak without a unit": (
        staged("  - percent: 1\n    soak: 30\n"),
        "rollout.yaml:6: stages[0].soak: must be a span of time such as 30m, 24h, 7d or 1d12h, not 30",
    ),
    "a soak in words": (
        staged("  - percent: 1\n    soak: 30 minutes\n"),
        'rollout.yaml:6: stages[0].soak: must be a span of time such as 30m, 24h, 7d or 1d12h, not "30 minutes"',
    ),
    "a negative budget": (
        GOOD.replace("failures: 2", "failures: -1"),
        "rollout.yaml:9: budget.failures: must be a whole number from 0 to 100,000,000, not -1",
    ),
    "negative silence": (GOOD.replace("failures: 2", "silent: -1"), "rollout.yaml:9: budget.silent: must be a whole"),
    "negative fallbacks": (GOOD + "gates: {fallbacks: -1}\n", "rollout.yaml:10: gates.fallbacks: must be a whole"),
    "negative resets": (GOOD + "gates: {watchdog_resets: -1}\n", "rollout.yaml:10: gates.watchdog_resets: must be"),
    "a probability of one half": (
        GOOD + "gates: {failure_rate: {limit: 2, false_stop: 0.5}}\n",
        "rollout.yaml:10: gates.failure_rate.false_stop: must be a number above 0 and below 0.5, not 0.5",
    ),
    "no patience": (
        GOOD + "gates: {unknown_limit: 0h}\n",
        "rollout.yaml:10: gates.unknown_limit: must be a span of time such as 30m, 24h, 7d or 1d12h, above zero",
    ),
    "no pace": (GOOD + "pace: 0\n", "rollout.yaml:10: pace: must be a whole number from 1 to 100,000,000, not 0"),
    "an unknown word": (
        GOOD + "on_breach: rollback\n",
        'rollout.yaml:10: on_breach: must be pause, abort or roll-back, not "rollback"; did you mean roll-back?',
    ),
    "a word unlike any": (
        GOOD + "late_joiners: xyzzy\n",
        'rollout.yaml:10: late_joiners: must be ignore or include, not "xyzzy"',
    ),
    "a truth in quotes": (
        GOOD + 'gates: {health: [{name: a, queries: {factory: q}, compare: "yes"}]}\n',
        'rollout.yaml:10: gates.health[0].compare: must be true or false, not "yes"',
    ),
    "a query that is a number": (
        GOOD + "gates:\n  health:\n  - name: a\n    limit: 1\n    queries:\n      factory: 3\n",
        "rollout.yaml:15: gates.health[0].queries.factory: must be text of 1 to 400 characters, not 3",
    ),
    "a window that never opens": (
        GOOD + 'windows: [{cron: "0 2 * * *", duration: 0m}]\n',
        "rollout.yaml:10: windows[0].duration: must be a span of time",
    ),
    "signatures that expire at once": (
        GOOD + "approvals: {threshold: 1, approvers: [a.pub], expire: 0s}\n",
        "rollout.yaml:10: approvals.expire: must be a span of time",
    ),
    "nobody to sign": (GOOD + "approvals: {threshold: 1, approvers: []}\n", "approvals.approvers: must not be empty"),
}
"""What does not fit the model."""

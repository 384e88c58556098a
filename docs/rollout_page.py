"""The reference of `rollout.yaml`, and its JSON Schema: made from the model, with what the model cannot tell."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator

import msgspec.inspect as model

from bridge.errors import UsageError
from bridge.rollout.file import parse_rollout
from bridge.rollout.schema import rollout_schema
from bridge.rollout.shape import described, in_words, kinds, rollout_type

EXAMPLE = """\
# yaml-language-server: $schema=rollout.schema.json
name: gates-2-4
release: releases/2.4.0
fleets:
  - factory                       # a whole fleet
  - name: depot                   # a part of one
    group: pilot
stages:
  - devices:                      # test devices first
      factory: [gate-0007, gate-0011]
    sign_off:
      criteria:
        - The display shows the new version
        - The gate opened and closed ten times
  - count: 50                     # then fifty more
    soak: 1d
  - percent: 10                   # then shares of each fleet, which add up
    soak: 12h
  - percent: 100
    enough: 95
budget:
  failures: 2
  percent: 1
  silent: 20
gates:
  failure_rate:
    limit: 2
  watchdog_resets: 1
  health:
    - name: reboots
      queries:
        factory: shadow.name.otabridge.reported.boots > 20
        depot: properties.reported.otabridge.boots > 20
      compare: true
on_breach: roll-back
roll_back:
  release: releases/2.3.1
pace: 600
windows:
  - cron: 0 2 * * 1-5
    duration: 3h
    zone: Europe/Berlin
freeze: [holidays.ics]
timeout_minutes: 90
retries:
  download: 2
late_joiners: include
approvals:
  threshold: 2
  approvers: [keys/ana.pub.json, keys/ben.pub.json, keys/eva.pub.json]
"""
HEAD = """\
# The rollout file

A rollout file is a page of YAML that says which release goes to which fleets, in which stages, and how much may go
wrong. `otabridge rollout new` writes one with a comment on every field, `otabridge rollout plan FILE` shows what it
means now, and `otabridge rollout apply FILE` does it.

Editors complete the file and mark mistakes with [its JSON Schema](rollout.schema.json), for example those with the YAML
language server, which the first line of this example tells where the schema is. It uses much of what there is; only
`name`, `release`, `fleets` and `stages` are required.
"""
TAIL = """\
## Which devices a stage takes

Every device has a bucket from 0 to 9999, which is made from its id and never changes. A rollout counts buckets from
one of its own, made from its name, so that the same devices are not the first of every release. A device's place in
that order is its position.

Where a fleet lists its devices, a stage of P per cent ends after P % of them in order of position, rounded up: 10 %
of 20 devices are 2. Where the cloud itself finds devices by bucket, the stage is the devices with a position below P
%, so that the number of calls does not grow with the fleet, and a small fleet may get some more or fewer. `plan`
counts them.

Percentages are cumulative, and each must exceed that of the earlier stage of the same `models`; a stage without
`models` is compared with earlier stages without. Stages that are left without devices are announced by `plan` and
passed.

## When a stage is over

A stage is over when every fleet was asked and every device of it has ended, or, where the stage says `enough`, when
each fleet has installed so many of its devices and no device is in the middle. The next one begins if the budget
holds, the gates let it pass ([how they judge](../gates.md)), its `soak` is over, and whoever must sign has signed.

A device that is switched off never takes the offer, and neither cloud ends its waiting: with `enough: 100` it keeps
the stage open for ever. With less, the rollout goes on without it. Its offer stays open until the rollout ends, so a
device that comes back is updated, and what becomes of it counts. A device that refuses the release spends budget like
one that failed, also when the release is for other hardware: name the `models`, or a `group`, where a fleet mixes
hardware.

## What is refused

A wrong file is refused before anything is created, with exit code 2 and a line for each mistake (the first ten):

```
{refusals}
```

- Fields that are unknown or missing; values of another sort or beyond their limits.
- A stage with none, or more than one, of `percent`, `count` and `devices`; percentages that do not increase.
- Fleets that are not configured or named twice, also below `stages[].devices` and `health[].queries`; devices named
  twice; more than 1000 test devices; `devices` of a fleet beside its `group` or `query`, and test devices that are not
  among them.
- `on_breach: roll-back` without `roll_back`, and a way back to the same release; `late_joiners: include` where the last
  stage names its devices.
- More signatures than there are approvers; an approver twice; `sign_off` without `approvals`, which name the approvers.
- A health figure with neither `limit` nor `compare`, which could never be breached.
- Windows of an unknown time zone or with a wrong `cron`; keys, calendars and a former release that are not there.

Readers of YAML differ: some take `no` for false, `1:30` for 90, `010` for 8 or `2026-09-01` for a date, others for
text. What is not read alike by all of them is refused, with what to write instead, as are keys written twice, tags,
`<<`, more than 2 MiB, 8 levels, 16 aliases or 25,000 values. Aliases (`&name`, `*name`) are taken.
"""
WRONG = """\
name: gates-2-4
release: 2.10
fleets: [factory, depots]
stages:
  - percent: 10%
  - percent: 50
    enuf: 90
on_breach: rollback
"""
CONTRADICTORY = """\
name: gates-2-4
release: releases/2.4.0
fleets: [factory, depots]
stages:
  - percent: 50
  - percent: 10
    sign_off: {threshold: 1}
"""


def rollout_page() -> str:
    """The reference page."""
    tables = [line for title, struct in structs("", rollout_type()) for line in table(title, struct)]
    refusals = "\n\n".join(refusal(text) for text in (WRONG, CONTRADICTORY))
    return "\n".join([HEAD, f"```yaml\n{EXAMPLE}```\n", *tables, TAIL.replace("{refusals}", refusals).rstrip(), ""])


def schema_text() -> str:
    """The schema as it is published."""
    return json.dumps(rollout_schema(), indent=2, ensure_ascii=False) + "\n"


def structs(path: str, struct: model.StructType) -> Iterator[tuple[str, model.StructType]]:
    """The mappings of the file, each where it is first met, with the path that leads to it."""
    seen: set[type] = set()
    waiting = [(path, struct)]
    while waiting:
        path, struct = waiting.pop(0)
        if struct.cls not in seen:
            seen.add(struct.cls)
            yield path, struct
            waiting += [found for field in struct.fields for found in parts(path, field)]


def parts(path: str, field: model.Field) -> Iterator[tuple[str, model.StructType]]:
    """The mappings that a field holds; a stage's own gates are those of the rollout."""
    for kind in kinds(field.type):
        many = isinstance(kind, model.VarTupleType)
        for each in kinds(kind.item_type) if many else (kind,):
            if isinstance(each, model.StructType) and (path, field.name) != ("stages[]", "gates"):
                yield f"{path}.{field.encode_name}{'[]' if many else ''}".lstrip("."), each


def table(title: str, struct: model.StructType) -> list[str]:
    """One mapping: what it is for, and its fields."""
    head = f"## `{title}`" if title else "## Fields"
    rows = [row(field) for field in struct.fields]
    about = inspect.getdoc(struct.cls) or ""
    return [head, "", about, "", "| field | type | default | meaning |", "|---|---|---|---|", *rows, ""]


def row(field: model.Field) -> str:
    """One field."""
    cells = (f"`{field.encode_name}`", in_words(field.type), default(field), described(field))
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def default(field: model.Field) -> str:
    """What a field is when it is absent."""
    if field.required:
        return "required"
    value = getattr(field.default, "value", field.default)
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return (
        f"`{value:g}`"
        if isinstance(value, int | float)
        else f"`{value}`"
        if isinstance(value, str) and value
        else "none"
    )


def refusal(text: str) -> str:
    """What otabridge says to the file `text`."""
    try:
        parse_rollout(text, "rollout.yaml", ("factory", "depot"))
    except UsageError as error:
        return str(error)
    raise AssertionError("the reference shows a refusal of a file that is right")

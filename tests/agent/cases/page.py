"""The table of state cases as a page for people: docs/reference/state-cases.md."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby, pairwise

from tests.agent.cases.case import Case, Group, Prepared, Told
from tests.agent.cases.chain import Chain, Change, Start
from tests.agent.cases.coverage import UNREACHED, UNTOLD
from tests.agent.cases.table import CASES, GROUPS

TITLE = "# State cases\n"
INTRODUCTION = """\
{count} cases of an update, each played by `make test` on a device in memory: engine, journal, disk code and firmware
are the real ones, kernel, link and cloud are simulated. This page is made from the table that the tests play.

Of each case it is asserted that the journal goes through the states given here, that the cloud hears the reports given
here and no others, that the machine starts as often as given here, that the slot given here runs at the end and would
be started next, that it holds a signed image, that slot, boot loader, journal and last report tell the same, and that
the same offer, handed over again, is answered with the same report and changes nothing.

How to read it:

- *States* are those that the journal holds, one after the other; every update begins in idle. A state in brackets was
  not led to by an event: the agent found it when it started. `↻` is a start of the machine, `↺` a start of the agent
  alone, on a machine that runs on; `[…] 8 times` happens so often.
- A state *begins* when it has been journalled and nothing of its work is done. *Its work is done* means that the next
  state has not been journalled yet.
- *Reports* are what the cloud takes at the end of an offer: outcome, number and name of the failure, slot and version
  that run, fallbacks of this device so far.
- *Starts* counts starts of the machine after the offer, those of a slot that hangs included.
"""
DEVICES = "## The devices\n\n| device | before the offer |\n|---|---|"
HEAD = (
    "| | case | device | offered | faults | states | reports | slot | starts |\n|---|---|---|---|---|---|---|---|---|"
)
LEFT_OUT = """\
## What has no case

| what | why |
|---|---|"""


def state_cases_page() -> str:
    """The whole page."""
    numbers = {case.name: number for number, case in enumerate(CASES, start=1)}
    groups = [_group(group, numbers) for group in GROUPS]
    return "\n".join([TITLE, INTRODUCTION.format(count=len(CASES)), _devices(), *groups, _left_out()])


def _devices() -> str:
    known: dict[str, Prepared] = {case.prepared.label: case.prepared for case in CASES}
    return "\n".join([DEVICES, *(f"| {each.label} | {each.words} |" for each in known.values()), ""])


def _group(group: Group, numbers: dict[str, int]) -> str:
    rows = [_row(case, numbers[case.name]) for case in group.cases]
    return "\n".join([f"## {group.title}\n", f"{group.words}\n", HEAD, *rows, ""])


def _left_out() -> str:
    rows = [f"| {event} in {state} | {why} |" for (state, event), why in UNREACHED.items()]
    codes = [f"| a report with {code.value} {_plain(code.name)} | {why} |" for code, why in UNTOLD.items()]
    return "\n".join([LEFT_OUT, *rows, *codes, ""])


def _row(case: Case, number: int) -> str:
    cells = (
        number,
        _name(case),
        case.prepared.label,
        ", then ".join(each.words for each in case.offered) or "nothing",
        "; ".join(each.words for each in case.faults) or "none",
        _states(case.chain),
        _reports(case),
        case.slot,
        case.restarts,
    )
    return f"| {' | '.join(str(cell).replace('|', '/') for cell in cells)} |"


def _name(case: Case) -> str:
    """The name without the words of its faults, which stand beside it."""
    name = case.name
    for fault in case.faults:
        name = name.replace(fault.words, "")
    return name.strip(" :;") or "-"


def _states(chain: Chain) -> str:
    """Stretches between two starts, those alike taken together."""
    told = []
    for words, alike in groupby(_stretches(chain)):
        times = len(list(alike))
        told.append(words if times == 1 else f"[{words}] {times} times")
    return " ".join(told) or "idle"


def _stretches(chain: Chain) -> Iterator[str]:
    cuts = [0, *(at for at, step in enumerate(chain) if isinstance(step, Start) and at), len(chain)]
    for start, end in pairwise(cuts):
        if start < end:
            yield _stretch(chain[start:end])


def _stretch(steps: Chain) -> str:
    marks = {Start.MACHINE: "↻", Start.PROCESS: "↺"}
    head = "".join(marks[step] for step in steps if isinstance(step, Start))
    states = ", ".join(_state(step) for step in steps if isinstance(step, Change))
    return f"{head} {states}".strip()


def _state(step: Change) -> str:
    return f"({step.state})" if step.event is None else str(step.state)


def _reports(case: Case) -> str:
    told = []
    for words, alike in groupby(_report(each) for each in case.reports):
        times = len(list(alike))
        told.append(words if times == 1 else f"{words}, told {times} times")
    remarks = (case.stuck, case.forgotten and f"again: {case.forgotten}", case.blank)
    return "<br>".join([*(told or ["none"]), *(f"({each})" for each in remarks if each)])


def _report(told: Told) -> str:
    offer = "" if told.offer == "job-1" else f"{told.offer}: "
    code = "" if told.code is None else f" ({told.code.value} {_plain(told.code.name)})"
    fallbacks = f", fallbacks {told.fallbacks}" if told.fallbacks else ""
    words = f", “{told.words}”" if told.words else ""
    return f"{offer}{told.outcome}{code}, slot {told.slot}, {told.version or 'unknown'}{fallbacks}{words}"


def _plain(name: str) -> str:
    return name.lower().replace("_", " ")

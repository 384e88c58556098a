"""What a rollout cannot ask for although each of its fields is well formed: combinations that contradict one another.

Pure, but for `absent_files`, which looks whether the files are there that the rollout names.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial
from pathlib import Path

from bridge.rollout.mistake import Mistake, Trail, nearest
from bridge.rollout.model import FleetPart, Rollout, Stage
from bridge.rollout.rules import Gates, Health, LateJoiners, OnBreach
from bridge.schedule import windows
from bridge.schedule.cron import require_cron, require_zone

MAX_TEST_DEVICES = 1000
"""Devices that all stages together may name."""


def contradictions(rollout: Rollout, fleets: Collection[str]) -> Iterator[Mistake]:
    """All that is impossible in `rollout`; `fleets` are the names in the configuration."""
    yield from _fleets(rollout, fleets)
    yield from _stages(rollout)
    yield from _test_devices(rollout)
    yield from _gates(rollout)
    yield from _windows(rollout)
    yield from _breach(rollout)
    yield from _signatures(rollout)
    yield from _twice(rollout.freeze, ("freeze",), "file")


def absent_files(rollout: Rollout, folder: Path) -> Iterator[Mistake]:
    """The files that `rollout` names and that are not there; relative ones lie in `folder`.

    The release is not among them: whoever reads it says what is wrong with it.
    """
    approvers = rollout.approvals.approvers if rollout.approvals else ()
    named: list[tuple[Trail, str]] = [(("approvals", "approvers", index), path) for index, path in enumerate(approvers)]
    named += [(("freeze", index), path) for index, path in enumerate(rollout.freeze)]
    for trail, path in named:
        yield from _absent(trail, folder / path, Path.is_file)
    if rollout.roll_back:
        yield from _absent(("roll_back", "release"), folder / rollout.roll_back.release, Path.exists)


def _absent(trail: Trail, path: Path, there: Callable[[Path], bool]) -> Iterator[Mistake]:
    try:
        if not there(path):
            yield Mistake(trail, f"there is no file {path}; paths are relative to the rollout file")
    except OSError as error:
        yield Mistake(trail, f"{path} cannot be looked at: {error.strerror}")


def _fleets(rollout: Rollout, known: Collection[str]) -> Iterator[Mistake]:
    seen: set[str] = set()
    for index, (fleet, part) in enumerate(zip(rollout.fleets, rollout.parts, strict=True)):
        trail: Trail = ("fleets", index) if isinstance(fleet, str) else ("fleets", index, "name")
        if part.name not in known:
            has = ", ".join(sorted(known)) or "none"
            yield Mistake(trail, f"no fleet {part.name} in the configuration; {nearest(part.name, known)}it has: {has}")
        if part.name in seen:
            yield Mistake(trail, f"fleet {part.name} is named twice; name it once")
        seen.add(part.name)
        yield from _selectors(part, ("fleets", index))


def _selectors(part: FleetPart, trail: Trail) -> Iterator[Mistake]:
    if part.devices is None:
        return
    others = [name for name in ("group", "query") if getattr(part, name) is not None]
    if others:
        yield Mistake((*trail, "devices"), f"cannot be together with {' and '.join(others)}; keep one or the other")
    yield from _twice(part.devices, (*trail, "devices"), "device")


def _twice(names: Sequence[str], trail: Trail, what: str) -> Iterator[Mistake]:
    seen: set[str] = set()
    for index, name in enumerate(names):
        if name in seen:
            yield Mistake((*trail, index), f"{what} {name} is named twice; name it once")
        seen.add(name)


def _stages(rollout: Rollout) -> Iterator[Mistake]:
    reached: dict[frozenset[str], float] = {}
    for index, stage in enumerate(rollout.stages):
        yield from _one_measure(stage, ("stages", index))
        yield from _twice(stage.models, ("stages", index, "models"), "model")
        if stage.percent is not None:
            models = frozenset(stage.models)
            yield from _growth(stage.percent, reached.get(models, 0.0), ("stages", index, "percent"))
            reached[models] = max(stage.percent, reached.get(models, 0.0))


def _one_measure(stage: Stage, trail: Trail) -> Iterator[Mistake]:
    given = [name for name in ("percent", "count", "devices") if getattr(stage, name) is not None]
    if not given:
        yield Mistake(trail, "says not which devices; give one of percent, count and devices")
    elif len(given) > 1:
        yield Mistake((*trail, given[1]), f"cannot be together with {given[0]}; keep one of {', '.join(given)}")


def _growth(percent: float, before: float, trail: Trail) -> Iterator[Mistake]:
    if percent <= before:
        what = f"{percent:g} does not exceed the stage before ({before:g}); percentages are cumulative"
        yield Mistake(trail, what)


def _test_devices(rollout: Rollout) -> Iterator[Mistake]:
    parts = {part.name: part for part in rollout.parts}
    seen: set[tuple[str, str]] = set()
    for trail, fleet, devices in _named(rollout):
        if fleet not in parts:
            yield Mistake(trail, f"the rollout is not for fleet {fleet}; {_choose(parts)}")
            continue
        chosen = parts[fleet].devices
        for index, device in enumerate(devices):
            if (fleet, device) in seen:
                yield Mistake((*trail, index), f"device {device} is named twice; name it in one stage")
            elif chosen is not None and device not in chosen:
                yield Mistake((*trail, index), f"device {device} is not among the devices of {fleet} under fleets")
            seen.add((fleet, device))
    if len(seen) > MAX_TEST_DEVICES:
        what = f"name {len(seen):,} devices; at most {MAX_TEST_DEVICES:,} may be named, take others by count or percent"
        yield Mistake(("stages",), what)


def _named(rollout: Rollout) -> Iterator[tuple[Trail, str, tuple[str, ...]]]:
    for index, stage in enumerate(rollout.stages):
        for fleet, devices in (stage.devices or {}).items():
            yield ("stages", index, "devices", fleet), fleet, devices


def _choose(names: Collection[str]) -> str:
    return f"choose among {', '.join(names)}, or add it under fleets"


def _gates(rollout: Rollout) -> Iterator[Mistake]:
    yield from _health(rollout.gates, ("gates", "health"), rollout)
    for index, stage in enumerate(rollout.stages):
        if stage.gates is not None:
            yield from _health(stage.gates, ("stages", index, "gates", "health"), rollout)


def _health(gates: Gates, trail: Trail, rollout: Rollout) -> Iterator[Mistake]:
    seen: set[str] = set()
    for index, health in enumerate(gates.health):
        if health.name in seen:
            yield Mistake((*trail, index, "name"), f"{health.name} is named twice; give each figure its own name")
        seen.add(health.name)
        yield from _figure(health, (*trail, index), [part.name for part in rollout.parts])


def _figure(health: Health, trail: Trail, fleets: Collection[str]) -> Iterator[Mistake]:
    if health.limit is None and not health.compare:
        yield Mistake(trail, "can never be breached; give a limit, or compare: true, or both")
    for fleet in health.queries:
        if fleet not in fleets:
            yield Mistake((*trail, "queries", fleet), f"the rollout is not for fleet {fleet}; {_choose(fleets)}")


def _windows(rollout: Rollout) -> Iterator[Mistake]:
    for index, window in enumerate(rollout.windows):
        checks = {
            "zone": partial(require_zone, window.zone),
            "cron": partial(require_cron, window.cron),
            "duration": partial(windows.require, window),
        }
        for field, check in checks.items():
            try:
                check()
            except ValueError as error:
                yield Mistake(("windows", index, field), str(error))
                break


def _breach(rollout: Rollout) -> Iterator[Mistake]:
    back = rollout.roll_back
    if rollout.on_breach is OnBreach.ROLL_BACK and back is None:
        yield Mistake(("on_breach",), "roll-back needs the release to go back to; add roll_back with its release")
    if back is not None and posixpath.normpath(back.release) == posixpath.normpath(rollout.release):
        yield Mistake(("roll_back", "release"), "is the release of this rollout; name the previous good one")
    if rollout.late_joiners is LateJoiners.INCLUDE and rollout.stages[-1].devices is not None:
        what = "include cannot be where the last stage names its devices; end with a stage of percent, or ignore them"
        yield Mistake(("late_joiners",), what)


def _signatures(rollout: Rollout) -> Iterator[Mistake]:
    approvals = rollout.approvals
    approvers = () if approvals is None else approvals.approvers
    yield from _twice([posixpath.normpath(path) for path in approvers], ("approvals", "approvers"), "approver")
    if approvals is not None:
        yield from _enough(approvals.threshold, len(approvers), ("approvals", "threshold"))
    for index, stage in enumerate(rollout.stages):
        trail: Trail = ("stages", index, "sign_off")
        if stage.sign_off is not None and approvals is None:
            yield Mistake(trail, "needs approvals, which name the approvers; add approvals to the rollout")
        elif stage.sign_off is not None:
            yield from _enough(stage.sign_off.threshold, len(approvers), (*trail, "threshold"))
            yield from _twice(stage.sign_off.criteria, (*trail, "criteria"), "criterion")


def _enough(threshold: int, approvers: int, trail: Trail) -> Iterator[Mistake]:
    if threshold > approvers:
        yield Mistake(
            trail, f"{threshold} can never sign, approvals.approvers names {approvers}; name more, or ask for fewer"
        )

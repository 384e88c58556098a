"""The demo as a story of two acts: a good release reaches every device, a bad one stops itself.

Everything runs for real: the commands, the device SDK over TLS, the agents as processes of their own, the files that
stand for slots. Only the clouds are simulators, and "power" is a process that starts another.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import msgspec

from bridge.demo.board import Board, Tell
from bridge.demo.boards import Stock, device_names, make_boards, switched_on
from bridge.demo.commands import DemoFailed
from bridge.demo.images import Images
from bridge.demo.result import Act, Check, DemoResult, LedgerLine
from bridge.demo.workshop import Workshop
from bridge.simulated import SimulatedCloud

OLD, NEW, BAD = "1.0.0", "2.0.0", "3.0.0"
STOPPED = 20
"""Exit code of a rollout that its budget stopped."""
STATUS_AT_ONCE = 4
DEVICES = "devices"
"""Folder of the devices' folders, below that of the demo."""


class _Slot(msgspec.Struct, frozen=True):
    slot: str
    version: str = ""
    committed: bool = False


class _Device(msgspec.Struct, frozen=True):
    """Of an agent's own status, what the demo looks at."""

    booted: str
    version: str
    slots: tuple[_Slot, ...]
    fallbacks: int


class _Entry(msgspec.Struct, frozen=True):
    time: str
    actor: str
    what: str
    reason: str


class _Link(msgspec.Struct, frozen=True):
    entry: _Entry


@dataclass(frozen=True, slots=True)
class Side:
    """One fleet with its devices. Only on `fragile` ones does the bad release fail."""

    fleet: str
    cloud: SimulatedCloud
    boards: tuple[Board, ...]
    fragile: bool

    @property
    def first_stage(self) -> int:
        """How many devices the first stage has here: 10 per cent, rounded up."""
        return -(-len(self.boards) // 10)


@dataclass(frozen=True, slots=True)
class Scene:
    """What both acts share."""

    workshop: Workshop
    sides: tuple[Side, ...]
    tell: Tell

    @property
    def boards(self) -> tuple[Board, ...]:
        """All devices of all fleets."""
        return tuple(board for side in self.sides for board in side.boards)


@dataclass(frozen=True, slots=True)
class Found:
    """How one fleet's devices were found after a rollout; `offers` counts all that a device was ever to get."""

    side: Side
    devices: tuple[_Device, ...]
    offers: tuple[int, ...]

    @property
    def tried(self) -> tuple[int, ...]:
        """Numbers of the devices that were offered more than the good release."""
        return tuple(number for number, offers in enumerate(self.offers) if offers > 1)

    @property
    def versions(self) -> set[str]:
        """What the devices run."""
        return {device.version for device in self.devices}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one rollout left behind. `ended` is when, by the monotonic clock."""

    state: str
    seconds: float
    ended: float
    downloaded: int
    found: tuple[Found, ...]
    ledger: tuple[LedgerLine, ...]

    @property
    def devices(self) -> tuple[_Device, ...]:
        """All devices of all fleets."""
        return tuple(device for found in self.found for device in found.devices)


def play(folder: Path, clouds: Sequence[SimulatedCloud], images: Images, count: int, tell: Tell) -> DemoResult:
    """The whole demo with `count` devices, in the empty `folder`. Raises: DemoFailed, OtabridgeError."""
    began = time.monotonic()
    workshop = Workshop(folder, {f"demo-{cloud.cloud}": cloud for cloud in clouds})
    tell("keys and root: two approvers must sign each release")
    workshop.found_trust()
    workshop.configure()
    tell(f"release {NEW}: build, sign twice, verify")
    release = workshop.make_release(images.new, NEW, sequence=2)
    tell(f"{count} devices in {', '.join(workshop.fleets)}, each an agent in a process of its own")
    scene = Scene(workshop, stock_sides(workshop, images, count), tell)
    with switched_on(scene.boards):
        acts = (good_act(scene, release), bad_act(scene, images))
    return DemoResult(
        devices=count,
        image=images.kind,
        image_bytes=images.new.stat().st_size,
        artifact_bytes=sum(path.stat().st_size for path in release.iterdir() if path.suffix == ".full"),
        seconds=time.monotonic() - began,
        acts=acts,
    )


def stock_sides(workshop: Workshop, images: Images, count: int) -> tuple[Side, ...]:
    """The fleets with their share of `count` devices, the old image in slot a. Raises: UsageError without room."""
    sides, names, fleets = [], device_names(count), list(workshop.fleets.items())
    for number, (fleet, cloud) in enumerate(fleets):
        stock = Stock(images.old, OLD, images.room, workshop.root, needs_program=number == 0)
        share = names[number * count // len(fleets) : (number + 1) * count // len(fleets)]
        boards = make_boards(cloud, share, workshop.folder / DEVICES, stock)
        sides.append(Side(fleet, cloud, boards, fragile=stock.needs_program))
    return tuple(sides)


def good_act(scene: Scene, release: Path) -> Act:
    """Every device ends on the new slot."""
    scene.tell(f"rollout of {NEW} in stages of 10, 50 and 100 %")
    seen = run(scene, "good", release, expect=0)
    ended = Counter(device.booted for device in seen.devices)
    versions = {version for found in seen.found for version in found.versions}
    offers = [number for found in seen.found for number in found.offers]
    checks = (
        check("the rollout is completed", seen.state == "completed", seen.state),
        check("every device runs slot b", ended == {"b": len(seen.devices)}, dict(ended)),
        check("every device runs the new version", versions == {NEW}, versions),
        check("every device committed it", all(_committed(device) for device in seen.devices), _slots(seen)),
        check("no device fell back", sum(device.fallbacks for device in seen.devices) == 0, _slots(seen)),
        check("each device got one offer", set(offers) == {1}, offers),
    )
    return _act("good release", seen, checks)


def bad_act(scene: Scene, images: Images) -> Act:
    """The first stage fails its health check in one fleet; beyond that stage nobody sees the release, in any fleet."""
    fragile = " and ".join(side.fleet for side in scene.sides if side.fragile)
    scene.tell(f"release {BAD}, whose health check will fail in {fragile}")
    boots = {board.name: len(board.boots) for board in scene.boards}
    release = scene.workshop.make_release(images.broken, BAD, sequence=3)
    scene.tell(f"rollout of {BAD}, which must stop by itself")
    seen = run(scene, "bad", release, expect=STOPPED)
    checks = [check("the rollout stopped by itself", seen.state == "stopped", seen.state)]
    for found in seen.found:
        checks += _stopped_checks(found, boots)
    return _act("bad release", seen, checks, stop_seconds=seen.ended - _first_fallback(scene, boots))


def _stopped_checks(found: Found, boots: Mapping[str, int]) -> list[Check]:
    """What must hold in one fleet after the bad release."""
    side, tried = found.side, found.tried
    spared = [board for number, board in enumerate(side.boards) if number not in tried]
    still = [len(board.boots) == boots[board.name] for board in spared]
    where = side.fleet if side.fragile else f"{side.fleet}, where it works"
    checks = [
        check(f"{where}: only the first stage was offered it", len(tried) <= side.first_stage, len(tried)),
        check(f"{where}: the other devices never even restarted", all(still), still),
    ]
    if side.fragile:
        fallen = [found.devices[number].fallbacks for number in tried]
        checks += [
            check(f"{side.fleet}: its devices fell back once each", fallen == [1] * side.first_stage, fallen),
            check(f"{side.fleet}: every device runs the version before", found.versions == {NEW}, found.versions),
        ]
    return checks


def _first_fallback(scene: Scene, boots: Mapping[str, int]) -> float:
    """When a device first booted its old slot again, its second boot since `boots`. Raises: DemoFailed if none did."""
    boards = [board for side in scene.sides if side.fragile for board in side.boards]
    moments = [when for board in boards for when in board.booted_at[boots[board.name] + 1 :]]
    if not moments:
        raise DemoFailed("no device fell back from the bad release")
    return min(moments)


def run(scene: Scene, name: str, release: Path, expect: int) -> Outcome:
    """Apply a rollout of `release` to its end, and ask everybody how it ended. Raises: DemoFailed."""
    before, began = _downloaded(scene), time.monotonic()
    scene.workshop.apply(scene.workshop.write_rollout(name, release), expect)
    ended = time.monotonic()
    scene.tell("asking every device what it runs")
    with ThreadPoolExecutor(STATUS_AT_ONCE) as pool:
        found = tuple(_find(side, pool) for side in scene.sides)
    return Outcome(
        state=str(scene.workshop.status(name)["state"]),
        seconds=ended - began,
        ended=ended,
        downloaded=_downloaded(scene) - before,
        found=found,
        ledger=_ledger(scene.workshop.history(name)["entries"]),
    )


def _find(side: Side, pool: ThreadPoolExecutor) -> Found:
    devices = tuple(pool.map(_ask, side.boards))
    return Found(side, devices, tuple(side.cloud.offers(board.name) for board in side.boards))


def _downloaded(scene: Scene) -> int:
    return sum(side.cloud.bytes_sent() for side in scene.sides)


def check(what: str, holds: bool, seen: object) -> Check:  # noqa: FBT001 - the value that is checked
    """One line of the result."""
    return Check(what, holds, str(seen))


def _act(title: str, seen: Outcome, checks: Sequence[Check], stop_seconds: float | None = None) -> Act:
    return Act(title, seen.state, seen.seconds, seen.downloaded, _slots(seen), tuple(checks), seen.ledger, stop_seconds)


def _ask(board: Board) -> _Device:
    return msgspec.convert(board.status(), _Device)


def _committed(device: _Device) -> bool:
    return any(slot.slot == device.booted and slot.committed for slot in device.slots)


def _slots(seen: Outcome) -> dict[str, int]:
    return dict(
        Counter(
            f"{found.side.fleet} run slot {device.booted} {device.version}"
            for found in seen.found
            for device in found.devices
        )
    )


def _ledger(entries: object) -> tuple[LedgerLine, ...]:
    links = msgspec.convert(entries, tuple[_Link, ...])
    return tuple(LedgerLine(*msgspec.structs.astuple(link.entry)) for link in links)

"""The demo as a story of two acts: a good release reaches every device, a bad one stops itself.

Everything runs for real: the commands, the device SDK over TLS, the agents as processes of their own, the files that
stand for slots. Only the cloud is a simulator, and "power" is a process that starts another.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import msgspec

from bridge.demo.board import Board, Tell
from bridge.demo.boards import Stock, device_names, make_boards, switched_on
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
class Scene:
    """What both acts share."""

    workshop: Workshop
    cloud: SimulatedCloud
    boards: tuple[Board, ...]
    tell: Tell


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one rollout left behind."""

    state: str
    seconds: float
    downloaded: int
    devices: tuple[_Device, ...]
    offers: tuple[int, ...]
    ledger: tuple[LedgerLine, ...]


def play(folder: Path, cloud: SimulatedCloud, images: Images, count: int, tell: Tell) -> DemoResult:
    """The whole demo with `count` devices, in the empty `folder`. Raises: DemoFailed, OtabridgeError."""
    began = time.monotonic()
    workshop = Workshop(folder, cloud)
    tell("keys and root: two approvers must sign each release")
    workshop.found_trust()
    workshop.configure(cloud)
    tell(f"release {NEW}: build, sign twice, verify")
    release = workshop.make_release(images.new, NEW, sequence=2)
    tell(f"{count} devices, each an agent in a process of its own")
    boards = stock_boards(workshop, cloud, images, count)
    with switched_on(boards):
        scene = Scene(workshop, cloud, boards, tell)
        acts = (good_act(scene, release), bad_act(scene, images))
    return DemoResult(
        devices=count,
        image=images.kind,
        image_bytes=images.new.stat().st_size,
        artifact_bytes=sum(path.stat().st_size for path in release.iterdir() if path.suffix == ".zst"),
        seconds=time.monotonic() - began,
        acts=acts,
    )


def stock_boards(workshop: Workshop, cloud: SimulatedCloud, images: Images, count: int) -> tuple[Board, ...]:
    """The devices, with the old image in slot a. Raises: UsageError where they find no room."""
    stock = Stock(images.old, OLD, images.room, workshop.root)
    return make_boards(cloud, device_names(count), workshop.folder / DEVICES, stock)


def good_act(scene: Scene, release: Path) -> Act:
    """Every device ends on the new slot."""
    scene.tell(f"rollout of {NEW} in stages of 10, 50 and 100 %")
    seen = run(scene, "good", release, expect=0)
    ended = Counter(device.booted for device in seen.devices)
    checks = (
        check("the rollout is completed", seen.state == "completed", seen.state),
        check("every device runs slot b", ended == {"b": len(seen.devices)}, dict(ended)),
        check("every device runs the new version", _versions(seen) == {NEW}, _versions(seen)),
        check("every device committed it", all(_committed(device) for device in seen.devices), _slots(seen)),
        check("no device fell back", sum(device.fallbacks for device in seen.devices) == 0, _slots(seen)),
        check("each device got one offer", set(seen.offers) == {1}, seen.offers),
    )
    return _act("good release", seen, checks)


def bad_act(scene: Scene, images: Images) -> Act:
    """The first stage fails its health check; nobody else ever sees the release."""
    scene.tell(f"release {BAD}, whose health check will fail")
    boots = [len(board.boots) for board in scene.boards]
    release = scene.workshop.make_release(images.broken, BAD, sequence=3)
    scene.tell(f"rollout of {BAD}, which must stop by itself")
    seen = run(scene, "bad", release, expect=STOPPED)
    tried = [number for number, offers in enumerate(seen.offers) if offers > 1]
    spared = [number for number in range(len(scene.boards)) if number not in tried]
    stage = max(1, len(scene.boards) // 10)
    fallen = [seen.devices[number].fallbacks for number in tried]
    still = [len(scene.boards[number].boots) == boots[number] for number in spared]
    checks = (
        check("the rollout stopped by itself", seen.state == "stopped", seen.state),
        check("only the first stage was offered it", len(tried) == stage, len(tried)),
        check("its devices fell back once each", fallen == [1] * len(tried), fallen),
        check("every device runs the version before", _versions(seen) == {NEW}, _versions(seen)),
        check("the other devices never even restarted", all(still), still),
    )
    return _act("bad release", seen, checks)


def run(scene: Scene, name: str, release: Path, expect: int) -> Outcome:
    """Apply a rollout of `release` to its end, and ask everybody how it ended. Raises: DemoFailed."""
    before, began = scene.cloud.bytes_sent(), time.monotonic()
    scene.workshop.apply(scene.workshop.write_rollout(name, release), expect)
    seconds = time.monotonic() - began
    scene.tell("asking every device what it runs")
    with ThreadPoolExecutor(STATUS_AT_ONCE) as pool:
        devices = tuple(pool.map(_ask, scene.boards))
    return Outcome(
        state=str(scene.workshop.status(name)["state"]),
        seconds=seconds,
        downloaded=scene.cloud.bytes_sent() - before,
        devices=devices,
        offers=tuple(scene.cloud.offers(board.name) for board in scene.boards),
        ledger=_ledger(scene.workshop.history(name)["entries"]),
    )


def check(what: str, holds: bool, seen: object) -> Check:  # noqa: FBT001 - the value that is checked
    """One line of the result."""
    return Check(what, holds, str(seen))


def _act(title: str, seen: Outcome, checks: Sequence[Check]) -> Act:
    return Act(title, seen.state, seen.seconds, seen.downloaded, _slots(seen), tuple(checks), seen.ledger)


def _ask(board: Board) -> _Device:
    return msgspec.convert(board.status(), _Device)


def _committed(device: _Device) -> bool:
    return any(slot.slot == device.booted and slot.committed for slot in device.slots)


def _versions(seen: Outcome) -> set[str]:
    return {device.version for device in seen.devices}


def _slots(seen: Outcome) -> dict[str, int]:
    return dict(Counter(f"slot {device.booted} {device.version}" for device in seen.devices))


def _ledger(entries: object) -> tuple[LedgerLine, ...]:
    links = msgspec.convert(entries, tuple[_Link, ...])
    return tuple(LedgerLine(*msgspec.structs.astuple(link.entry)) for link in links)

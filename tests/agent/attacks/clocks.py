"""Attacks by time: the device's clock, and releases that never change."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial

from agent.slots import Slot
from bridge.release.errors import FailureCode
from bridge.release.report import Outcome
from tests.agent.attacks.attack import Attack, Door
from tests.agent.attacks.scene import Scene
from tests.releases import EXPIRES, NOW

clock = partial(Attack, door=Door.CLOCK)
EPOCH = datetime(1970, 1, 1, 0, 1, tzinfo=UTC)
INSTALLED = {"outcome": Outcome.INSTALLED, "slot": Slot.B, "runs": "2.0.0", "writes": True, "code": None}


def at(now: datetime, **fields: object) -> Callable[[Scene], None]:
    """The owner's release, while the device's clock shows `now`."""

    def strike(scene: Scene) -> None:
        scene.device.now = now
        scene.present(scene.release(**fields))

    return strike


def clock_set_back(scene: Scene) -> None:
    """It accepted a release in March; the clock says 1970, and a release that expired in January comes."""
    scene.install(scene.release(2))
    scene.device.now = EPOCH
    scene.present(scene.release(3, expires=NOW - timedelta(days=50)))


def freeze(scene: Scene) -> None:
    """The same old release, day after day, until its time is over."""
    old = scene.release(2)
    for day in (1, 30, 60):
        scene.device.now = NOW + timedelta(days=day)
        scene.install(old)
    scene.install(scene.release(3))
    scene.device.now = EXPIRES
    scene.present(old)


ATTACKS = (
    clock(
        "clock at 1970, good release",
        "nobody attacks: the device lost its clock with its power",
        strike=at(EPOCH),
        **INSTALLED,
        so="a device without a clock can be updated",
    ),
    clock(
        "clock at 1970, expired release",
        "sets the clock back, and hands out a release that has expired",
        strike=clock_set_back,
        code=FailureCode.EXPIRED,
        says="expired at 2026-01-10",
        slot=Slot.B,
        runs="2.0.0",
    ),
    clock(
        "clock at 1970 in a device that never accepted a release",
        "the same, on a device fresh from the factory",
        strike=at(EPOCH, expires=NOW - timedelta(days=50)),
        **INSTALLED,
        so="time never counts as earlier than at the last acceptance, and here was none; the floor bounds it",
    ),
    clock(
        "clock ahead",
        "sets the clock to 2040, so that nothing seems valid",
        strike=at(datetime(2040, 1, 1, tzinfo=UTC)),
        code=FailureCode.EXPIRED,
        says="expired at 2030-01-01 00:00 UTC: rotate it",
    ),
    clock(
        "freeze",
        "hands out the same old release for ever, as if it were the newest",
        strike=freeze,
        code=FailureCode.EXPIRED,
        says="expired at 2027-03-01 00:00 UTC: sign it anew",
        runs="3.0.0",
    ),
)

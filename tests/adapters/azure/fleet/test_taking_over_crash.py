"""A process that dies after any change while an order takes devices that have ended in another one.

A sample of the changes: see dying.EVERY.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import pytest

from bridge.fleet import FleetError
from bridge.names import stage_name
from bridge.release.bucket import Buckets
from bridge.release.errors import FailureCode
from bridge.release.report import Outcome, Report
from bridge.rollout.model import FleetPart
from bridge.tally import Tally
from tests.adapters.azure.dying import EVERY, dies, first_death
from tests.adapters.azure.plant import Plant, finish, order_of, put

FAILED = Report(Outcome.FAILED, "a", "1.0.0", FailureCode.SLOT_WRITE, "disk full")
OVER = {"open": False, "cancelled": True}
PASSES = 3


@pytest.fixture
def plant(tmp_path):
    """Azure."""
    with Plant(tmp_path).running() as plant:
        yield plant


def prepare(plant, kit, tmp_path, number):
    """An open order of which one device has failed and one is switched off; and the retry of the first."""
    plant.simulator.clock.advance(61)  # Device Update takes seven deployments a minute
    package = kit.package(b"image of round %d" % number, version=f"2.{number}.0")
    put(plant.fleet, package, tmp_path)
    names = (*plant.add(f"eu-{number}", group="eu"), *plant.add(f"off-{number}"))
    order = order_of(package, names, key=f"round-{number}/1")
    finish(lambda: plant.fleet.start(order))
    plant.end(names[0], order.key, FAILED)
    return order, replace(order, key=f"round-{number}/1-2", devices=names[:1])


def assert_given_back(plant, order, retry):
    """Once both are stopped nothing of them is left, in twins and in Device Update."""
    for key in (retry.key, order.key):
        finish(lambda key=key: plant.fleet.stop(key, "next round"))
    failed, off = order.devices
    assert plant.tags(failed) == ({"ADUGroup": "eu"}, None)
    assert plant.tags(off) == ({}, None)
    assert not plant.groups() & {stage_name(order.key), stage_name(retry.key)}
    assert plant.fleet.tally(order.key) == Tally(failed=1, withdrawn=1, open=False, cancelled=True)


def test_a_retry_that_dies_anywhere_is_finished_by_the_next(plant, kit, tmp_path):
    """After any change: one failure in the stage, one attempt in the retry, and nothing borrowed is lost."""
    number = first_death(0)
    while True:
        order, retry = prepare(plant, kit, tmp_path, number)
        died = dies(lambda retry=retry: plant.open().start(retry), number)
        finish(lambda order=order: plant.fleet.tally(order.key))
        assert plant.fleet.tally(order.key) == Tally(waiting=1, failed=1)
        finish(lambda retry=retry: plant.open().start(retry))

        assert plant.fleet.tally(order.key) == Tally(waiting=1, failed=1)
        assert plant.fleet.tally(retry.key) == Tally(waiting=1)
        assert len(list(plant.fleet.reports(order.key))) == 1
        assert_given_back(plant, order, retry)
        if not died:
            break
        number += EVERY
    assert number > 6


def test_a_stop_of_what_was_taken_from_that_dies_anywhere_is_finished_by_the_next(plant, kit, tmp_path):
    """The failure is counted once, and told, whatever was given back already."""
    number = first_death(1)
    while True:
        order, retry = prepare(plant, kit, tmp_path, number)
        finish(lambda retry=retry: plant.fleet.start(retry))
        died = dies(lambda order=order: plant.open().stop(order.key, "enough"), number)

        finish(lambda order=order: plant.open().stop(order.key, "enough"))

        assert len(list(plant.fleet.reports(order.key))) == 1
        assert plant.fleet.tally(retry.key) == Tally(waiting=1)
        assert_given_back(plant, order, retry)
        if not died:
            break
        number += EVERY
    assert number > 6


def resume(plant, order, busy, first):
    """The resumed order is started as far as it goes; then the busy device ends, and it is started to its end."""
    with suppress(FleetError):
        for _ in range(PASSES):
            plant.open().start(order)
    plant.end(busy, first.key, FAILED)
    finish(lambda: plant.open().start(order))


@pytest.mark.parametrize("selects", [False, True], ids=["by name", "by bucket"])
def test_a_resumption_that_dies_anywhere_is_finished_by_the_next(plant, kit, tmp_path, selects):
    """With a device that has ended in the stopped order, and one that is in the middle of it until later."""
    number = first_death(int(selects) * 2)
    while True:
        order, _ = prepare(plant, kit, tmp_path, number)
        failed, busy = order.devices
        plant.begin(busy, order.key)
        finish(lambda order=order: plant.fleet.stop(order.key, "paused"))
        again = replace(order, key=f"{order.key}-2")
        if selects:
            plant.say_of_itself(failed, bucket=2 * number)
            plant.say_of_itself(busy, bucket=2 * number + 1)
            window = (Buckets(2 * number, 2 * number + 1),)
            again = replace(again, devices=(), buckets=window, part=FleetPart("factory"), size=2)
        died = dies(lambda again=again, busy=busy, order=order: resume(plant, again, busy, order), number)
        assert counted(plant, order) in (Tally(running=1, failed=1, **OVER), Tally(failed=2, **OVER))
        resume(plant, again, busy, order)

        assert plant.fleet.tally(again.key) == Tally(waiting=2)
        assert counted(plant, order) == Tally(failed=2, **OVER)
        assert plant.tags(failed)[0]["otabridge"] == {"stage": stage_name(again.key), "was": "eu"}
        for key in (again.key, order.key):
            finish(lambda key=key: plant.fleet.stop(key, "next round"))
        assert plant.tags(failed) == ({"ADUGroup": "eu"}, None)
        assert plant.tags(busy) == ({}, None)
        assert {report.device for report in plant.fleet.reports(order.key)} == {failed, busy}
        if not died:
            break
        number += EVERY
    assert number > 10


def counted(plant, order):
    """The tally, once devices have stopped moving from one order to another."""
    finish(lambda: plant.fleet.tally(order.key))
    return plant.fleet.tally(order.key)

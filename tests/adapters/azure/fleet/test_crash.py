"""A process that dies after any call that changes something, and a new one that goes on where it was.

To die after a call that only looks is to die after the change before it. A sample of the changes: see dying.EVERY.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from bridge.names import stage_name
from bridge.release.bucket import Buckets
from bridge.release.report import Outcome, Report
from bridge.rollout.model import FleetPart
from bridge.tally import Tally
from tests.adapters.azure.dying import EVERY, dies, first_death
from tests.adapters.azure.plant import Plant, finish, order_of, put

INSTALLED = Report(Outcome.INSTALLED, "b", "2.0.0")
MOST_CALLS = 200


@pytest.fixture
def plant(tmp_path):
    """Azure."""
    with Plant(tmp_path).running() as plant:
        yield plant


@pytest.fixture
def round_of(plant, kit, tmp_path):
    """A fresh release and two fresh devices of different groups, for each way to die."""

    def prepare(number):
        plant.simulator.clock.advance(61)  # Device Update takes seven deployments a minute
        package = kit.package(b"image of round %d" % number, version=f"2.{number}.0")
        put(plant.fleet, package, tmp_path)
        names = (*plant.add(f"eu-{number}", group="eu"), *plant.add(f"bare-{number}"))
        return order_of(package, names, key=f"round-{number}/1")

    return prepare


def assert_nothing_left(plant, order):
    """In twins and in Device Update."""
    eu, bare = order.devices
    assert plant.tags(eu) == ({"ADUGroup": "eu"}, None)
    assert plant.tags(bare) == ({}, None)
    assert stage_name(order.key) not in plant.groups()


def test_a_start_that_dies_anywhere_is_finished_by_the_next(plant, round_of):
    """After any change: one deployment for both devices, and nothing borrowed is lost."""
    number = first_death(0)
    while True:
        order = round_of(number)
        died = dies(lambda order=order: plant.open().start(order), number)
        finish(lambda order=order: plant.open().start(order))

        assert plant.fleet.tally(order.key) == Tally(waiting=2)
        assert plant.tags(order.devices[0])[0]["otabridge"] == {"stage": stage_name(order.key), "was": "eu"}
        finish(lambda order=order: plant.fleet.stop(order.key, "next round"))
        assert_nothing_left(plant, order)
        if not died:
            break
        number += EVERY
    assert 8 < number < MOST_CALLS


def test_a_start_that_dies_anywhere_can_be_stopped(plant, round_of):
    """Nobody has the offer, and the devices are given back."""
    number = first_death(1)
    while True:
        order = round_of(number)
        died = dies(lambda order=order: plant.open().start(order), number)

        finish(lambda order=order: plant.open().stop(order.key, "changed my mind"))

        assert_nothing_left(plant, order)
        assert plant.fleet.tally(order.key) in (None, Tally(withdrawn=2, open=False, cancelled=True))
        if not died:
            break
        number += EVERY
    assert 8 < number < MOST_CALLS


def test_a_stop_that_dies_anywhere_is_finished_by_the_next(plant, round_of):
    """With one device that has ended; the tally is the one of the moment when nobody could begin any more."""
    number = first_death(2)
    while True:
        order = round_of(number)
        finish(lambda order=order: plant.fleet.start(order))
        plant.end(order.devices[1], order.key, INSTALLED)
        died = dies(lambda order=order: plant.open().stop(order.key, "enough"), number)

        finish(lambda order=order: plant.open().stop(order.key, "enough"))

        assert plant.fleet.tally(order.key) == Tally(installed=1, withdrawn=1, open=False, cancelled=True)
        assert_nothing_left(plant, order)
        if not died:
            break
        number += EVERY
    assert 8 < number < MOST_CALLS


def test_a_stop_of_what_has_ended_that_dies_anywhere_is_finished_by_the_next(plant, round_of):
    """It is no cancelling, however often it dies."""
    number = first_death(3)
    while True:
        order = round_of(number)
        finish(lambda order=order: plant.fleet.start(order))
        for device in order.devices:
            plant.end(device, order.key, INSTALLED)
        died = dies(lambda order=order: plant.open().stop(order.key, "completed"), number)

        finish(lambda order=order: plant.open().stop(order.key, "completed"))

        assert plant.fleet.tally(order.key) == Tally(installed=2, open=False)
        assert_nothing_left(plant, order)
        if not died:
            break
        number += EVERY
    assert 6 < number < MOST_CALLS


def by_bucket(plant, order, number):
    """The same order for two buckets, of which the bare device's comes first; by a device each."""
    eu, bare = order.devices
    plant.say_of_itself(bare, bucket=2 * number)
    plant.say_of_itself(eu, bucket=2 * number + 1)
    return replace(order, devices=(), buckets=(Buckets(2 * number, 2 * number + 1),), part=FleetPart("f"), size=2)


def start_slowly(plant, order):
    """Admit one device, then the other."""
    finish(lambda: plant.open().start(replace(order, admitted=1)))
    finish(lambda: plant.open().start(replace(order, admitted=2)))


@pytest.mark.parametrize("selects", [False, True], ids=["by name", "by bucket"])
def test_an_admission_that_dies_anywhere_is_finished_by_the_next(plant, round_of, selects):
    """After any change: the tally adds up meanwhile, and nothing borrowed is lost."""
    number = first_death(4)
    while True:
        named = round_of(number)
        order = by_bucket(plant, named, number) if selects else replace(named, devices=named.devices[::-1])
        died = dies(lambda order=order: start_slowly(plant, order), number)
        assert plant.fleet.tally(order.key) in (None, Tally(waiting=2))
        start_slowly(plant, order)

        assert plant.fleet.tally(order.key) == Tally(waiting=2)
        assert plant.tags(named.devices[0])[0]["otabridge"] == {"stage": stage_name(order.key), "was": "eu"}
        assert plant.tags(named.devices[1])[0]["otabridge"] == {"stage": stage_name(order.key)}
        finish(lambda order=order: plant.fleet.stop(order.key, "next round"))
        assert_nothing_left(plant, named)
        if not died:
            break
        number += EVERY
    assert 10 < number < MOST_CALLS


def test_an_admission_that_dies_anywhere_can_be_stopped(plant, round_of):
    """Everybody is given back, and counted as withdrawn."""
    number = first_death(5)
    while True:
        named = round_of(number)
        order = by_bucket(plant, named, number)
        died = dies(lambda order=order: start_slowly(plant, order), number)

        finish(lambda order=order: plant.open().stop(order.key, "changed my mind"))

        assert_nothing_left(plant, named)
        assert plant.fleet.tally(order.key) in (None, Tally(withdrawn=2, open=False, cancelled=True))
        if not died:
            break
        number += EVERY
    assert 10 < number < MOST_CALLS

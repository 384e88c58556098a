"""A process that dies after any call that changes something, and a new one that goes on where it was.

To die after a call that only looks is to die after the change before it.
"""

from __future__ import annotations

from contextlib import contextmanager
from unittest.mock import patch

import pytest
import requests

from bridge.names import stage_name
from bridge.release.report import Outcome, Report
from bridge.tally import Tally
from tests.adapters.azure.plant import Plant, finish, order_of, put

INSTALLED = Report(Outcome.INSTALLED, "b", "2.0.0")
MOST_CALLS = 200


class Died(BaseException):
    """The process was killed; nothing in it may catch this."""


def changes(method, url):
    """Whether a call leaves something behind in Azure."""
    return method != "GET" and not any(word in url for word in ("/devices/query", "comp=userdelegationkey"))


@contextmanager
def mortal(call):
    """Within it, the process dies right after change number `call` (from 0) took effect."""
    really, made = requests.Session.request, []

    def request(session, method, url, **options):
        response = really(session, method, url, **options)
        if changes(method, url):
            made.append(url)
        if len(made) == call + 1:
            response.close()
            raise Died
        return response

    with patch.object(requests.Session, "request", request):
        yield


def dies(act, call):
    """Whether `act` came so far that it died at that call."""
    with mortal(call):
        try:
            finish(act)
        except Died:
            return True
    return False


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
    """After every change in turn: one deployment for both devices, and nothing borrowed is lost."""
    number = 0
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
        number += 1
    assert 8 < number < MOST_CALLS


def test_a_start_that_dies_anywhere_can_be_stopped(plant, round_of):
    """Nobody has the offer, and the devices are given back."""
    number = 0
    while True:
        order = round_of(number)
        died = dies(lambda order=order: plant.open().start(order), number)

        finish(lambda order=order: plant.open().stop(order.key, "changed my mind"))

        assert_nothing_left(plant, order)
        assert plant.fleet.tally(order.key) in (None, Tally(withdrawn=2, open=False, cancelled=True))
        if not died:
            break
        number += 1
    assert 8 < number < MOST_CALLS


def test_a_stop_that_dies_anywhere_is_finished_by_the_next(plant, round_of):
    """With one device that has ended; the tally is the one of the moment when nobody could begin any more."""
    number = 0
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
        number += 1
    assert 8 < number < MOST_CALLS


def test_a_stop_of_what_has_ended_that_dies_anywhere_is_finished_by_the_next(plant, round_of):
    """It is no cancelling, however often it dies."""
    number = 0
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
        number += 1
    assert 6 < number < MOST_CALLS

"""How Azure's libraries are set up: patient within bounds, and pointed elsewhere where a person says so."""

from __future__ import annotations

import pytest
import requests

from adapters.azure.fleet.pacing import LONGEST_DELAY
from adapters.azure.fleet.refusals import explained
from adapters.simulation.faults import Effect
from bridge.fleet import FleetError
from tests.adapters.azure.plant import Plant, calls_counted, ids_of, order_of, put


@pytest.fixture
def plant(tmp_path):
    """Azure with one device."""
    with Plant(tmp_path).running() as plant:
        plant.add("gate-1", group="eu")
        yield plant


@pytest.fixture
def naps(monkeypatch):
    """How long the fleet slept; it does not really."""
    slept: list[float] = []
    monkeypatch.setattr("time.sleep", slept.append)
    return slept


@pytest.mark.parametrize(("asked", "slept"), [("3", 3.0), ("86400", LONGEST_DELAY)])
def test_device_update_is_asked_again_when_it_says_so(plant, monkeypatch, naps, asked, slept):
    """And not a day later."""
    throttle_once(monkeypatch, "/management/groups", {"Retry-After": asked})

    assert plant.fleet._services.deployments.stages() == []
    assert naps == [slept]


def test_the_hub_is_asked_again_when_it_says_so(plant, monkeypatch):
    """By the fleet's own patience: its library would wait as long as the hub says."""
    naps: list[float] = []
    monkeypatch.setattr(plant.clock, "sleep", naps.append)
    throttle_once(monkeypatch, "/devices/query", {"Retry-After": "3"})

    assert ids_of(plant.fleet) == ["gate-1"]
    assert naps == [3.0]


def throttle_once(monkeypatch, path, headers):
    """The first answer of a service is a 429."""
    really, done = requests.Session.send, []

    def send(session, request, **options):
        response = really(session, request, **options)
        if path in request.url and not done:
            done.append(request.url)
            response.status_code = 429
            response.headers.update(headers)
        return response

    monkeypatch.setattr(requests.Session, "send", send)


def test_a_hub_that_refuses_for_good_is_asked_three_times(plant, monkeypatch):
    """Then a person, or the next pass, decides."""
    monkeypatch.setattr(plant.clock, "sleep", lambda _: None)
    plant.faults.plan("query", Effect.THROTTLE, times=99)

    with calls_counted() as calls, pytest.raises(FleetError, match="ThrottlingException") as raised:
        ids_of(plant.fleet)

    assert raised.value.retryable
    assert sum("/devices/query" in call for call in calls) == 3


def test_queries_keep_their_pace(plant, monkeypatch):
    """As many a minute as the hub's tier allows."""
    naps: list[float] = []
    fleet = plant.open(queries_per_minute=2)
    clock = plant.clock
    now = [0.0]
    monkeypatch.setattr(clock, "monotonic", lambda: now[0], raising=False)

    def sleep(seconds):
        naps.append(seconds)
        now[0] += seconds

    monkeypatch.setattr(clock, "sleep", sleep, raising=False)

    for _ in range(3):
        assert ids_of(fleet) == ["gate-1"]

    assert naps == [60.0]


def test_creating_cancelling_and_deleting_have_a_pace_each(plant, package, tmp_path, monkeypatch):
    """Device Update counts them apart: one of each a minute waits for nothing, a second one does."""
    put(plant.fleet, package, tmp_path)
    fleet = plant.open(creates_per_minute=1)
    monkeypatch.setattr(plant.clock, "sleep", stop_here)

    fleet.start(order_of(package, ["gate-1"]))
    fleet.stop("spring/1", "enough")

    with pytest.raises(InterruptedError, match=r"^5\d\."):
        fleet.start(order_of(package, ["gate-1"], key="spring/2"))


def stop_here(seconds):
    """Instead of sleeping for long."""
    if seconds > 1:
        raise InterruptedError(str(seconds))


def test_without_credentials_a_person_is_told_how_to_get_some(plant, monkeypatch):
    """Nobody has signed in."""
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "EnvironmentCredential")

    with pytest.raises(FleetError, match=r"fleet factory: no credentials for Azure: .*Sign in \(az login\)"):
        plant.open().tally("spring/1")


def test_nothing_is_called_before_the_first_use(plant):
    """Opening a fleet asks nobody."""
    with calls_counted() as calls, explained("factory"):
        plant.open()
    assert calls == []

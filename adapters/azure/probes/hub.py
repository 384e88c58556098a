"""Probes of the hub. The one that would schedule a job has a condition that is none, so that the hub refuses it."""

from __future__ import annotations

from adapters.azure.fleet import queries
from adapters.azure.fleet.memberships import forget
from adapters.azure.fleet.refusals import BAD_REQUEST, NOT_FOUND
from adapters.azure.fleet.services import Services
from adapters.azure.probes.answers import Meaning
from adapters.azure.probes.calls import NOWHERE, Call
from bridge.probing import Duty

CONTRIBUTOR = "IoT Hub Data Contributor"
ACTS = {Duty.CONTROLLER: CONTRIBUTOR}
LOOKS = {Duty.CONTROLLER: CONTRIBUTOR, Duty.VIEWER: "IoT Hub Data Reader"}


def _query(services: Services) -> object:
    return services.twins.count(queries.stage_size(NOWHERE))


def _schedule(services: Services) -> None:
    services.twins.create_job(NOWHERE, "deviceId =", forget(), services.patience())


HUB = (
    Call("twins/queries", "count the devices of a stage that is not there", _query, LOOKS),
    Call(
        "jobs/read",
        "read a job that is not there",
        lambda services: services.twins.job(NOWHERE),
        ACTS,
        Meaning([NOT_FOUND]),
    ),
    Call(
        "jobs/write",
        "schedule a job for devices of a condition that is none",
        _schedule,
        ACTS,
        Meaning([BAD_REQUEST]),
    ),
)

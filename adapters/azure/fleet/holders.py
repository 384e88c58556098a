"""Devices that another stage holds: whether this one leaves them out, waits for them, or can never have them.

A device is in one group of Device Update at a time. An order by bucket leaves out those that have the offer of this
very release already, from an earlier stage that is open still: its stragglers, which may be switched off for months.
Devices that have ended are taken over (`taking_over`). The others are waited for: of stopped orders, which let go of
them within their timeout, and of other releases, whose rollout a person can abort.
"""

from __future__ import annotations

from adapters.azure.fleet.orders import State
from adapters.azure.fleet.refusals import Refused, WaitingFor
from adapters.azure.fleet.request import StageRequest
from adapters.azure.fleet.services import Services


class Holders:
    """The stages that hold devices of an order."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def has_same_offer(self, stage: str, request: StageRequest) -> bool:
        """Whether devices of `stage` have the offer of this release, and keep it."""
        held = self._services.orders.read(stage)
        return held is not None and held.record.state is State.OPEN and held.record.offers(request)

    def explain(self, devices: str, stage: str) -> Exception:
        """Why `devices` cannot join now: what they wait for, or that nobody will ever give them back."""
        held = self._services.orders.read(stage)
        if held is None or held.record.state is State.CLOSED:
            return Refused(
                f"{devices} is tagged for stage {stage}, which no order in this fleet's container holds open: unless "
                "an otabridge with another container does, set the tag ADUGroup to what the tag otabridge.was says, or "
                "remove it, remove the tag otabridge, and run the command again"
            )
        return WaitingFor(
            f"{devices} is in stage {stage} still (order {held.record.key}, {held.record.state}); a device is in one "
            "group of Device Update at a time, so this stage waits for that one: abort its rollout if nobody needs it",
            stage,
        )

"""What the conformance suite asks of a cloud. Each cloud under test plays this; the suite knows no cloud by name."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from agent.cloud.channel import Channel
from bridge.fleet import Fleet
from tests.releases import Package

SIMULATED = ("aws", "azure")
"""Clouds that can be disturbed, and whose account can be abused."""
LIVE = {"aws-live": "OTABRIDGE_CONFORMANCE_AWS", "azure-live": "OTABRIDGE_CONFORMANCE_AZURE"}
"""Live accounts, each with the variable that asks for it; `live` says what it holds."""
CLOUDS = (*SIMULATED, "aws-ministack", *(name for name, variable in LIVE.items() if variable in os.environ))
"""Every cloud under test. A module of the suite that names a `CLOUDS` of its own runs over those alone."""


WAIT = float(os.environ.get("OTABRIDGE_CONFORMANCE_WAIT", "30"))
"""Seconds that a test may wait for the cloud."""
RUN = secrets.token_hex(3)
"""Part of every name in this run, so that a live account may see many."""


class Trouble(StrEnum):
    """What can go wrong on the way, in words of no cloud."""

    OFFER_LOST = "the answer that holds the offer is lost"
    OFFER_DROPPED = "the link drops instead of the offer"
    OFFER_THROTTLED = "too many requests, says the cloud, when asked for an offer"
    OFFER_TWICE = "the offer is delivered twice"
    REPORT_UNHEARD = "the report is lost on its way"
    REPORT_LOST = "the answer to the report is lost"
    REPORT_DROPPED = "the link drops instead of the answer to the report"
    REPORT_THROTTLED = "too many requests, says the cloud, to the report"
    ANY_DROPPED = "the link drops at some message"
    DOWNLOAD_CUT = "the download stops in its middle"
    DOWNLOAD_CORRUPT = "one bit of the download flips"
    DOWNLOAD_EXPIRED = "the download's URL has expired"
    DOWNLOAD_REFUSED = "the store has a fault of its own"


@dataclass(frozen=True)
class End:
    """What the cloud holds about an installation on one device: the outcome it was told, and the failure's code."""

    outcome: str
    code: str


class Cloud(Protocol):
    """One fleet with its devices, real SDKs on both sides."""

    name: str
    """The cloud's name in configurations."""
    differences: Mapping[str, str]
    """Tests of the suite that do not hold here, by name, each with the reason that lies in the cloud itself."""

    @property
    def fleet(self) -> Fleet:
        """The fleet under test."""

    @property
    def by_bucket(self) -> Fleet | None:
        """The same devices as a fleet that selects by bucket; None where the cloud under test cannot."""

    def condition(self, field: str, value: str) -> str:
        """In the cloud's own query language: a device reports `value` in `field` of its state."""

    def add_device(self, device: str) -> None:
        """Register a device."""

    def add_group(self, group: str, devices: tuple[str, ...]) -> None:
        """Make one of the cloud's own groups."""

    def settings(self, device: str) -> Mapping[str, object]:
        """The device's fields of `[channel.NAME]`, impatient as tests are."""

    def channel(self, device: str) -> Channel:
        """A new line of the device, as after a restart of its agent."""

    def offer_foreign(self, device: str) -> None:
        """Some other program's work for the device, in the cloud's own way."""

    def take_back(self, device: str, offer_id: str) -> None:
        """Somebody ends the offer for this device by force, behind otabridge's back."""

    def disturb(self, trouble: Trouble, device: str, *, skip: int = 0, times: int = 1) -> None:
        """Plan a trouble, after `skip` chances that pass unharmed; skips the test where nothing can be planned."""

    def troubles(self) -> int:
        """How many troubles have come since the cloud was made."""

    def heal(self) -> None:
        """Forget every trouble that is planned and has not come."""

    def stop(self) -> None:
        """End everything that was started."""


class Simulated(Protocol):
    """What only a simulator can show."""

    def populate(self, reported: Mapping[str, Mapping[str, object]]) -> None:
        """Register many devices that never connect, each with what it reports of itself."""

    def calls(self) -> AbstractContextManager[list[str]]:
        """The calls of the cloud's API within the block; not those that ask again whether the cloud is done."""

    def pass_minute(self) -> None:
        """By the cloud's clock."""

    def fetched(self, package: Package) -> int:
        """Bytes of the artifact that devices have ever been sent."""

    def native(self, offer: str) -> str:
        """The cloud's own name of what `Account.offer` made."""


class Account(Protocol):
    """Whoever holds the cloud account, and uses it against the owner of the devices."""

    def offer(self, device: str, package: Package, *, roots: Sequence[bytes] = (), body: bytes | None = None) -> str:
        """Offer whatever `package` says, in the cloud's own way, with `body` in the place of the artifact's bytes.

        Returns a name for `end`.
        """

    def end(self, device: str, offer: str) -> End:
        """What the device said to that offer."""

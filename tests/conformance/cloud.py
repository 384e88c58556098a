"""What the conformance suite asks of a cloud. Each cloud under test plays this; the suite knows no cloud by name."""

from __future__ import annotations

from typing import Protocol

from agent.channel import Channel
from bridge.fleet import Fleet


class Cloud(Protocol):
    """One fleet with its devices, real SDKs on both sides."""

    @property
    def fleet(self) -> Fleet:
        """The fleet under test."""

    def add_device(self, device: str) -> None:
        """Register a device."""

    def add_group(self, group: str, devices: tuple[str, ...]) -> None:
        """Make one of the cloud's own groups."""

    def channel(self, device: str) -> Channel:
        """A new line of the device, as after a restart of its agent."""

    def offer_foreign(self, device: str) -> None:
        """Some other program's work for the device, in the cloud's own way."""

    def take_back(self, device: str, offer_id: str) -> None:
        """Somebody ends the offer for this device by force, behind otabridge's back."""

    def stop(self) -> None:
        """End everything that was started."""

"""PORT: a cloud on loopback, as demo and playground use it; `adapters.simulators` fits simulators to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

Settings = Mapping[str, object]


class SimulatedCloud(Protocol):
    """One running fleet of one simulated cloud."""

    @property
    def cloud(self) -> str:
        """The cloud's name in configurations."""

    def environment(self) -> Mapping[str, str]:
        """Variables with which the cloud's SDKs find the simulator instead of the cloud."""

    def fleet(self) -> Settings:
        """The cloud's settings for `[fleets.NAME]` of `otabridge.toml`."""

    def add_device(self, name: str, folder: Path) -> Settings:
        """Register a device, keep its credentials in `folder`; its settings for `[channel.CLOUD]` of `agent.toml`."""

    def explain(self, folder: Path) -> Sequence[str]:
        """How programs and devices of other makers reach the cloud: written to a file in `folder`, and as lines."""

    def offers(self, device: str) -> int:
        """How many offers the device was ever to get."""

    def bytes_sent(self) -> int:
        """Bytes of artifacts that devices have downloaded so far."""

    def stop(self) -> None:
        """Hang up on everybody."""

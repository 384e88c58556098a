"""What this device says of itself when its agent starts: who it is to Device Update, and what people see of it."""

from __future__ import annotations

import platform
import shutil
from collections.abc import Mapping
from pathlib import Path

from adapters.azure.channel.settings import AzureSettings
from adapters.azure.channel.telling import merged
from adapters.azure.formats.component import COMPONENT as AGENT
from adapters.azure.formats.component import startup_report
from agent.version import agent_version

COMPONENT = "deviceInformation"
MAX_TEXT = 64
KILOBYTE = 1024
OS_RELEASE = ("/etc/os-release", "/usr/lib/os-release")
MEMORY = "/proc/meminfo"
CPUS = "/proc/cpuinfo"


def introduction(settings: AzureSettings) -> Mapping[str, object]:
    """The patch of reported properties for the start of a process."""
    about = {
        "manufacturer": settings.manufacturer,
        "model": settings.model,
        "aduVer": f"otabridge;agent/{agent_version() or '0'}",
    }
    return merged(startup_report(about), {COMPONENT: {"__t": "c", **device_information(settings)}})


def is_introduced(reported: Mapping[str, object]) -> bool:
    """Whether a twin shows an introduction; the service passes over a device without one."""
    component = reported.get(AGENT)
    agent = component.get("agent") if isinstance(component, Mapping) else None
    return isinstance(agent, Mapping) and isinstance(agent.get("deviceProperties"), Mapping)


def device_information(settings: AzureSettings, root: Path = Path("/")) -> dict[str, str | int]:
    """`dtmi:azure:DeviceManagement:DeviceInformation;1`: texts are cut at 64 characters, sizes are in KB.

    What this machine does not tell is left out.
    """
    system = _os_release(root)
    told: dict[str, str | int | None] = {
        "manufacturer": settings.manufacturer,
        "model": settings.model,
        "osName": system.get("NAME") or platform.system(),
        "swVersion": system.get("VERSION_ID") or platform.release(),
        "processorArchitecture": platform.machine(),
        "processorManufacturer": _field(root, CPUS, ("vendor_id", "CPU implementer", "Hardware")),
        "totalMemory": _memory(root),
        "totalStorage": _storage(root),
    }
    return {name: _cut(value) for name, value in told.items() if value}


def _cut(value: str | int) -> str | int:
    return value[:MAX_TEXT] if isinstance(value, str) else value


def _os_release(root: Path) -> dict[str, str]:
    """os-release(5)."""
    text = next((text for path in OS_RELEASE if (text := _text(root, path))), "")
    lines = (line.partition("=") for line in text.splitlines() if not line.startswith("#"))
    return {name.strip(): value.strip().strip("\"'") for name, _, value in lines}


def _memory(root: Path) -> int | None:
    amount, _, unit = (_field(root, MEMORY, ("MemTotal",)) or "").partition(" ")
    return int(amount) if amount.isdecimal() and unit == "kB" else None


def _storage(root: Path) -> int | None:
    try:
        return shutil.disk_usage(root).total // KILOBYTE
    except OSError:
        return None


def _field(root: Path, path: str, names: tuple[str, ...]) -> str | None:
    """The first `name: value` of a file in /proc."""
    for line in _text(root, path).splitlines():
        name, _, value = line.partition(":")
        if name.strip() in names and value.strip():
            return value.strip()
    return None


def _text(root: Path, path: str) -> str:
    try:
        return (root / path.lstrip("/")).read_text(errors="replace")
    except OSError:
        return ""

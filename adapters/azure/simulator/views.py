"""What the simulator gives to devices and their owners."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class DeviceIdentity:
    """What a device needs to connect: its name, and PEM files or a file with a base64 key.

    An enrolled device finds its hub through the provisioning service; `id_scope` is "" for one that need not.
    """

    device: str
    host: str
    ca_file: Path
    cert_file: Path | None = None
    key_file: Path | None = None
    symmetric_key_file: Path | None = None
    id_scope: str = ""
    registration_id: str = ""

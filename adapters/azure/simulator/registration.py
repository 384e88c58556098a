"""Credentials of new devices, in files: a certificate of the simulator's CA, or a symmetric key."""

from __future__ import annotations

import base64
import secrets
from pathlib import Path

from adapters.azure.simulator.twins import Credentials
from adapters.azure.simulator.views import DeviceIdentity
from adapters.simulation.pki import CertificateAuthority

_SECRET_BYTES = 32
_PRIVATE = 0o600


class Registration:
    """Makes them for devices of one hub and one id scope."""

    def __init__(self, authority: CertificateAuthority, id_scope: str) -> None:
        self._authority = authority
        self._id_scope = id_scope

    def with_certificate(self, name: str, host: str) -> tuple[DeviceIdentity, Credentials]:
        """A device that proves itself by a certificate of its name."""
        pair = self._authority.device(name, f"devices/{name}")
        identity = self._identity(name, host, cert_file=pair.cert_file, key_file=pair.key_file)
        return identity, Credentials(certificate_cn=name)

    def with_key(self, name: str, host: str) -> tuple[DeviceIdentity, Credentials]:
        """A device that proves itself by a symmetric key, which only its owner may read."""
        key, file = secret(), self._authority.directory / "devices" / f"{name}.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch(mode=_PRIVATE)
        file.write_text(key)
        return self._identity(name, host, symmetric_key_file=file), Credentials((key,))

    def _identity(self, name: str, host: str, **files: Path) -> DeviceIdentity:
        return DeviceIdentity(
            name, host, self._authority.ca_file, id_scope=self._id_scope, registration_id=name, **files
        )


def secret() -> str:
    """A random key in base64."""
    return base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()

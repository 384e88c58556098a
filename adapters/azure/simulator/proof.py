"""How a device proves who it is when it connects: a signature, or a certificate that TLS has verified."""

from __future__ import annotations

import math
from hashlib import sha1, sha256

from adapters.azure.simulator import sas
from adapters.azure.simulator.twins import Credentials
from adapters.simulation.mqtt.app import ClientInfo


def proven_until(client: ClientInfo, credentials: Credentials, resource: str, now: float) -> float | None:
    """When the proof expires, in seconds since the epoch (a certificate's is infinite); None if it is none."""
    if credentials.kind == "sas":
        return _signature_until(client.password, credentials, resource, now)
    return math.inf if not client.password and _certified(client, credentials) else None


def _signature_until(password: bytes | None, credentials: Credentials, resource: str, now: float) -> float | None:
    try:
        token = sas.parse((password or b"").decode())
        sas.verify(token, resource, credentials.keys, now)
    except (sas.SasRefused, UnicodeDecodeError):
        return None
    return token.expires_at


def _certified(client: ClientInfo, credentials: Credentials) -> bool:
    if client.certificate is None:
        return False
    if credentials.certificate_cn is not None:
        return client.certificate.common_name == credentials.certificate_cn
    der = client.certificate.der
    prints = {sha1(der, usedforsecurity=False).hexdigest(), sha256(der).hexdigest()}  # the registry takes either
    return bool(prints & {each.lower() for each in credentials.thumbprints})

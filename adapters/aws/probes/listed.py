"""The probes of a fleet in AWS, in the order in which a person would look."""

from __future__ import annotations

from collections.abc import Mapping

from adapters.aws.probes.account import Account
from adapters.aws.probes.bucket import Bucket, GivingUp, Reading, Upload, Writing
from adapters.aws.probes.identity import Identity
from adapters.aws.probes.index import Indexing
from adapters.aws.probes.iot_calls import iot_calls
from adapters.aws.probes.roles import PassingRole, SigningRole
from adapters.aws.settings import read_settings
from bridge.probing import Probe


def probes(name: str, settings: Mapping[str, object]) -> tuple[Probe, ...]:
    """What proves the fleet `name`; nothing is called yet. Raises: UsageError naming the field; FleetError."""
    at, upload = Account(name, read_settings(name, settings)), Upload()
    stores = (Bucket(at), Reading(at), Writing(at, upload), GivingUp(at, upload))
    return (Identity(at), *stores, SigningRole(at), PassingRole(at), Indexing(at), *iot_calls(at))

"""The probes of a fleet in AWS, in the order in which a person would look."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from adapters.aws.probes.account import Account
from adapters.aws.probes.bucket import Bucket, GivingUp, Reading, Upload, Writing
from adapters.aws.probes.identity import Identity, SameAccount
from adapters.aws.probes.index import Indexing
from adapters.aws.probes.iot_calls import iot_calls
from adapters.aws.probes.made import Made
from adapters.aws.probes.made_buckets import buckets
from adapters.aws.probes.made_devices import devices
from adapters.aws.probes.made_events import events
from adapters.aws.probes.made_keys import keys
from adapters.aws.probes.made_roles import policies, roles
from adapters.aws.probes.made_watching import watching
from adapters.aws.probes.roles import PassingRole, SigningRole
from adapters.aws.settings import read_settings
from adapters.made import named, unknown
from bridge.probing import Probe


def probes(name: str, settings: Mapping[str, object], resources: Mapping[str, object]) -> tuple[Probe, ...]:
    """What proves the fleet `name`, and the `resources` of its `tool_config`; nothing is called yet.

    Raises: UsageError naming the field; FleetError.
    """
    at, upload, made = Account(name, read_settings(name, settings)), Upload(), named(name, resources, Made)
    stores = (Bucket(at), Reading(at), Writing(at, upload), GivingUp(at, upload))
    works: tuple[Probe, ...] = (SigningRole(at), PassingRole(at), Indexing(at), *iot_calls(at))
    return (Identity(at), *stores, *works, *_made(at, made), *unknown(resources, Made))


def _made(at: Account, made: Made) -> Iterator[Probe]:
    """In the order in which one needs the other."""
    if made.account_id:
        yield SameAccount(at, made.account_id)
    yield from (*buckets(at, made), *roles(at, made), *policies(at, made), *keys(at, made))
    yield from (*devices(at, made), *events(at, made), *watching(at, made))

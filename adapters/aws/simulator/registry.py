"""Things, groups and certificates, kept by moto and read by Jobs."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import cast

from moto.core.base_backend import BackendDict
from moto.iot.models import FakeThing, FakeThingGroup, IoTBackend, iot_backends
from moto.iotdata.models import FakeShadow

from adapters.aws.simulator.control import Place

_GROUP = "thinggroup"
_THING = "thing"


class Registry:
    """The registry of one account and region.

    `lock` serialises all access to moto's IoT backend, which is not thread-safe.
    """

    def __init__(self, place: Place) -> None:
        self.lock = threading.RLock()
        self._place = place
        self._stale: dict[str, tuple[str, ...]] = {}

    def knows(self, thing: str) -> bool:
        """Whether the thing is registered."""
        with self.lock:
            return self._place.arn(_THING, thing) in self._backend().things

    def things(self, arn: str) -> tuple[str, ...] | None:
        """The thing itself or the group's members, nested groups included; None if unknown."""
        if arn in self._stale:
            return self._stale[arn]
        with self.lock:
            return self._things(arn)

    def add_thing(self, thing: str, attributes: dict[str, str], certificate: str) -> None:
        """Register a thing with a certificate as its principal."""
        with self.lock:
            backend = self._backend()
            backend.create_thing(thing, "", {"attributes": attributes})
            registered = backend.register_certificate_without_ca(certificate, "ACTIVE")
            backend.attach_thing_principal(thing, registered.arn)

    def populate(self, shadows: Mapping[str, Mapping[str, object]], name: str) -> None:
        """Register things without certificates, each with what its shadow `name` reports."""
        with self.lock:
            for thing, reported in shadows.items():
                made = self._backend().create_thing(thing, "", None)
                made.thing_shadows[name] = FakeShadow(None, dict(reported), None, 1)  # type: ignore[arg-type]  # moto's stubs say text

    def all(self) -> Collection[FakeThing]:
        """Every thing as moto keeps it. Called with the lock held."""
        return cast("Collection[FakeThing]", self._backend().things.values())

    def groups(self) -> Collection[FakeThingGroup]:
        """Every thing group as moto keeps it. Called with the lock held."""
        return tuple(self._backend().thing_groups.values())

    def group(self, name: str) -> FakeThingGroup | None:
        """The thing group with this name."""
        return self._backend().thing_groups.get(self._place.arn(_GROUP, name))

    def put_group(self, group: FakeThingGroup) -> None:
        """Add a group that moto does not know how to make. Called with the lock held."""
        self._backend().thing_groups[group.arn] = group

    def drop_group(self, group: FakeThingGroup) -> None:
        """Forget a group. Called with the lock held."""
        del self._backend().thing_groups[group.arn]

    @contextmanager
    def stale_membership(self, group: str) -> Iterator[None]:
        """Jobs sees the group as it is now while the block runs, whatever happens to it."""
        arn = self._place.arn(_GROUP, group)
        self._stale[arn] = self.things(arn) or ()
        try:
            yield
        finally:
            del self._stale[arn]

    def _things(self, arn: str) -> tuple[str, ...] | None:
        backend = self._backend()
        if arn in backend.things:
            return (backend.things[arn].thing_name,)
        group = backend.thing_groups.get(arn)
        if group is None:
            return None
        found = dict.fromkeys(thing.thing_name for thing in group.things.values())
        for child_arn, child in backend.thing_groups.items():
            if child.parent_group_name == group.thing_group_name:
                found.update(dict.fromkeys(self._things(child_arn) or ()))
        return tuple(found)

    def _backend(self) -> IoTBackend:
        return iot_backends[self._place.account][self._place.region]


_running: set[Place] = set()
_running_lock = threading.Lock()


def claim(place: Place) -> None:
    """Reserve an account and region in this process; the first one wipes moto's state.

    Raises:
        ValueError: it is reserved already.
    """
    with _running_lock:
        if place in _running:
            raise ValueError(
                f"simulator: account {place.account} in {place.region} already runs in this "
                "process; stop it first or choose another account or region"
            )
        if not _running:
            BackendDict.reset()
        _running.add(place)


def release(place: Place) -> bool:
    """Give a reservation back; False if there was none. The last one wipes moto's state."""
    with _running_lock:
        if place not in _running:
            return False
        _running.remove(place)
        if not _running:
            BackendDict.reset()
        return True

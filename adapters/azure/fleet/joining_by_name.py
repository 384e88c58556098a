"""How the devices of an order join its group where the order names them: in chunks that fit into one query."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Sized

from adapters.azure.fleet import queries
from adapters.azure.fleet.memberships import Survey, join, survey
from adapters.azure.fleet.orders import Held, State
from adapters.azure.fleet.pacing import Patience
from adapters.azure.fleet.refusals import Refused, Waiting
from adapters.azure.fleet.request import StageRequest
from adapters.azure.fleet.services import Services
from adapters.azure.fleet.taking_over import TakingOver


class JoiningByName:
    """See `starting.Joining`. A device that is gone stops an order that starts; one that is open goes on without it."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._taking = TakingOver(services)

    def examine(self, request: StageRequest, held: Held, patience: Patience) -> Held:
        """Look at every device before any is touched, also at those that are admitted later."""
        for chunk in queries.chunks(request.devices[held.record.examined :]):
            for other, devices in _held_by(self._survey(held, chunk)):
                self._taking.examine(other, queries.among(devices), _named(devices))
            held = self._services.orders.change(held, examined=held.record.examined + len(chunk))
            _require_time(held.record.examined, len(request.devices), request.stage, patience, "examined")
        return held

    def join(self, request: StageRequest, held: Held, patience: Patience) -> Held:
        """Borrow the devices that are admitted from the groups that they are in; first those that were put aside."""
        for chunk in tuple(queries.chunks(held.record.aside)):
            held, aside = self._bring(held, chunk, patience)
            done = frozenset(chunk).difference(aside)
            held = self._put_aside(held, tuple(each for each in held.record.aside if each not in done))
        admitted = request.devices[: request.target]
        for chunk in queries.chunks(admitted[held.record.tagged :]):
            held, aside = self._bring(held, chunk, patience)
            held = self._put_aside(held, (*held.record.aside, *aside), held.record.tagged + len(chunk))
            _require_time(held.record.tagged, len(admitted), request.stage, patience, "tagged")
        return held

    def joined(self, request: StageRequest, held: Held, patience: Patience) -> int:
        """Wait until the hub's index shows them; a device that does not show up may be gone: look at all again."""
        wanted = len(request.devices[: request.target]) - held.record.behind
        if held.record.state is State.OPEN:
            return wanted
        while (count := self._services.twins.count(queries.group_size(request.stage))) < wanted:
            if not patience.wait():
                self._services.orders.change(held, examined=0, tagged=0, aside=(), behind=0)
                raise Waiting(
                    f"the hub shows {count} of {wanted} devices in group {request.stage}; all are looked at again"
                )
        if count > wanted:
            raise Refused(
                f"group {request.stage} holds {count - wanted} devices that the stage does not name: "
                "somebody tagged them; correct their tag ADUGroup, and run the command again"
            )
        return wanted

    def _bring(self, held: Held, chunk: tuple[str, ...], patience: Patience) -> tuple[Held, tuple[str, ...]]:
        """Those of `chunk` that can join; which cannot yet, as they are in the middle of another order."""
        found = self._survey(held, chunk)
        for other, devices in _held_by(found):
            held, _ = self._taking.take(held, other, queries.among(devices), _named(devices), patience)
        for group, devices in found.free.items():
            held = self._join(held, devices, group, patience)
        if held.record.state is State.OPEN:
            self._await_index(held, chunk, patience)
        return held, tuple(self._survey(held, chunk).held) if found.held else ()

    def _put_aside(self, held: Held, aside: tuple[str, ...], tagged: int | None = None) -> Held:
        done = held.record.tagged if tagged is None else tagged
        if (aside, done) == (held.record.aside, held.record.tagged):
            return held
        return self._services.orders.change(held, tagged=done, aside=aside, behind=len(aside))

    def _join(self, held: Held, devices: tuple[str, ...], group: str | None, patience: Patience) -> Held:
        condition = queries.joining(devices, group)
        held, job = self._services.jobs.run(held, condition, join(held.stage, group), patience)
        if job is None or not job.changed_all(len(devices)):
            raise Waiting(f"{job or 'a job was not found'}; {_named(devices)} was to join stage {held.stage}")
        return held

    def _await_index(self, held: Held, devices: tuple[str, ...], patience: Patience) -> None:
        """Until the index shows them, a tally would take devices that just joined for devices that left."""
        while free := self._survey(held, devices).free:
            if not patience.wait():
                raise Waiting(f"the hub does not show yet that {sum(map(len, free.values()))} devices joined")

    def _survey(self, held: Held, devices: tuple[str, ...]) -> Survey:
        """Where `devices` are. Raises: Refused, some can never join."""
        found = survey(held.stage, devices, self._services.twins.rows(queries.members(devices)))
        if found.absent and held.record.state is not State.OPEN:
            raise Refused(
                f"{_named(found.absent)} is not registered in IoT Hub (any more): abort the rollout, and apply it "
                "under another name, which plans for the devices that there are"
            )
        if found.odd:
            device, tag = next(iter(found.odd.items()))
            some = f"device {device}{_others(found.odd)}"
            raise Refused(
                f"{some}: the tag ADUGroup is {str(tag)[:80]!r}, no group's name; correct it, and run the command again"
            )
        return found


def _held_by(found: Survey) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The stages that hold some, each with devices that fit into what a job asks of them."""
    for other, devices in found.holders.items():
        yield from ((other, chunk) for chunk in queries.chunks(devices, queries.ROOM))


def _require_time(done: int, wanted: int, stage: str, patience: Patience, word: str) -> None:
    if patience.is_over and done < wanted:
        raise Waiting(f"{done} of {wanted} devices of stage {stage} are {word}")


def _named(devices: Sequence[str]) -> str:
    return f"device {devices[0]}{_others(devices)}"


def _others(found: Sized) -> str:
    """How many there are beside the one that is named."""
    more = len(found) - 1
    return f" (and {more} more)" if more else ""

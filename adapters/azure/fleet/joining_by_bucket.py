"""How the devices of an order join its group where it is for ranges of buckets: one job for each group they come from.

A job keeps the group that a device was in beside its tag, so it takes the devices of one group; nothing else of the
calls depends on how many devices there are. A device is joined once: whom a person took out of the stage stays out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from adapters.azure.fleet import queries
from adapters.azure.fleet.holders import Holders
from adapters.azure.fleet.memberships import is_group, is_stage, join
from adapters.azure.fleet.orders import Held, State
from adapters.azure.fleet.pacing import Patience
from adapters.azure.fleet.refusals import Refused, Waiting, blaming
from adapters.azure.fleet.request import StageRequest
from adapters.azure.fleet.selection import Selection
from adapters.azure.fleet.services import Services
from adapters.azure.fleet.standings import number
from adapters.azure.fleet.taking_over import TakingOver


class _Herd(NamedTuple):
    """Devices that are to join: those under a condition that are in one group."""

    condition: str
    group: str | None
    size: int


class JoiningByBucket:
    """See `starting.Joining`."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._holders = Holders(services)
        self._taking = TakingOver(services)

    def examine(self, request: StageRequest, held: Held, patience: Patience) -> Held:  # noqa: ARG002 - nothing to wait for
        """Look whether all can join, also those that are admitted later, before any is touched."""
        if not held.record.jobs:
            for herd in self._held_elsewhere(request, held, self._groups(request, held, None)):
                self._taking.examine(str(herd.group), herd.condition, _named(herd))
        return held

    def join(self, request: StageRequest, held: Held, patience: Patience) -> Held:
        """Borrow the devices that are admitted, until the hub shows nobody who is to join."""
        found = self._groups(request, held, request.target)
        held = self._take_over(request, held, found, patience)
        herds = _free(request, found)
        for herd in herds:
            held = self._join(held, herd, patience)
        while herds and (herds := _free(request, self._groups(request, held, request.target))):
            if not patience.wait():
                left = sum(herd.size for herd in herds)
                raise Waiting(f"the hub shows {left} devices that are to join stage {held.stage} still")
        return held

    def joined(self, request: StageRequest, held: Held, patience: Patience) -> int:  # noqa: ARG002 - `join` has waited
        """How many the stage holds. Raises: Refused, somebody put others into its group."""
        if held.record.state is State.OPEN:
            return self._services.twins.count(queries.stage_size(held.stage)) + self._moved(held)
        rows = tuple(self._services.twins.rows(queries.group_by_stage(held.stage)))
        strangers = sum(number(row) for row in rows if row.get("stage") != held.stage)
        if strangers:
            raise Refused(
                f"group {held.stage} holds {strangers} devices that the stage did not take: "
                "somebody tagged them; correct their tag ADUGroup, and run the command again"
            )
        return sum(map(number, rows))

    def _moved(self, held: Held) -> int:
        """Devices that have joined, have ended, and are in another stage now."""
        moved = queries.counted(queries.has_moved_on(held.stage))
        return self._services.twins.count(moved) if held.record.lent else 0

    def _take_over(self, request: StageRequest, held: Held, found: Sequence[_Herd], patience: Patience) -> Held:
        """Devices that other stages hold: those that have ended there. Who is in the middle is left behind."""
        behind = 0
        for herd in self._held_elsewhere(request, held, found):
            held, busy = self._taking.take(held, str(herd.group), herd.condition, _named(herd), patience)
            behind += busy
        return held if behind == held.record.behind else self._services.orders.change(held, behind=behind)

    def _held_elsewhere(self, request: StageRequest, held: Held, found: Sequence[_Herd]) -> Iterator[_Herd]:
        """Those that another stage holds, but for one that offers them this release already."""
        for herd in found:
            if _is_of_another(herd.group, held.stage) and not self._holders.has_same_offer(str(herd.group), request):
                yield herd._replace(condition=queries.never_in(held.stage, herd.condition))

    def _join(self, held: Held, herd: _Herd, patience: Patience) -> Held:
        condition = queries.unjoined_from(held.stage, herd.condition, herd.group)
        held, job = self._services.jobs.run(held, condition, join(held.stage, herd.group), patience)
        if job is None or not job.changed_all(job.devices):
            some = f"{herd.size} devices of {f'group {herd.group}' if herd.group else 'no group'}"
            raise Waiting(f"{job or 'a job was not found'}; {some} were to join stage {held.stage}")
        return held

    def _groups(self, request: StageRequest, held: Held, buckets: int | None) -> tuple[_Herd, ...]:
        """Who is to join, of so many buckets. Raises: Refused, they cannot all."""
        selection = request.selection or Selection()
        chosen = selection if buckets is None else selection.first(buckets)
        if not chosen.buckets:
            return ()
        with blaming(selection.part.query):
            return tuple(herd for each in chosen.conditions() for herd in self._in(held.stage, each))

    def _in(self, stage: str, condition: str) -> Iterator[_Herd]:
        for row in self._services.twins.rows(queries.unjoined(stage, condition)):
            group, size = row.get("adugroup"), number(row)
            if group is not None and not is_group(group):
                raise Refused(
                    f"{size} devices have the tag ADUGroup {str(group)[:80]!r}, no group's name; correct it, and run "
                    "the command again"
                )
            yield _Herd(condition, None if group is None else str(group), size)


def _free(request: StageRequest, found: Sequence[_Herd]) -> tuple[_Herd, ...]:
    """Those in groups that are no other stage's; not those that left the part's group."""
    wanted = request.selection.part.group if request.selection else None
    ours = (herd for herd in found if not _is_of_another(herd.group, request.stage))
    return tuple(herd for herd in ours if wanted is None or herd.group in (wanted, request.stage))


def _is_of_another(group: str | None, stage: str) -> bool:
    return group is not None and group != stage and is_stage(group)


def _named(herd: _Herd) -> str:
    return f"each of {herd.size} devices of the stage's buckets"

"""How devices that have ended in one order come into another one: for a retry, a resumed stage, a roll back.

The order that holds them may be open for long, for the sake of devices that are switched off. A device that has ended
there is done with it; only its end must still be counted, and the group that it came from be known. So its report is
written into the record of that order first; then one patch puts the device into the new order and says in a tag of its
own how it had ended in the old one. That tag is taken away when the old order is closed.

Devices in the middle of an order that was stopped stay behind, and are taken once they have ended: nobody waits for
them but themselves. Of an order that is open still, devices that have not ended are waited for by all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

from adapters.azure.fleet import queries
from adapters.azure.fleet.counting import Counting
from adapters.azure.fleet.holders import Holders
from adapters.azure.fleet.memberships import take_over
from adapters.azure.fleet.orders import Held, State, is_final
from adapters.azure.fleet.pacing import Patience
from adapters.azure.fleet.refusals import Waiting
from adapters.azure.fleet.services import Services
from adapters.azure.fleet.standings import TIMED_OUT, Counts, counts
from adapters.azure.wire import Word

ENDS = (Word.INSTALLED, Word.REJECTED, Word.FAILED, Word.FELL_BACK, Word.WITHDRAWN)


@dataclass(frozen=True, slots=True)
class Share:
    """Devices of an order that another one wants: `ended` by how they did, each with a condition that finds them."""

    ended: Mapping[str, str]
    running: int
    unbegun: int


class TakingOver:
    """Takes devices from one order for another. Raises: Waiting, Refused, and what Azure's libraries raise."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._counting = Counting(services)
        self._holders = Holders(services)

    def examine(self, other: str, condition: str, devices: str) -> tuple[Held, Share]:
        """The order `other`, and those of its devices that are under `condition`, which can be had: now, or once each
        has ended. Raises: WaitingFor, Refused, which name them by `devices`.
        """
        holder = self._services.orders.read(other)
        if holder is None or not self._is_lending(holder):
            raise self._holders.explain(devices, other)
        share = self._share(holder, condition)
        if share.unbegun or (share.running and holder.record.state is State.OPEN):
            raise self._holders.explain(devices, other)
        return holder, share

    def take(self, held: Held, other: str, condition: str, devices: str, patience: Patience) -> tuple[Held, int]:
        """Take those that have ended into the order `held`; how many of the others are in the middle."""
        holder, share = self.examine(other, condition, devices)
        if not share.ended:
            return held, share.running
        self._note(holder)
        for word, those in share.ended.items():
            held = self._move(held, other, those, word, patience)
        return held, self._await_index(holder, condition, patience)

    def _is_lending(self, holder: Held) -> bool:
        """Not an order that can be closed, which gives its devices back. One whose deployment others took away cannot
        before it is stopped.
        """
        if holder.record.state not in (State.OPEN, State.STOPPED):
            return False
        seen = self._counting.count(holder)
        if holder.record.state is State.STOPPED:
            return seen.tally.running > 0
        return seen.is_taken or not is_final(seen.tally, holder.record.size)

    def _share(self, holder: Held, condition: str) -> Share:
        twins, stage = self._services.twins, holder.stage
        seen = counts(stage, twins.rows(queries.standings_of(stage, condition)))
        ended = {str(word): queries.ended(stage, condition, word) for word in ENDS if seen.words.get(word)}
        late = self._late(holder, condition, seen)
        if late:
            ended[TIMED_OUT] = self._counting.late(holder, condition)
        return Share(ended, seen.running - late, seen.unbegun)

    def _late(self, holder: Held, condition: str, seen: Counts) -> int:
        if not seen.running:
            return 0
        return self._services.twins.count(queries.counted(self._counting.late(holder, condition)))

    def _note(self, holder: Held) -> None:
        """The reports of the order as they are now; those of earlier takers are among them."""
        reports = tuple(islice(self._counting.reports(holder), self._services.settings.most_reports))
        if not holder.record.lent or reports != holder.record.reports:
            self._services.orders.change(holder, lent=True, reports=reports)

    def _move(self, held: Held, other: str, those: str, word: str, patience: Patience) -> Held:
        """One job for each group that they came from."""
        for was in tuple(self._origins(those)):
            patch = take_over(held.stage, other, was, word)
            held, job = self._services.jobs.run(held, queries.from_group(those, was), patch, patience)
            if job is None or not job.changed_all(job.devices):
                raise Waiting(f"{job or 'a job was not found'}; devices of stage {other} were to join {held.stage}")
        return held

    def _origins(self, those: str) -> Iterator[str | None]:
        for row in self._services.twins.rows(queries.origins(those)):
            yield None if row.get("was") is None else str(row.get("was"))

    def _await_index(self, holder: Held, condition: str, patience: Patience) -> int:
        """Until queries show that they have moved; how many of those that have not are in the middle."""
        while (share := self._share(holder, condition)).ended:
            if not patience.wait():
                raise Waiting(f"the hub does not show yet that devices left stage {holder.stage}")
        return share.running

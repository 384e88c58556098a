"""How a stage's devices go back to the groups that they came from, and what of the stage is in their twins goes.

A device that the hub could not change keeps its tags, all of them, until it can: what group it came from is known
nowhere else.
"""

from __future__ import annotations

from adapters.azure.fleet import queries
from adapters.azure.fleet.memberships import TwinPatch, forget, give_back, stop_counting
from adapters.azure.fleet.orders import Held
from adapters.azure.fleet.pacing import Patience
from adapters.azure.fleet.refusals import Waiting
from adapters.azure.fleet.services import Services
from adapters.azure.fleet.twins import Job


class GivingBack:
    """Gives devices back. Raises: Waiting, and what Azure's libraries raise."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def all_of(self, held: Held, patience: Patience) -> Held:
        """Every device of the order. Raises: Waiting, some are on their way, or could not be changed."""
        stage, failed = held.stage, list[Job]()
        for was in self.groups(queries.borrowed_from(stage)):
            held = self._run(held, queries.borrowed(stage, was), give_back(was), patience, failed)
        if self._left(stage):
            held = self._run(held, queries.out_of_group(stage), forget(), patience, failed)
        while left := self._left(stage):
            if failed or not patience.wait():
                raise Waiting(f"{left} devices of stage {stage} are on their way back to their groups{_why(failed)}")
        return held

    def stop_counting(self, held: Held, patience: Patience) -> Held:
        """Take away what says how devices ended here that another order has taken. Raises: Waiting."""
        stage = held.stage
        if not held.record.lent or not self._moved(stage):
            return held
        held, job = self._services.jobs.run(held, queries.has_moved_on(stage), stop_counting(stage), patience)
        while left := self._moved(stage):
            if not patience.wait():
                raise Waiting(f"{left} devices that were in stage {stage} carry a tag of it still; {job or 'no job'}")
        return held

    def groups(self, query: str) -> list[str | None]:
        """Where the devices of a query like `queries.borrowed_from` came from."""
        rows = self._services.twins.rows(query)
        return [None if row.get("was") is None else str(row.get("was")) for row in rows]

    def _moved(self, stage: str) -> int:
        return self._services.twins.count(queries.counted(queries.has_moved_on(stage)))

    def _left(self, stage: str) -> int:
        return self._services.twins.count(queries.stage_size(stage))

    def _run(self, held: Held, condition: str, patch: TwinPatch, patience: Patience, failed: list[Job]) -> Held:
        held, job = self._services.jobs.run(held, condition, patch, patience)
        if job is not None and not job.changed_all(job.devices):
            failed.append(job)
        return held


def _why(failed: list[Job]) -> str:
    """What a person can do where jobs fail again and again."""
    if not failed:
        return ""
    return (
        f"; {failed[-1]}. They are tried again; where it stays so, correct their twins in IoT Hub: set the tag "
        "ADUGroup to what the tag otabridge.was says, or remove it, and remove the tag otabridge"
    )

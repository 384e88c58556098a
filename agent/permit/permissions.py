"""Several who may be in the way of an update, as one."""

from __future__ import annotations

from collections.abc import Sequence

from agent.permit.permission import ALLOWED, Allowed, Answer, Facts, Moment, Permission


class Permissions:
    """Asks each in turn; the first that does not allow it has the last word, so that later ones are not bothered."""

    def __init__(self, parts: Sequence[Permission]) -> None:
        self._parts = tuple(parts)

    def ask(self, moment: Moment, facts: Facts) -> Answer:
        """See Permission."""
        answers = (part.ask(moment, facts) for part in self._parts)
        return next((answer for answer in answers if not isinstance(answer, Allowed)), ALLOWED)

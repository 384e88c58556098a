"""Who decides on a simulated device: an owner with answers."""

from __future__ import annotations

from dataclasses import dataclass, field

from agent.permit.permission import ALLOWED, Answer, Facts, Moment


@dataclass
class Owner:
    """agent.permit.permission.Permission: `answers` by moment, the last one for ever; without any, yes."""

    answers: dict[Moment, list[Answer]] = field(default_factory=dict)
    asked: list[Moment] = field(default_factory=list)
    facts: list[Facts] = field(default_factory=list)

    def ask(self, moment: Moment, facts: Facts) -> Answer:
        """See Permission."""
        self.asked.append(moment)
        self.facts.append(facts)
        left = self.answers.get(moment, [ALLOWED])
        return left.pop(0) if len(left) > 1 else left[0]

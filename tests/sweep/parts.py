"""What must be true of the parts beside the slots, of their ways back and of staged files after a power cut."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from agent.update.machine import BEFORE_SWITCH, State
from agent.update.owed import NOTE, Owed, folder_of
from agent.update.record import Record, StepPlan, Update
from tests.agent.stepping import BEFORE, PART_BYTES, PARTS, part
from tests.releases import sha256
from tests.sweep.media import Content, Medium, is_read
from tests.sweep.stepping import STEPS

VERSIONS = ("2.0.0", "3.0.0")
FILES = {part(name, version): (name, version) for name in PART_BYTES for version in VERSIONS}
BY_DIGEST = {sha256(data): data for data in FILES}
IN_EFFECT = frozenset(State) - BEFORE_SWITCH - {State.REPORTING}
"""Steps may be in effect that no verdict stands for."""


def version_of(name: str, data: bytes) -> str:
    """The version of the release that a part is of; "?" where it is damaged."""
    known, version = FILES.get(data, ("", ""))
    return version if known == name else "?"


class StepJudge:
    """Judges what lies beside the slots on a medium; each content is read once."""

    def __init__(self) -> None:
        self._versions: dict[tuple[str, bytes], str] = {}
        self._notes: dict[bytes, Owed | None] = {}

    def violations(self, medium: Medium, record: Record) -> Iterator[str]:
        """All that is wrong with `medium`, whose journal holds `record`."""
        found = {path.name: content for path, content in medium.contents.items() if path.parent == PARTS}
        update, standing = record.update, _standing(record)
        changed = {name for name, each in found.items() if is_read(PARTS / name) and self._of(name, each) != standing}
        for name in sorted(changed - _begun(record)):
            yield f"part {name} is not of {standing}, and the journal does not know of it"
        if update is not None and changed:
            yield from self._of_way_back(medium, update, changed & _begun(record), standing)
            if record.state is not State.COMMITTING and not self._is_owed(medium, update):
                yield "steps are in effect, and no note tells what is owed"
        if update is not None and record.state in BEFORE_SWITCH:
            yield from _of_files(medium, update)

    def _of_way_back(self, medium: Medium, update: Update, changed: set[str], standing: str) -> Iterator[str]:
        for name in sorted(changed):
            kept = medium.contents.get(folder_of(STEPS, update.digest) / name / BEFORE)
            if kept is None or self._of(name, kept) != standing:
                yield f"part {name} is in effect, no verdict stands, and its way back is gone"

    def _is_owed(self, medium: Medium, update: Update) -> bool:
        content = medium.contents.get(folder_of(STEPS, update.digest) / NOTE)
        if content is None:
            return False
        if content.key not in self._notes:
            self._notes[content.key] = _read(content)
        owed = self._notes[content.key]
        return owed is not None and (owed.offer, owed.digest, owed.plan) == (update.offer, update.digest, update.plan)

    def _of(self, name: str, content: Content) -> str:
        key = (name, content.key)
        if key not in self._versions:
            self._versions[key] = version_of(name, content.data())
        return self._versions[key]


def _standing(record: Record) -> str:
    holding = None if record.expected is None else record.holding(record.expected)
    return "" if holding is None else holding.version


def _begun(record: Record) -> set[str]:
    """The steps that the journal knows to be undone, if it comes to that."""
    update = record.update
    if update is None or update.plan is None or record.state not in IN_EFFECT:
        return set()
    return {planned.step.name for planned in update.plan.steps[: update.begun]}


def _of_files(medium: Medium, update: Update) -> Iterator[str]:
    """As many bytes of the files as the journal promises are there."""
    left = update.staged
    for planned in () if update.plan is None else update.plan.steps:
        count = min(left, planned.artifact.length)
        left -= count
        if count and _bytes_of(medium, update, planned)[:count] != BY_DIGEST[planned.artifact.sha256][:count]:
            yield f"the journal promises {count} bytes of the file of step {planned.step.name}, which are others"


def _bytes_of(medium: Medium, update: Update, planned: StepPlan) -> bytes:
    content = medium.contents.get(folder_of(STEPS, update.digest) / f"{planned.step.name}.file")
    return b"" if content is None else content.data()


def _read(content: Content) -> Owed | None:
    try:
        return msgspec.json.decode(content.data(), type=Owed)
    except msgspec.MsgspecError:
        return None

"""The ledger: every plan, act and decision with its evidence, in one chain of hashes over all rollouts.

Each link's digest is sha256 over the digest before it and the entry in canonical JSON. Whoever edits, removes or moves
an entry must rewrite every later one, and whoever noted a later digest elsewhere sees it. What the chain alone cannot
show is that its newest entries were cut off: a head noted elsewhere, or an earlier export, shows that
(`bridge.ledger_file`).

Pure: the rows live in `bridge.store`, in the same transaction as the state that they explain.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum

import msgspec

from bridge.errors import BrokenLedger

GENESIS = "0" * 64
"""The digest before the first entry."""


class Act(StrEnum):
    """What happened."""

    PLANNED = "planned"
    APPROVED = "approved"
    REJECTED = "rejected"
    PUBLISHED = "published"
    STARTED = "started"
    HELD = "held"
    ADVANCED = "advanced"
    PROVEN = "proven"
    PAUSED = "paused"
    RESUMED = "resumed"
    PROMOTED = "promoted"
    RETRIED = "retried"
    STOPPED = "stopped"
    ABORTED = "aborted"
    ROLLING_BACK = "rolling-back"
    ROLLED_BACK = "rolled-back"
    COMPLETED = "completed"
    ADOPTED = "adopted"


class Fact(msgspec.Struct, frozen=True):
    """One piece of evidence: a count or a text under a name."""

    name: str
    value: int | str


class Entry(msgspec.Struct, frozen=True):
    """What happened to which rollout, when (UTC), by whom (a person, or the controller) and why."""

    time: datetime
    rollout: str
    actor: str
    what: Act
    reason: str
    evidence: tuple[Fact, ...] = ()


class Link(msgspec.Struct, frozen=True):
    """An entry in its place: `number` counts from 1, `previous` and `digest` are sha256 in lower-case hex."""

    number: int
    previous: str
    digest: str
    entry: Entry


def chain(previous: Link | None, entry: Entry) -> Link:
    """`entry` as the link after `previous`, or as the first."""
    return follow(0, GENESIS, entry) if previous is None else follow(previous.number, previous.digest, entry)


def follow(number: int, digest: str, entry: Entry) -> Link:
    """`entry` as the link after the one with `number` and `digest`; 0 and GENESIS before the first."""
    return Link(number + 1, digest, digest_of(number + 1, digest, entry), entry)


def digest_of(number: int, previous: str, entry: Entry) -> str:
    """The digest of a link: sha256 of `previous`, `number` and the entry, one a line."""
    document = msgspec.json.encode(entry, order="deterministic")
    return hashlib.sha256(f"{previous}\n{number}\n".encode() + document).hexdigest()


def verify(links: Iterable[Link]) -> str:
    """The head: the digest of the last link, `GENESIS` for none. `links` are the whole chain in order.

    Raises:
        BrokenLedger: a link was edited, left out or moved; says which is the first that does not hold.
    """
    head = GENESIS
    for number, link in enumerate(links, start=1):
        head = require_next(link, number, head)
    return head


def require_next(link: Link, number: int, head: str) -> str:
    """Whether `link` is entry `number` and follows the digest `head`; returns its own. Raises: BrokenLedger."""
    if (link.number, link.previous) != (number, head):
        raise BrokenLedger(f"ledger entry {number} is missing or was moved: entry {link.number} follows", number)
    if link.digest != digest_of(link.number, link.previous, link.entry):
        raise BrokenLedger(f"ledger entry {number} was edited after it was written", number)
    return link.digest

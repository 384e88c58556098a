"""The ledger in the store: a console behind its back leaves traces, and damage stops nobody."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from bridge.errors import BrokenLedger
from bridge.ledger import GENESIS, Act, verify
from bridge.store import chain
from bridge.store.store import Store
from bridge.store.tables import HEAD, LEDGER
from tests.bridge.store.records import edit, new_entry, new_record

NUMBER = LEDGER.c.number


def three_entries(store: Store) -> Store:
    """A rollout that was planned, held and aborted."""
    store.create(new_record(), new_entry())
    store.save(store.load("gates"), [new_entry(Act.HELD), new_entry(Act.ABORTED)])
    return store


def moved(old: int, new: int) -> sa.Update:
    """Another number for an entry."""
    return LEDGER.update().where(LEDGER.c.number == old).values(number=new)


def copied() -> sa.Update:
    """The text of entry 3 in place of that of entry 2."""
    other = LEDGER.alias()
    third = sa.select(other.c.entry).where(other.c.number == 3).scalar_subquery()
    return LEDGER.update().where(NUMBER == 2).values(entry=third)


TAMPERED = {
    "an entry in the middle is deleted": ([LEDGER.delete().where(NUMBER == 2)], "entry 2 is missing"),
    "and the later ones move up": (
        [LEDGER.delete().where(NUMBER == 2), moved(3, 2)],
        "entry 2 is missing or was moved",
    ),
    "two entries change places": ([moved(2, 9), moved(3, 2), moved(9, 3)], "entry 2 is missing or was moved"),
    "an entry moves before the first": ([moved(3, -1)], "entry 1 is missing or was moved"),
    "two texts change places": ([copied()], "entry 2 was edited"),
    "a digest is changed": ([LEDGER.update().where(NUMBER == 1).values(digest="ab")], "entry 1 was edited"),
    "the text is rubbish": (
        [LEDGER.update().where(NUMBER == 2).values(entry=b"rubbish")],
        "entry 2 was edited .* JSON",
    ),
}


@pytest.mark.parametrize("case", TAMPERED)
def test_tampering_is_found(store, case):
    """By SQL behind the store's back; the first entry that does not hold is named."""
    statements, message = TAMPERED[case]
    three_entries(store)
    edit(store, *statements)

    with pytest.raises(BrokenLedger, match=message):
        verify(store.links())


def test_what_was_cut_off_is_missed(store):
    """The chain alone would hold; the head knows how long it was, and the next entry shows the gap for ever."""
    three_entries(store)
    count, digest = store.ledger_head()
    edit(store, LEDGER.delete().where(NUMBER > 1))

    assert verify(store.links()) != digest
    assert len(store.ledger()) < count

    store.append(new_entry())
    with pytest.raises(BrokenLedger, match="entry 2 is missing or was moved: entry 4 follows"):
        verify(store.links())


@pytest.mark.parametrize("damage", [HEAD.delete(), HEAD.update().values(entries=1, head="ab" * 32)])
def test_a_damaged_head_stops_nobody(store, damage):
    """A rollout must be abortable whatever somebody did to the ledger; no entry is written over."""
    three_entries(store)
    edit(store, damage)

    store.save(store.load("gates"), [new_entry(Act.ABORTED)])

    assert (4, verify(store.links())) == store.ledger_head()


def test_an_entry_that_cannot_be_read_stops_nobody(store):
    """The same for rubbish in the last entry."""
    store.create(new_record(), new_entry())
    edit(store, LEDGER.update().values(entry=b"rubbish"))

    store.save(store.load("gates"), [new_entry(Act.ABORTED)])

    with pytest.raises(BrokenLedger, match="ledger entry 1 was edited after it was written: JSON is malformed"):
        store.ledger()


def test_an_empty_ledger_has_the_head_of_none(store):
    """As `verify` says of no links."""
    assert store.ledger_head() == (0, GENESIS)
    assert store.ledger() == ()


def test_a_long_ledger_is_read_in_pages(store, monkeypatch):
    """Its memory does not grow with the ledger, and entries that come meanwhile are at the end."""
    monkeypatch.setattr(chain, "PAGE", 2)
    store.create(new_record(), new_entry())
    store.save(store.load("gates"), [new_entry(Act.HELD)] * 4)

    links = store.links()
    first = next(links)
    store.append(new_entry(Act.ABORTED))

    assert [first.number, *(link.number for link in links)] == [1, 2, 3, 4, 5, 6]

"""The ledger: whatever is done to a written chain is noticed, and where."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import BrokenLedger
from bridge.ledger import GENESIS, Act, Entry, Fact, Link, chain, digest_of, verify

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def new_chain(count: int = 5) -> list[Link]:
    """Links of `count` entries of two rollouts."""
    links: list[Link] = []
    for number in range(count):
        fact = Fact("installed", number)
        entry = Entry(NOON + timedelta(hours=number), f"rollout-{number % 2}", "ada@desk", Act.HELD, "why", (fact,))
        links.append(chain(links[-1] if links else None, entry))
    return links


def test_a_written_chain_holds():
    """Its head is the last digest; an empty one has the digest of nothing."""
    links = new_chain()

    assert verify(links) == links[-1].digest
    assert verify([]) == GENESIS


def test_words_in_old_ledgers_are_never_renamed():
    """Entries are read by these words for ever."""
    assert {act.value for act in Act} == {
        "planned", "approved", "rejected", "published", "started", "held", "advanced", "proven", "paused", "resumed",
        "promoted", "retried", "stopped", "aborted", "rolling-back", "rolled-back", "completed", "adopted",
    }  # fmt: skip


EDITS = [
    {"time": NOON - timedelta(days=1)},
    {"rollout": "another"},
    {"actor": "mallory"},
    {"what": Act.COMPLETED},
    {"reason": "all was well"},
    {"evidence": ()},
    {"evidence": (Fact("installed", 7),)},
]


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: next(iter(edit)))
def test_an_edited_entry_is_named(edit):
    """Every field is under the digest."""
    links = new_chain()
    links[2] = msgspec.structs.replace(links[2], entry=msgspec.structs.replace(links[2].entry, **edit))

    with pytest.raises(BrokenLedger, match="ledger entry 3 was edited after it was written") as refusal:
        verify(links)

    assert refusal.value.number == 3
    assert refusal.value.exit_code == 24


def test_an_edit_with_its_digest_made_right_breaks_the_next_link():
    """Who rewrites one entry must rewrite all later ones."""
    links = new_chain()
    entry = msgspec.structs.replace(links[1].entry, reason="all was well")
    links[1] = Link(2, links[1].previous, digest_of(2, links[1].previous, entry), entry)

    with pytest.raises(BrokenLedger, match="ledger entry 3 is missing or was moved"):
        verify(links)


@pytest.mark.parametrize("missing", [0, 2, 3])
def test_an_entry_left_out_is_noticed(missing):
    """At the start or in the middle."""
    links = new_chain()
    del links[missing]

    with pytest.raises(BrokenLedger, match=f"ledger entry {missing + 1} is missing or was moved"):
        verify(links)


@given(st.permutations(range(6)))
def test_any_reordering_is_noticed(order):
    """Only the order in which it was written holds."""
    links = new_chain(6)
    if list(order) == sorted(order):
        assert verify(links) == links[-1].digest
        return

    with pytest.raises(BrokenLedger):
        verify([links[index] for index in order])


def test_entries_cut_off_at_the_end_change_the_head():
    """The chain alone still holds; the head that somebody noted does not match."""
    links = new_chain()

    assert verify(links[:-1]) != verify(links)

"""The exported ledger: whole and unchanged, or the first entry that does not hold is named."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from io import BytesIO

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import BrokenLedger, UsageError
from bridge.keys import KeyType, create_key
from bridge.ledger import GENESIS, Act, Entry, Fact, chain, digest_of
from bridge.ledger_file import Closing, Sealer, Verified, read_export, verify_export, write_export
from bridge.signing import find_key

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def never(what):
    """Nobody may be asked."""
    pytest.fail(f"asked for {what}")


def new_chain(count=5):
    """Links of `count` entries."""
    links = []
    for number in range(count):
        entry = Entry(
            NOON + timedelta(hours=number), "spring", "ada@desk", Act.HELD, "why", (Fact("installed", number),)
        )
        links.append(chain(links[-1] if links else None, entry))
    return links


def export(links, sealer=None):
    """The lines of an export."""
    out = BytesIO()
    write_export(links, out, sealer)
    return out.getvalue().splitlines(keepends=True)


@pytest.fixture
def check(tmp_path):
    """Writes lines to a file and verifies it."""

    def write_and_check(lines, **against):
        path = tmp_path / "ledger.ndjson"
        path.write_bytes(b"".join(lines))
        return verify_export(path, **against)

    return write_and_check


@pytest.fixture(scope="module")
def sealers(tmp_path_factory):
    """Two owners of keys, one of each kind."""
    folder = tmp_path_factory.mktemp("keys")
    kinds = {"alice": KeyType.ED25519, "bob": KeyType.ECDSA_P256}
    return {
        name: Sealer(find_key(str(create_key(name, kind, folder, None).private)), never) for name, kind in kinds.items()
    }


def test_an_export_holds(check):
    """A header, an entry a line, a closing line; its head is the ledger's."""
    links = new_chain()
    lines = export(links)

    assert lines[0] == b'{"what":"otabridge ledger","schema":1}\n'
    assert len(lines) == 7
    assert check(lines) == Verified(5, links[-1].digest)
    assert check(export([])) == Verified(0, GENESIS)


def test_an_export_is_read_line_by_line():
    """The links as they were, then the closing line."""
    links = new_chain()

    *read, last = read_export(BytesIO(b"".join(export(links))))

    assert read == links
    assert last == Closing(5, links[-1].digest)


def test_a_broken_ledger_is_not_exported_as_whole():
    """The file has no closing line, so nobody takes it for one."""
    links, out = new_chain(), BytesIO()
    del links[2]
    with pytest.raises(BrokenLedger, match="ledger entry 3 is missing or was moved: entry 4 follows"):
        write_export(links, out)

    with pytest.raises(BrokenLedger, match="the closing line is missing: the export was cut off after entry 2"):
        list(read_export(BytesIO(out.getvalue())))


@pytest.mark.parametrize("signer", [None, "alice", "bob"])
def test_every_altered_byte_is_noticed(tmp_path, sealers, signer):
    """Of every line, the header, the closing line and its signature included."""
    content = b"".join(export(new_chain(1), sealers.get(signer)))
    key = sealers[signer].key.public if signer else None
    path = tmp_path / "ledger.ndjson"

    for place in range(len(content)):
        for bit in (0x01, 0x20):
            path.write_bytes(content[:place] + bytes([content[place] ^ bit]) + content[place + 1 :])
            with pytest.raises((BrokenLedger, UsageError), match=r"ledger\.ndjson"):
                verify_export(path, key=key)


@pytest.mark.parametrize("place", range(7))
def test_a_line_left_out_is_noticed(check, place):
    """Header, any entry, closing line."""
    lines = export(new_chain())
    del lines[place]

    with pytest.raises((BrokenLedger, UsageError)) as refusal:
        check(lines)
    says = {0: "this is no export of a ledger", 6: "the closing line is missing: the export was cut off after entry 5"}
    last = "the closing line counts 5 entries, there are 4"
    expected = says.get(place, last if place == 5 else f"ledger entry {place} is missing or was moved")
    assert expected in str(refusal.value)


@pytest.mark.parametrize("place", range(7))
def test_a_line_doubled_is_noticed(check, place):
    """Wherever it is."""
    lines = export(new_chain())
    lines.insert(place, lines[place])

    with pytest.raises((BrokenLedger, UsageError)):
        check(lines)


@given(st.permutations(range(7)))
def test_lines_in_another_order_are_noticed(tmp_path_factory, order):
    """Only the order in which they were written holds."""
    lines = export(new_chain())
    path = tmp_path_factory.getbasetemp() / "moved.ndjson"
    path.write_bytes(b"".join(lines[place] for place in order))
    if list(order) == sorted(order):
        assert verify_export(path).entries == 5
        return

    with pytest.raises((BrokenLedger, UsageError)):
        verify_export(path)


def test_every_cut_is_noticed(tmp_path):
    """At the end of a line or within one, at any byte."""
    content = b"".join(export(new_chain(2)))
    path = tmp_path / "ledger.ndjson"

    for size in range(len(content)):
        path.write_bytes(content[:size])
        with pytest.raises((BrokenLedger, UsageError)):
            verify_export(path)


def test_a_torn_last_line_is_told_as_such(check):
    """A copy that was interrupted."""
    lines = export(new_chain())
    with pytest.raises(BrokenLedger, match="line 7, the last, is torn: the file was cut off or not fully copied"):
        check([*lines[:-1], lines[-1][:-5]])


def test_an_edited_entry_is_named_with_the_file_and_what_to_do(check, tmp_path):
    """Also for programs: the number and the exit code."""
    lines = export(new_chain())
    lines[3] = lines[3].replace(b"ada@desk", b"eve@desk")

    with pytest.raises(BrokenLedger) as refusal:
        check(lines)

    assert str(refusal.value) == (
        f"{tmp_path}/ledger.ndjson: ledger entry 3 was edited after it was written; "
        "compare with the store or an older export"
    )
    assert (refusal.value.number, refusal.value.exit_code) == (3, 24)


def forged(links, count):
    """An export whose writer cut it to `count` entries, changed the last and made every digest right."""
    kept = links[:count]
    last = kept[-1]
    entry = msgspec.structs.replace(last.entry, reason="all was well")
    digest = digest_of(last.number, last.previous, entry)
    return export([*kept[:-1], msgspec.structs.replace(last, entry=entry, digest=digest)])


def test_a_forged_export_holds_by_itself(check):
    """Why a head, an earlier export or a signature is needed."""
    assert check(forged(new_chain(), 4)).entries == 4


def test_a_forged_export_lacks_a_noted_head(check):
    """Cut off or rewritten; a head of any moment before is found in a true one."""
    links = new_chain()

    assert check(export(links), head=links[1].digest).entries == 5
    assert check(export(links), head=GENESIS).entries == 5
    with pytest.raises(BrokenLedger, match=f"none of its 4 entries has the noted head {links[3].digest}: entries were"):
        check(forged(links, 4), head=links[3].digest)
    with pytest.raises(BrokenLedger, match="entries were cut off or rewritten"):
        check(export(links[:3]), head=links[4].digest)


def test_a_forged_export_does_not_continue_an_earlier_one(check, tmp_path):
    """The first entry that differs is named; a true later export says how many entries are new."""
    links, earlier = new_chain(), tmp_path / "march.ndjson"
    earlier.write_bytes(b"".join(export(links[:3])))

    assert check(export(links), earlier=earlier) == Verified(5, links[-1].digest, since=2)
    assert check(export(links[:3]), earlier=earlier).since == 0
    with pytest.raises(BrokenLedger, match=r"entry 3 of the earlier export .*march\.ndjson is another one here"):
        check(forged(links, 3), earlier=earlier)
    with pytest.raises(BrokenLedger, match=r"entry 3 of the earlier export .*march\.ndjson is missing here") as cut:
        check(export(links[:2]), earlier=earlier)
    assert cut.value.number == 3


def test_an_earlier_export_must_hold_itself(check, tmp_path):
    """Otherwise it proves nothing; it is named."""
    earlier = tmp_path / "march.ndjson"
    earlier.write_bytes(b"".join(export(new_chain())[:-1]))

    with pytest.raises(BrokenLedger, match=r"march\.ndjson: the closing line is missing"):
        check(export(new_chain(6)), earlier=earlier)


@pytest.mark.parametrize("signer", ["alice", "bob"])
def test_a_signed_export_is_its_signers(check, sealers, signer):
    """Who rewrites the closing line cannot sign it; nor can another key stand in."""
    links, sealer = new_chain(), sealers[signer]
    other = sealers["bob" if signer == "alice" else "alice"]
    lines, key = export(links, sealer), sealer.key.public

    assert check(lines, key=key) == Verified(5, links[-1].digest, signer)
    assert check(lines).signer is None
    with pytest.raises(BrokenLedger, match=f"the closing line is signed by nobody, not by {signer}"):
        check(forged(links, 4), key=key)
    with pytest.raises(BrokenLedger, match=f"the closing line is signed by another key, .*, not by {signer}"):
        check(export(links[:4], other), key=key)


def test_a_signature_does_not_move_to_another_ledger(check, sealers):
    """It covers the count and the head."""
    *lines, last = forged(new_chain(), 4)
    signed = msgspec.json.decode(export(new_chain(), sealers["alice"])[-1], type=Closing).signed
    closing = msgspec.structs.replace(msgspec.json.decode(last, type=Closing), signed=signed)

    with pytest.raises(BrokenLedger, match="the signature of alice does not match the closing line: it was rewritten"):
        check([*lines, msgspec.json.encode(closing) + b"\n"], key=sealers["alice"].key.public)


NO_EXPORT = [
    (b"", "this is no export of a ledger: otabridge ledger export writes one"),
    (b"hello\n", "this is no export of a ledger"),
    (b"{}\n", "this is no export of a ledger, or its first line was edited"),
    (
        b'{"what":"otabridge ledger","schema":2}\n',
        r"written by a newer otabridge \(schema 2, this one reads 1\): update",
    ),
    (b"[" * 100_000 + b"\n", "this is no export of a ledger"),
    (b"x" * 1_100_000, "line 1 has more than 1048576 bytes"),
]


@pytest.mark.parametrize(("content", "says"), NO_EXPORT, ids=range(len(NO_EXPORT)))
def test_what_is_no_export_is_told(check, content, says):
    """In a sentence, with bounded memory."""
    with pytest.raises((UsageError, BrokenLedger), match=says):
        check([content])


def test_a_missing_export_is_told_by_name(tmp_path):
    """As every other file."""
    with pytest.raises(UsageError, match=r"ledger export .*gone\.ndjson cannot be read: No such file"):
        verify_export(tmp_path / "gone.ndjson")


def test_only_one_line_is_in_memory():
    """An export of any length is read and written as it goes."""
    out = BytesIO()
    taken = []

    def watched():
        for link in new_chain(50):
            taken.append(out.tell())
            yield link

    write_export(watched(), out)

    assert taken == sorted(set(taken))
    records = read_export(BytesIO(out.getvalue()))
    assert next(records).number == 1

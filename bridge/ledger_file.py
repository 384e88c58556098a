"""The ledger as a file that is kept elsewhere and verified without the store.

One line of canonical JSON each: a header, every link in order, and a closing line that counts them and names the head.
The closing line may be signed, since whoever can rewrite the file can rewrite an unsigned one. What a file alone cannot
show is that later entries never reached it: hold it against a head noted elsewhere or against an earlier export.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import BinaryIO, TypeVar

import msgspec

from bridge.detached import is_signed, sign_bytes
from bridge.errors import BrokenLedger, UsageError
from bridge.keys import OwnedKey
from bridge.ledger import GENESIS, Link, require_next
from bridge.signing import Secrets, SigningKey

SCHEMA = 1
MAX_LINE = 1024 * 1024
"""Bytes of one line at most; an entry with its evidence has some hundreds."""
WHAT = "otabridge ledger"
_LINK = b'{"number":'

T = TypeVar("T")


class Header(msgspec.Struct, frozen=True):
    """The first line."""

    what: str = WHAT
    schema: int = SCHEMA


class Signed(msgspec.Struct, frozen=True):
    """The signature under the closing line, and whose key it claims to be of."""

    keyid: str
    signature: bytes


class Closing(msgspec.Struct, frozen=True):
    """The last line: how many entries there are, the digest of the last, and the signature where it was asked for."""

    count: int
    head: str
    signed: Signed | None = None


@dataclass(frozen=True, slots=True)
class Sealer:
    """The key that signs the closing line, and who answers for its passphrase."""

    key: SigningKey
    secrets: Secrets


@dataclass(frozen=True, slots=True)
class Verified:
    """What holds. `signer` is the name of the key under the closing line, None where no key was given to compare.

    `since` counts the entries that the earlier export did not have; None without one.
    """

    entries: int
    head: str
    signer: str | None = None
    since: int | None = None


def write_export(links: Iterable[Link], out: BinaryIO, sealer: Sealer | None = None) -> Closing:
    """Write the whole ledger to `out`, verified link by link on the way; returns the closing line.

    Raises:
        BrokenLedger: a link does not hold; what was written until then has no closing line.
        UsageError: the key of `sealer` cannot be used.
        SigningFailed: the KMS or HSM failed.
    """
    out.write(_line(Header()))
    count, head = 0, GENESIS
    for link in links:
        count, head = count + 1, require_next(link, count + 1, head)
        out.write(_line(link))
    last = Closing(count, head, _sealed(count, head, sealer) if sealer else None)
    out.write(_line(last))
    return last


def read_export(file: BinaryIO) -> Iterator[Link | Closing]:
    """The links in `file` as they stand there, unverified, and the closing line after them; one line in memory.

    Raises:
        BrokenLedger: a line is not what `write_export` writes, or the closing line is missing.
        UsageError: the file is no export of a ledger, or of a later otabridge.
    """
    lines = _lines(file)
    _require_header(next(lines, b""))
    held, number = next(lines, b""), 0
    for line in lines:
        number += 1
        yield _read(held, Link, number, f"ledger entry {number} was edited after it was written")
        held = line
    if not held or held.startswith(_LINK):
        number += bool(held)
        raise BrokenLedger(f"the closing line is missing: the export was cut off after entry {number}", number + 1)
    yield _read(held, Closing, number + 1, "the closing line was edited after it was written")


def verify_export(
    path: Path, head: str | None = None, earlier: Path | None = None, key: OwnedKey | None = None
) -> Verified:
    """Whether the export at `path` is whole and unchanged.

    `head` is a digest noted elsewhere, of this or of an earlier moment; `earlier` an export made before; `key` the one
    that must have signed the closing line.

    Raises:
        BrokenLedger: an entry was edited, left out, moved or doubled, the end was cut off, or the file does not go with
            `head`, `earlier` or `key`; says which entry is the first that does not hold, and what to do.
        UsageError: a file cannot be read, or is no export.
    """
    last = _last(path, head)
    signer = _require_signed(path, last, key) if key else None
    since = last.count - _require_prefix(path, earlier) if earlier else None
    return Verified(last.count, last.head, signer, since)


def _last(path: Path, head: str | None) -> Closing:
    """The closing line of a chain that holds and has the digest `head` in it."""
    found = head in {None, GENESIS}
    last = Closing(0, GENESIS)
    for each in _digests(path):
        if isinstance(each, Closing):
            last = each
        found = found or each == head
    if not found:
        raise BrokenLedger(
            f"{path}: none of its {last.count} entries has the noted head {head}: entries were cut off or rewritten "
            "after it was noted, or it is of another ledger; compare with an older export",
            last.count + 1,
        )
    return last


def _require_prefix(path: Path, earlier: Path) -> int:
    """How many entries `earlier` has; all of them must be the first ones of `path`."""
    with closing(_digests(path)) as ours, closing(_digests(earlier)) as theirs:
        for number, (here, there) in enumerate(zip_longest(ours, theirs), start=1):
            if isinstance(there, Closing):
                return there.count
            if here != there:
                found = "is missing" if isinstance(here, Closing) else "is another one"
                raise BrokenLedger(
                    f"{path}: ledger entry {number} of the earlier export {earlier} {found} here: the ledger was "
                    "rewritten or cut off since; keep both files and find out who could",
                    number,
                )
    raise AssertionError("a verified export ends with its closing line")


def _require_signed(path: Path, last: Closing, key: OwnedKey) -> str:
    signed = last.signed
    if signed is None or signed.keyid != key.key.keyid:
        found = f"by another key, {signed.keyid[:12]!r}" if signed else "by nobody"
        raise BrokenLedger(f"{path}: the closing line is signed {found}, not by {key.name}", last.count + 1)
    if not is_signed(_payload(last.count, last.head, signed.keyid), signed.signature, key.key):
        raise BrokenLedger(
            f"{path}: the signature of {key.name} does not match the closing line: it was rewritten; "
            "compare with an older export",
            last.count + 1,
        )
    return key.name


def _digests(path: Path) -> Generator[str | Closing]:
    """The digest of every entry once it is verified, and the closing line that agrees with them."""
    number, head = 0, GENESIS
    try:
        with path.open("rb") as file:
            for record in read_export(file):
                if isinstance(record, Closing):
                    yield _agreeing(record, number, head)
                else:
                    number, head = number + 1, require_next(record, number + 1, head)
                    yield head
    except BrokenLedger as error:
        raise BrokenLedger(f"{path}: {error}; compare with the store or an older export", error.number) from error
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from error
    except OSError as error:
        raise UsageError(f"ledger export {path} cannot be read: {error.strerror}") from error


def _agreeing(last: Closing, number: int, head: str) -> Closing:
    if last.count != number:
        raise BrokenLedger(f"the closing line counts {last.count} entries, there are {number}", number + 1)
    if last.head != head:
        raise BrokenLedger(f"the closing line names another head than that of entry {number}", number + 1)
    return last


def _sealed(count: int, head: str, sealer: Sealer) -> Signed:
    keyid = sealer.key.public.key.keyid
    return Signed(keyid, sign_bytes(_payload(count, head, keyid), sealer.key, sealer.secrets))


def _payload(count: int, head: str, keyid: str) -> bytes:
    return msgspec.json.encode(
        {"_type": "otabridge-ledger", "schema": SCHEMA, "count": count, "head": head, "keyid": keyid}, order="sorted"
    )


def _line(record: Header | Link | Closing) -> bytes:
    return msgspec.json.encode(record, order="deterministic") + b"\n"


def _lines(file: BinaryIO) -> Iterator[bytes]:
    number = 0
    while line := file.readline(MAX_LINE + 1):
        number += 1
        if len(line) > MAX_LINE:
            raise BrokenLedger(f"line {number} has more than {MAX_LINE} bytes", max(1, number - 1))
        if not line.endswith(b"\n"):
            raise BrokenLedger(f"line {number}, the last, is torn: the file was cut off or not fully copied", number)
        yield line


def _require_header(line: bytes) -> None:
    try:
        header = msgspec.json.decode(line, type=Header)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise UsageError("this is no export of a ledger: otabridge ledger export writes one") from error
    if header.what == WHAT and header.schema > SCHEMA:
        raise UsageError(f"written by a newer otabridge (schema {header.schema}, this one reads {SCHEMA}): update it")
    if _line(header) != line or header != Header():
        raise UsageError("this is no export of a ledger, or its first line was edited")


def _read(line: bytes, kind: type[T], number: int, refusal: str) -> T:
    """`line` as it was written, byte for byte."""
    try:
        record = msgspec.json.decode(line, type=kind)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise BrokenLedger(f"{refusal}: {error}", number) from error
    if msgspec.json.encode(record, order="deterministic") + b"\n" != line:
        raise BrokenLedger(refusal, number)
    return record

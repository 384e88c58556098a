"""Advice to those who build images: what makes deltas larger than they need be, where, and what to do about it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from bridge.delta.contents.candidates import Candidate, Image, What
from bridge.delta.contents.foreign import measure, xz, zstd
from bridge.delta.contents.scanning import Magic, Places

WORTH_SAYING = 16 << 10
"""Bytes as stored."""
STEP = 1 << 20
"""Partitions begin at multiples of it."""
EXT4_AT, EXT4_BYTES = 1024, 252
"""The superblock (https://docs.kernel.org/filesystems/ext4/super.html), as far as it matters."""
EXT4_MAGIC = slice(56, 58), b"\x53\xef"
EXT4_IDENTITY = slice(104, 120), slice(236, 252)
"""UUID, and the seed that orders directories."""
_INEXACT = {
    What.GZIP: "GNU gzip, pigz and others do not pack as zlib does: store these files unpacked, or pack them with "
    "Python's gzip",
    What.ZLIB: "zlib does not pack them so: let the program that writes them store them unpacked",
    What.SQUASHFS: "build the squashfs by a mksquashfs with the usual zlib or LZ4, at its usual options",
    What.LZ4: "pack the kernel by `lz4 -l -9`",
}
_FOREIGN = (
    (Magic.XZ, xz, "xz streams"),
    (Magic.ZSTD, zstd, "zstd frames"),
)


def inexact(failed: Iterable[Candidate], most: int) -> Iterator[str]:
    """Of streams that unpack, but do not pack again bit by bit, or unpack to more than `most` bytes."""
    kinds: defaultdict[tuple[What, bool], list[Candidate]] = defaultdict(list)
    for candidate in failed:
        kinds[candidate.what, candidate.most > most].append(candidate)
    for (what, is_large), rows in kinds.items():
        length = sum(candidate.length for candidate in rows)
        if length < WORTH_SAYING:
            continue
        where = _where(len(rows), what, length, rows[0].offset)
        if is_large:
            yield f"{where} unpack to more than {most} bytes each, more than devices hold: store them unpacked"
        else:
            yield f"{where} cannot be packed again bit by bit; {_INEXACT[what]}, and deltas become smaller"


def foreign(image: Image, places: Places) -> Iterator[str]:
    """Of streams in formats whose packing nobody can repeat."""
    for magic, unpacker, name in _FOREIGN:
        found = measure(image, places[magic], unpacker)
        if found and found.length >= WORTH_SAYING:
            yield (
                f"{_where(found.count, name, found.length, found.first)} cannot be packed again bit by bit, so that "
                "they travel nearly whole whenever they change; store such files (kernel modules, firmware) unpacked "
                "and let the file system pack them (`mksquashfs -comp gzip`), and pack kernels with LZ4"
            )
    if places[Magic.LUKS]:
        yield (
            f"an encrypted volume begins at byte {places[Magic.LUKS][0]}: no two of its versions have bytes in common; "
            "ship the plain file system and encrypt on the device"
        )


def identity(old: Image, new: Image) -> Iterator[str]:
    """Of ext4 file systems that were made anew with random parts."""
    for offset in range(0, min(old.length, new.length), STEP):
        before, after = (image.pread(offset + EXT4_AT, EXT4_BYTES) for image in (old, new))
        at, magic = EXT4_MAGIC
        if before[at] == after[at] == magic and any(before[part] != after[part] for part in EXT4_IDENTITY):
            yield (
                f"the ext4 at byte {offset} has another UUID or hash seed than in the old image, which moves every "
                "directory entry; build it with a fixed `mke2fs -U` and `-E hash_seed=`, and with SOURCE_DATE_EPOCH or "
                "E2FSPROGS_FAKE_TIME set"
            )
            return


def _where(count: int, name: str, length: int, first: int) -> str:
    return f"{count} {name} of {length} bytes, the first at byte {first},"

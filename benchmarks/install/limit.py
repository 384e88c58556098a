"""The limit: copy the image into the slot, make it durable, hash what is in the slot. It unpacks and judges nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.install.contestant import Checks, Facts, Session, Spent
from benchmarks.install.payload import Payload
from benchmarks.install.programs import run, version_of

NAME = "dd + sha256sum"
CHECKS = Checks(after="a hash from the page cache, compared with nothing")


class Limit:
    """`dd conv=fsync`, then `sha256sum`."""

    def __init__(self, payload: Payload, folder: Path) -> None:
        self.artifact = payload.new
        self.sources = (payload.new,)
        self.slot = folder / "slot.img"
        self.facts = Facts(NAME, version_of("coreutils"), "a file", "none", CHECKS, is_peer=False)

    @contextmanager
    def session(self) -> Iterator[Session]:
        """See Contestant."""
        yield Session(self._install)

    def _install(self) -> Spent:
        run(["dd", f"if={self.artifact}", f"of={self.slot}", "bs=1M", "conv=fsync,notrunc", "status=none"])
        run(["sha256sum", self.slot])
        return Spent()

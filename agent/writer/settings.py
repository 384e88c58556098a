"""The `[writer]` table of the configuration: that another process writes the slots, and where it is."""

from __future__ import annotations

from pathlib import Path

import msgspec

from bridge.release.manifest import Text


class WriterSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`socket` is where it listens, `directory` where it keeps its own journal, which no image formats and nobody else
    may use; `user` is who runs the agent, and who alone may ask it for anything, besides root."""

    socket: Path = Path("/run/otabridge-writer.sock")
    directory: Path = Path("/var/lib/otabridge-writer")
    user: Text = "otabridge"

"""The full artifact of an image, as `otabridge release build` makes it: `make NEW PATCH`."""

from __future__ import annotations

import sys
from pathlib import Path

from bridge.images import build_artifact, unwatched


def make(new: str, patch: str) -> None:
    build_artifact(Path(new), Path(patch), unwatched)


if __name__ == "__main__":
    {"make": make}[sys.argv[1]](*sys.argv[2:])

"""Content-defined chunks by casync: `make OLD NEW PATCH AVERAGE` or `apply OLD PATCH NEW AVERAGE`.

A patch is a folder of what a device fetches: the index of the new image, and the chunks that the old one does not hold.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

INDEX = "new.caibx"


def make(old: str, new: str, patch: str, average: str) -> None:
    Path(patch, "store").mkdir(parents=True)
    with tempfile.TemporaryDirectory(dir=Path(patch).parent) as folder:
        casync("make", f"--store={folder}/store", f"--chunk-size={average}", f"{folder}/old.caibx", old)
        casync("make", f"--store={patch}/store", f"--chunk-size={average}", f"{patch}/{INDEX}", new)
        for chunk in Path(folder, "store").rglob("*.cacnk"):
            Path(patch, "store", chunk.parent.name, chunk.name).unlink(missing_ok=True)


def apply(old: str, patch: str, new: str, average: str) -> None:
    casync("extract", f"--store={patch}/store", f"--seed={old}", f"--chunk-size={average}", f"{patch}/{INDEX}", new)


def casync(act: str, *arguments: str) -> None:
    subprocess.run(["casync", act, *arguments], check=True)


if __name__ == "__main__":
    act, *rest = sys.argv[1:]
    if act == "make":
        make(*rest)
    else:
        apply(*rest)

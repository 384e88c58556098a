"""rdiff with blocks of 1 KiB, its delta through zstd -19: `make OLD NEW PATCH` or `apply OLD PATCH NEW`."""

from __future__ import annotations

import subprocess
import sys


def make(old: str, new: str, patch: str) -> None:
    run("rdiff", "-f", "-b", "1024", "signature", old, f"{patch}.signature")
    run("rdiff", "-f", "delta", f"{patch}.signature", new, f"{patch}.delta")
    run("zstd", "-q", "-f", "-19", "-T1", f"{patch}.delta", "-o", patch)


def apply(old: str, patch: str, new: str) -> None:
    run("zstd", "-q", "-d", "-f", patch, "-o", f"{patch}.delta")
    run("rdiff", "-f", "patch", old, f"{patch}.delta", new)


def run(*command: str) -> None:
    subprocess.run(command, check=True)


if __name__ == "__main__":
    act, *rest = sys.argv[1:]
    if act == "make":
        make(*rest)
    else:
        apply(*rest)

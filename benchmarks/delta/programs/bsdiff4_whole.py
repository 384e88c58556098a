"""bsdiff4 over whole files: `make OLD NEW PATCH` or `apply OLD PATCH NEW`."""

from __future__ import annotations

import sys

import bsdiff4


def main(act: str, first: str, second: str, third: str) -> None:
    if act == "make":
        bsdiff4.file_diff(first, second, third)
    else:
        bsdiff4.file_patch(first, third, second)


if __name__ == "__main__":
    main(*sys.argv[1:])

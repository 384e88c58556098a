"""detools: `make OLD NEW PATCH TYPE ALGORITHM CODEC` or `apply OLD PATCH NEW TYPE`."""

from __future__ import annotations

import sys

import detools  # type: ignore[import-untyped]


def make(old: str, new: str, patch: str, *settings: str) -> None:
    kind, algorithm, codec = settings
    detools.create_patch_filenames(old, new, patch, compression=codec, patch_type=kind, algorithm=algorithm)


def apply(old: str, patch: str, new: str, kind: str) -> None:
    act = detools.apply_patch_bsdiff_filenames if kind == "bsdiff" else detools.apply_patch_filenames
    act(old, patch, new)


if __name__ == "__main__":
    act, *rest = sys.argv[1:]
    if act == "make":
        make(*rest)
    else:
        apply(*rest)

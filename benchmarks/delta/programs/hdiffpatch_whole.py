"""HDiffPatch over whole files: `make OLD NEW PATCH CODEC` or `apply OLD PATCH NEW`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from hdiffpatch import BaseConfig, BZip2Config, Lzma2Config, ZStdConfig, apply, diff

CODECS: dict[str, Callable[[], BaseConfig]] = {
    "lzma2": lambda: Lzma2Config(level=9),
    "zstd": lambda: ZStdConfig(level=19),
    "bzip2": lambda: BZip2Config(level=9),
}


def make_patch(old: str, new: str, patch: str, codec: str) -> None:
    made = diff(Path(old).read_bytes(), Path(new).read_bytes(), CODECS[codec](), validate=False)
    Path(patch).write_bytes(made)


def apply_patch(old: str, patch: str, new: str) -> None:
    Path(new).write_bytes(apply(Path(old).read_bytes(), Path(patch).read_bytes()))


if __name__ == "__main__":
    act, *files = sys.argv[1:]
    if act == "make":
        make_patch(*files)
    else:
        apply_patch(*files)

"""How hard the maker tries."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from bridge.delta.coding import Bz2, Coding, Lzma, Zstd
from bridge.delta.windows import Plan

MEBIBYTE = 1 << 20


class Effort(StrEnum):
    """`fast` costs several times less than `default`, which gives what is worth its time; `max` tries everything."""

    FAST = "fast"
    DEFAULT = "default"
    MAX = "max"


@dataclass(frozen=True, slots=True)
class Trial:
    """What an effort means.

    `plans` of windows, which are compared; `group`: bytes compared at once; `coding`:
    what streams may be coded with; `small`: old images up to so many bytes are compared as a whole;
    `least_move`: bytes that must be found elsewhere as they are to be copied without comparing; `margin`: what of them
    is compared nevertheless, at either end; `tries`: whether small images are made in several ways; `stretches`:
    how often bsdiff sees each byte, so that it is as many times quicker to leave an alignment; all are compared, and of
    each part of a group the best is kept.
    """

    plans: tuple[Plan, ...]
    group: int
    coding: Coding
    small: int = 4 * MEBIBYTE
    least_move: int = 32 << 10
    margin: int = 64
    tries: bool = True
    stretches: tuple[int, ...] = (1, 2)


QUICK = Lzma(depth=24)
FAST_CODING = Coding(control=(Lzma(),), diff=(QUICK,), extra=(QUICK, Zstd(12)))
THOROUGH_CODING = Coding(extra=(Lzma(), Lzma(3, 0, 0), Bz2(), Zstd(22)))
TRIALS = {
    Effort.FAST: Trial((Plan(4, 2 * MEBIBYTE),), MEBIBYTE, FAST_CODING, least_move=4096, tries=False, stretches=(1,)),
    Effort.DEFAULT: Trial((Plan(8, 3 * MEBIBYTE),), MEBIBYTE, THOROUGH_CODING),
    Effort.MAX: Trial((Plan(8, 3 * MEBIBYTE), Plan(2, 6 * MEBIBYTE)), MEBIBYTE, THOROUGH_CODING, stretches=(1, 2, 3)),
}

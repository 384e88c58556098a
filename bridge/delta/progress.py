"""What the maker tells while it works, and how it is stopped."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from bridge.release.errors import OtabridgeError


class Progress(Protocol):
    """Who looks on. Calls come from one thread at a time."""

    def begin(self, phase: str, total: int) -> None:
        """A phase of `total` units of work begins; the one before it is over."""

    def advance(self, count: int) -> None:
        """`count` units of the phase are done."""

    def note(self, text: str) -> None:
        """A sentence for the person who makes the delta."""


class Silence:
    """Nobody looks on."""

    def begin(self, phase: str, total: int) -> None:
        """Nothing."""

    def advance(self, count: int) -> None:
        """Nothing."""

    def note(self, text: str) -> None:
        """Nothing."""


class MakingCancelled(OtabridgeError):
    """The maker was told to stop; what is finished was kept, and the next call goes on from there."""


Cancelled = Callable[[], bool]


def never() -> bool:
    """Nobody cancels."""
    return False


def require_wanted(cancelled: Cancelled) -> None:
    """Raises: MakingCancelled when nobody wants the delta any more."""
    if cancelled():
        raise MakingCancelled(
            "making the delta was cancelled; what is finished is kept, and the next run goes on there"
        )

"""Downloads that go wrong as a test planned."""

from __future__ import annotations

from collections.abc import Iterator

from adapters.simulation.faults import Effect, Fault


def spoilt(pieces: Iterator[bytes], fault: Fault | None) -> Iterator[bytes]:
    """`pieces`, cut or with one bit flipped where `fault` says so. Raises: ConnectionAbortedError at a cut."""
    if fault is None or fault.effect not in (Effect.CUT_BODY, Effect.CORRUPT_BODY):
        yield from pieces
        return
    left = fault.body_bytes
    for piece in pieces:
        if not 0 <= left < len(piece):
            yield piece
        elif fault.effect is Effect.CUT_BODY:
            yield piece[:left]
            raise ConnectionAbortedError("planned fault: the download stops here")
        else:
            yield piece[:left] + bytes((piece[left] ^ 1,)) + piece[left + 1 :]
        left -= len(piece)

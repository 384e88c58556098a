"""What local programs may write, as hostile as it comes."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.local.unix_socket import BURST, MAX_LINE, Client
from agent.local.wording import answer_line
from agent.permit.answers import Said
from bridge.release.errors import OtabridgeError

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from([*Said, "status", "not-now"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["command", "answer", "minutes", "x"]), inner, max_size=4)
    ),
    max_leaves=8,
)


def refuse(said: Said, minutes: int) -> str:
    """Nobody waits for any answer."""
    assert isinstance(said, Said)
    assert 1 <= minutes <= 525_600
    raise OtabridgeError("nobody asked")


@given(st.binary(max_size=MAX_LINE) | VALUES.map(lambda value: json.dumps(value).encode(errors="surrogatepass")))
def test_whatever_is_said_is_answered_in_one_line(line):
    """An error for people, or the status; never an exception, which would end the socket for all."""
    answer = answer_line(line, refuse)

    assert answer is None or (set(json.loads(answer)) == {"error"} and b"\n" not in answer)


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), OtabridgeError("not now")])
def test_what_cannot_be_kept_is_an_error(error):
    """The program hears why."""

    def fail(said: Said, minutes: int) -> str:  # noqa: ARG001 - the face of a spokesman
        raise error

    answer = json.loads(answer_line(b'{"command":"consent","answer":"yes"}', fail))
    assert answer["error"] in {"it could not be kept: No space left on device", "not now"}


class Line:
    """A socket of which only its being there matters."""

    def setblocking(self, flag: bool) -> None:  # noqa: FBT001 - the standard library's signature
        """See socket."""


@given(st.lists(st.binary(max_size=40).map(lambda text: text.replace(b"\n", b"")), max_size=int(BURST) - 1), st.data())
def test_commands_are_the_same_however_they_come(lines, data):
    """In one piece, or byte by byte."""
    stream = b"".join(line + b"\n" for line in lines)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=10)))
    pieces = [stream[start:end] for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    client = Client(Line())

    assert [line for piece in pieces for line in client.take(piece)] == [line for line in lines if line.strip()]

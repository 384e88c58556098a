"""The packets between agent and slot writer."""

from __future__ import annotations

import re
from contextlib import suppress

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.slots import Slot
from agent.writer import protocol as ask
from agent.writer.protocol import BUFFER_BYTES, MAX_PACKET, ProtocolError, pack, reply_in, request_in
from bridge.release.errors import FailureCode
from bridge.release.manifest import MAX_RELEASE_BYTES

SLOTS = st.sampled_from(Slot)
REQUESTS = st.one_of(
    st.sampled_from([ask.Booted(), ask.Trial(), ask.BootId(), ask.Refill(), ask.Restart(), ask.Sync()]),
    st.builds(ask.TrySlot, SLOTS),
    st.builds(ask.Commit, SLOTS),
    st.builds(ask.Look, SLOTS, st.booleans()),
    st.builds(ask.Introduce, st.binary(max_size=MAX_RELEASE_BYTES)),
    st.builds(ask.Write, st.integers(0, 1 << 40), st.integers(1, BUFFER_BYTES)),
)
REPLIES = st.one_of(
    st.just(ask.Working()),
    st.builds(ask.Done, st.none() | SLOTS, st.text(max_size=100), st.integers(0, 1 << 50)),
    st.builds(ask.Refused, st.text(max_size=600), st.sampled_from(FailureCode), st.integers(0, 4095)),
)


@given(REQUESTS)
def test_a_request_comes_back(request_):
    """What was packed is what is unpacked, and it fits into a packet."""
    data = pack(request_)

    assert request_in(data) == request_
    assert len(data) <= MAX_PACKET


@given(REPLIES)
def test_a_reply_comes_back(reply):
    """What was packed is what is unpacked."""
    assert reply_in(pack(reply)) == reply


@given(st.binary(max_size=400))
def test_any_bytes_are_a_packet_or_refused(data):
    """Nothing but ProtocolError comes of hostile bytes, with the right version in front or without."""
    for packet in (data, ask.VERSION + data):
        for unpack in (request_in, reply_in):
            with suppress(ProtocolError):
                assert isinstance(unpack(packet), ask.Packet)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "protocol version none, this side speaks 01"),
        (b'\x02{"is":"booted"}', "protocol version 02, this side speaks 01"),
        (b'\x01{"is":"erase everything"}', "Invalid value 'erase everything'"),
        (b'\x01{"is":"try"}', "missing required field `slot`"),
        (b'\x01{"is":"try","slot":"c"}', "Invalid enum value 'c'"),
        (b'\x01{"is":"booted","more":1}', "unknown field `more`"),
        (b'\x01{"is":"write","offset":-1,"length":5}', "`int` >= 0"),
        (b'\x01{"is":"write","offset":0,"length":1048577}', "`int` <= 1048576"),
        (b'\x01{"is":"write","offset":1e99,"length":1}', "Expected `int`, got `float`"),
        (b"\x01" + b"[" * 20_000, "not understood"),
        (b"\x01" + b" " * MAX_PACKET, "more than 32768 bytes"),
        (b'\x01{"is":"introduce","release":"%s"}' % (b"A" * 21_852), "length <= 16384"),
    ],
)
def test_what_is_none_is_refused(data, words):
    """Unknown verbs, fields, slots, versions and sizes are told by name."""
    with pytest.raises(ProtocolError, match=re.escape(words)):
        request_in(data)


def test_requests_of_another_version_are_told_apart():
    """A tag is used once."""
    tags = [kind.__struct_config__.tag for kind in ask.Packet.__subclasses__()]

    assert len(set(tags)) == len(tags) == len(msgspec.inspect.type_info(ask.Request | ask.Reply).types)

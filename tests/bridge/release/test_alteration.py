"""Every single byte of a release counts, whoever signed and however many."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.release.errors import ReleaseError
from bridge.release.trust import Facts, follow, judge
from tests.releases import HARDWARE, MODEL, NOW, ReleaseKit
from tests.stepped import stepped

FACTS = Facts(MODEL, HARDWARE, "1.0.0")

TWO_OF_TWO = ReleaseKit(release_keys=(2, 2))
ONE_OF_TWO = ReleaseKit(release_keys=(1, 2))
CASES = {
    "2 of 2": (TWO_OF_TWO, TWO_OF_TWO.package(b"image").document),
    "1 of 2, both signed": (
        ONE_OF_TWO,
        ONE_OF_TWO.package(b"image", sources=[b"older"], signers=ONE_OF_TWO.release_signers).document,
    ),
    "of several steps": (TWO_OF_TWO, stepped(TWO_OF_TWO, b"image").document),
}


def verdict(kit, document):
    return judge(follow(kit.pinned, ()), document, NOW, FACTS)


@pytest.mark.parametrize(("kit", "document"), CASES.values(), ids=CASES)
@pytest.mark.parametrize("mask", [0x01, 0x20, 0x80])
def test_a_flipped_bit_anywhere_is_refused(kit, document, mask):
    """Each position of the file, three different bits: never accepted, never a crash."""
    assert verdict(kit, document).refusal is None
    for position in range(len(document)):
        altered = bytearray(document)
        altered[position] ^= mask
        seen = verdict(kit, bytes(altered))
        assert isinstance(seen.refusal, ReleaseError), f"accepted with byte {position} altered"


@pytest.mark.parametrize(("kit", "document"), CASES.values(), ids=CASES)
def test_a_lost_byte_anywhere_is_refused(kit, document):
    """The file cut at any length, or with any one byte left out."""
    for position in range(len(document)):
        assert verdict(kit, document[:position]).refusal is not None
        assert verdict(kit, document[:position] + document[position + 1 :]).refusal is not None


@given(st.data())
def test_replaced_text_anywhere_is_refused_without_a_crash(data):
    """JSON tokens written over any place of the file are refused as a release error and nothing else."""
    kit, document = CASES["1 of 2, both signed"]
    start = data.draw(st.integers(0, len(document)))
    end = data.draw(st.integers(start, min(start + 60, len(document))))
    token = data.draw(
        st.sampled_from(
            [b"null", b"1.5", b"NaN", b'"\\ud800"', b"[]", b"{}", b"1e999", b"-1", b'"x"', b"true", b" ", b","]
        )
        | st.binary(max_size=8)
    )
    altered = document[:start] + token + document[end:]
    refusal = verdict(kit, altered).refusal

    assert isinstance(refusal, ReleaseError) != (altered == document)


@given(st.binary(max_size=200))
def test_bytes_of_any_kind_are_refused(document):
    """Noise is malformed, not an exception of some library."""
    assert isinstance(verdict(TWO_OF_TWO, document).refusal, ReleaseError)

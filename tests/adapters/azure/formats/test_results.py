"""Result codes: numbers that dashboards have learnt."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.azure.formats import results
from adapters.azure.formats.results import extended, failure_code, jws_extended
from adapters.azure.formats.signature import SignatureFault
from bridge.release.errors import FailureCode

EXTENDED = {
    FailureCode.MALFORMED: "32000064",
    FailureCode.UNSIGNED: "32000065",
    FailureCode.EXPIRED: "32000066",
    FailureCode.ROLLED_BACK: "32000067",
    FailureCode.INCOMPATIBLE: "32000068",
    FailureCode.ALTERED: "32000069",
    FailureCode.UNTRUSTED_ROOT: "3200006A",
    FailureCode.FOREIGN: "3200006B",
    FailureCode.TOO_LARGE: "3200006C",
    FailureCode.QUARANTINED: "3200006D",
    FailureCode.DOWNLOAD: "320000C8",
    FailureCode.LINK_REFUSED: "320000C9",
    FailureCode.METERED: "320000CA",
    FailureCode.VETOED: "320000CB",
    FailureCode.SLOT_WRITE: "3200012C",
    FailureCode.SLOT_MISMATCH: "3200012D",
    FailureCode.BOOT_ENVIRONMENT: "3200012E",
    FailureCode.STEP: "3200012F",
    FailureCode.STEP_KEPT: "32000130",
    FailureCode.UNHEALTHY: "32000190",
    FailureCode.FELL_BACK: "32000191",
    FailureCode.INTERRUPTED: "320001F4",
    FailureCode.JOURNAL: "320001F5",
    FailureCode.WITHDRAWN: "320001F6",
}
JWS = {
    SignatureFault.OTHER_MANIFEST: "80300001",
    SignatureFault.STRUCTURE: "A0200002",
    SignatureFault.ALGORITHM: "A0200003",
    SignatureFault.SIGNATURE: "A0200004",
    SignatureFault.ROOT_DISABLED: "A0200005",
    SignatureFault.ROOT_MISSING: "A0200006",
    SignatureFault.ROOT_UNKNOWN: "A0200007",
    SignatureFault.HEADER: "A0200008",
    SignatureFault.SIGNING_KEY: "A0200009",
    SignatureFault.SIGNING_KEY_DISABLED: "A0000005",
}


@pytest.mark.parametrize("code", FailureCode)
def test_every_failure_has_its_number_for_ever(code):
    """Facility 3, component 0x20: a custom handler's own."""
    assert extended(code) == EXTENDED[code]
    assert failure_code(EXTENDED[code]) is code
    assert failure_code(EXTENDED[code].lower()) is code


@pytest.mark.parametrize("fault", SignatureFault)
def test_every_fault_of_a_signature_is_told_in_microsofts_numbers(fault):
    """Those that their agent reports of the same fault, in their documentation's table."""
    assert jws_extended(fault) == JWS[fault]
    assert failure_code(JWS[fault]) is None


def test_the_first_code_of_a_list_counts():
    """What follows is for information."""
    assert failure_code("3200012C,A0000FFF") is FailureCode.SLOT_WRITE
    assert failure_code("00000000,3200012C") is None


def test_the_results_that_the_service_counts():
    """By Microsoft's numbers."""
    assert (results.FAILURE, results.CANCELLED, results.IN_PROGRESS, results.SUCCESS) == (0, -1, 1, 700)
    assert (results.NO_EXTENDED, results.ROOT_KEYS_UNCHANGED) == ("00000000", "A0000FFF")


@pytest.mark.parametrize("text", [None, 0x3200012C, "", "3200012C ", "0x3200012C", "320FFFFF", "3210012C", "3200012Cx"])
def test_other_codes_are_not_ours(text):
    """No number is guessed at."""
    assert failure_code(text) is None


@given(st.text(max_size=12))
def test_no_text_makes_an_error(text):
    """A fleet holds agents that others wrote."""
    code = failure_code(text)

    assert code is None or extended(code) == text[:8].upper()

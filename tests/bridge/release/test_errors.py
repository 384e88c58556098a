"""Numbers that outlive the code: failure codes on the wire, exit codes in scripts."""

from __future__ import annotations

import inspect

import pytest

from bridge.release import errors
from bridge.release.errors import EXIT_CODES, ChannelError, FailureCode, OtabridgeError, ReleaseError

PUBLISHED = {
    "MALFORMED": (100, 10),
    "UNSIGNED": (101, 11),
    "EXPIRED": (102, 12),
    "ROLLED_BACK": (103, 13),
    "INCOMPATIBLE": (104, 14),
    "ALTERED": (105, 15),
    "UNTRUSTED_ROOT": (106, 16),
    "FOREIGN": (107, 17),
    "TOO_LARGE": (108, 18),
    "QUARANTINED": (109, 33),
    "DOWNLOAD": (200, None),
    "LINK_REFUSED": (201, None),
    "METERED": (202, None),
    "VETOED": (203, None),
    "SLOT_WRITE": (300, None),
    "SLOT_MISMATCH": (301, None),
    "BOOT_ENVIRONMENT": (302, None),
    "STEP": (303, None),
    "STEP_KEPT": (304, None),
    "UNHEALTHY": (400, None),
    "FELL_BACK": (401, None),
    "INTERRUPTED": (500, None),
    "JOURNAL": (501, None),
    "WITHDRAWN": (502, None),
}


def test_every_failure_has_a_published_number():
    """None is made up in passing."""
    assert set(PUBLISHED) == {code.name for code in FailureCode}


@pytest.mark.parametrize(("name", "numbers"), PUBLISHED.items(), ids=PUBLISHED)
def test_a_published_number_never_changes(name, numbers):
    """Dashboards and scripts were written against these."""
    code = FailureCode[name]

    assert numbers == (code.value, EXIT_CODES.get(code))
    assert code.is_refusal == (numbers[1] is not None)


def test_every_refusal_has_an_exit_code_of_its_own():
    """Nothing between 100 and 199 ends with a shared exit code."""
    refusals = {code for code in FailureCode if code.is_refusal}

    assert refusals == set(EXIT_CODES)
    assert len(refusals) == len(set(EXIT_CODES.values()))


def test_every_error_has_the_one_root():
    """`except OtabridgeError` in the commands catches all that is raised on purpose."""
    found = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, Exception)]

    assert found
    assert all(issubclass(kind, OtabridgeError) for kind in found)


@pytest.mark.parametrize(("kind", "exit_code"), [(errors.DownloadError, 1), (errors.AlteredRelease, 15)])
def test_an_error_knows_its_exit_code(kind, exit_code):
    """1 for what may go better next time, the refusal's own number otherwise."""
    assert exit_code == kind("text").exit_code


def test_a_refusal_is_one_printable_line():
    """Whatever it quotes."""
    text = str(ReleaseError("a\nb\x1b[0m\u202e" + "x" * 1000))

    assert text.startswith("a?b?[0m?xxx")
    assert len(text) == errors.MAX_REFUSAL


def test_a_channel_error_says_whether_to_try_again():
    """Retryable unless it says otherwise."""
    assert (ChannelError("x").retryable, ChannelError("x", retryable=False).retryable) == (True, False)

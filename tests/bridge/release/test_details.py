"""What devices say of the artifact that they took, and of what it saved, on every wire; devices may lie."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.release.details import (
    MAX_DETAIL_PAIRS,
    MAX_FALLBACKS,
    MAX_SAVED,
    parse_details,
    progress_details,
    report_details,
)
from bridge.release.errors import FailureCode
from bridge.release.report import Outcome, Phase, Progress, Report

INSTALLED = Report(Outcome.INSTALLED, "b", "2.0.0", fallbacks=1, artifact="2-from-1.bin", saved=1234)


def test_the_artifact_and_what_it_saved_are_told():
    """As text, as everything else."""
    told = report_details(INSTALLED)

    assert (told["artifact"], told["saved"]) == ("2-from-1.bin", "1234")
    assert parse_details(told) == INSTALLED


def test_of_nothing_nothing_is_told():
    """An attempt without a download, and a report by an agent of before."""
    told = report_details(replace(INSTALLED, artifact="", saved=0))

    assert not {"artifact", "saved"} & told.keys()
    assert parse_details(told) == replace(INSTALLED, artifact="", saved=0)


def test_a_report_fits_when_it_says_all():
    """AWS takes ten pairs."""
    full = Report(Outcome.FELL_BACK, "a", "1.0.0", FailureCode.UNHEALTHY, "why", 2**31 - 1, "x" * 128, MAX_SAVED)

    assert parse_details(report_details(full)) == full
    assert len(report_details(full)) <= MAX_DETAIL_PAIRS


@given(st.integers())
def test_what_is_told_stays_within_its_bound(saved):
    """Whatever an agent reckons."""
    said = parse_details(report_details(replace(INSTALLED, saved=saved)))

    assert said == replace(INSTALLED, saved=max(0, min(saved, MAX_SAVED)))


@pytest.mark.parametrize("name", ["saved", "fallbacks"])
@pytest.mark.parametrize(
    "value", ["-1", str(MAX_SAVED + 1), "9" * 5000, "1e3", "1.5", "0x10", " 7", "+7", "1_000", "\u0663", "many", "True"]
)
def test_a_number_that_is_none_spoils_the_report(name, value):
    """Nothing of it is taken for true; the cloud's own word for the end stays."""
    assert parse_details({**report_details(INSTALLED), name: value}) is None


@pytest.mark.parametrize(("name", "most"), [("saved", MAX_SAVED), ("fallbacks", MAX_FALLBACKS)])
def test_the_most_is_taken(name, most):
    """The bound itself is within it."""
    assert parse_details({**report_details(INSTALLED), name: str(most)}) == replace(INSTALLED, **{name: most})


@given(st.text(max_size=400))
def test_an_artifact_is_one_line(name):
    """It is shown on terminals, whoever named it."""
    said = parse_details({**report_details(INSTALLED), "artifact": name})

    assert isinstance(said, Report)
    assert said.artifact.isprintable()
    assert len(said.artifact) <= 128


@pytest.mark.parametrize(
    "said", [Progress(Phase.DOWNLOADING, 40), Progress(Phase.WAITING, 0, "install: window: opens Sunday")]
)
def test_a_sign_of_life_comes_through(said):
    """What is waited for is told, too."""
    told = progress_details(said)

    assert parse_details(told) == said
    assert ("detail" in told) is bool(said.detail)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (Progress(Phase.DOWNLOADING, 40), "downloading (40 %)"),
        (Progress(Phase.WAITING, 0, "install: consent: nobody"), "waiting (install: consent: nobody)"),
    ],
)
def test_a_sign_of_life_in_words(said, words):
    """As people read it of a device that never came to an end."""
    assert said.words == words


def test_a_device_cannot_say_what_breaks_a_terminal_or_a_cloud():
    """A detail is cut and made printable, on both sides."""
    said = Progress(Phase.WAITING, 0, "a\x1b[2J\n" + "x" * 5000)

    assert progress_details(said)["detail"] == ("a?[2J?" + "x" * 5000)[:512]
    assert parse_details({"phase": "waiting", "detail": said.detail}) == Progress(
        Phase.WAITING, 0, ("a?[2J?" + "x" * 5000)[:512]
    )

"""Assumptions come from a small TOML file; what is wrong in it is named."""

from __future__ import annotations

import pytest

from bridge.errors import UsageError
from bridge.rehearsal.assumptions import Assumptions, read_assumptions


def test_what_is_absent_is_assumed(tmp_path):
    """A model takes over what is said for all."""
    file = tmp_path / "devices.toml"
    file.write_text('failing = 1.5\n[models."rev-b"]\noffline = 50\n')
    read = read_assumptions(file)

    assert read.failing == 1.5
    assert read.silent == Assumptions().silent
    assert (read.of("rev-b").failing, read.of("rev-b").offline) == (1.5, 50)
    assert read.of("rev-a").offline == Assumptions().offline


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("failing = 101", r"failing: must be a number from 0 to 100, not 101"),
        ("failing = nan", "failing: must be a number from 0 to 100"),
        ("failing = 2026-01-01", 'failing: must be a number from 0 to 100, not "2026-01-01"'),
        (
            "failng = 1",
            "failng: no such field; did you mean failing[?] known here are failing, .*, returns, installs, models$",
        ),
        (
            '[models."rev-b"]\nofline = 1',
            "models[.]rev-b[.]ofline: no such field; did you mean offline[?] known here are failing, .*, offline$",
        ),
        ("models = 3", "models: must be a mapping, not 3"),
        ('returns = "soon"', "returns"),
        ("failing = ", "Invalid value"),
    ],
)
def test_wrong_assumptions_are_refused_by_name(tmp_path, text, message):
    """File and field, and no traceback."""
    file = tmp_path / "devices.toml"
    file.write_text(text)
    with pytest.raises(UsageError, match=message) as refused:
        read_assumptions(file)
    assert str(file) in str(refused.value)


def test_a_file_that_is_not_there_is_named(tmp_path):
    """The message says which file."""
    with pytest.raises(UsageError, match=r"none\.toml"):
        read_assumptions(tmp_path / "none.toml")

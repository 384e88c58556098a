"""What the kernel's watchdogs say of the last restart."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.proof.watchdog import caused_by_watchdog


def watchdogs(folder: Path, *contents: str) -> Path:
    """A folder as /sys/class/watchdog is, with one watchdog for each of `contents` in its bootstatus."""
    for number, content in enumerate(contents):
        (folder / f"watchdog{number}").mkdir()
        (folder / f"watchdog{number}" / "bootstatus").write_text(content)
    return folder


@pytest.mark.parametrize(
    ("contents", "bitten"),
    [
        ((), False),
        (("0\n",), False),
        (("32\n",), True),
        (("33\n",), True),  # overheated, too
        (("1\n",), False),
        (("0\n", "32\n"), True),
        (("none\n", "32\n"), True),
        (("",), False),
    ],
)
def test_the_bit_of_a_watchdogs_reset(tmp_path, contents, bitten):
    """WDIOF_CARDRESET of any of them; what cannot be read says nothing."""
    assert caused_by_watchdog(watchdogs(tmp_path, *contents)) is bitten


def test_a_machine_without_watchdogs(tmp_path):
    """The class is not even there."""
    assert not caused_by_watchdog(tmp_path / "absent")

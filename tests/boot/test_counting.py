"""A U-Boot that counts boots itself: what this project ships for it, and what it decides where it has been built.

Nothing is built here; `make test-boot` does that, and plays the whole table.
"""

from __future__ import annotations

import re

import pytest

from tests.boot import counting
from tests.boot.bench import Case, WrongSlot, judge
from tests.boot.board import SCRIPT
from tests.boot.cache import VARIABLE
from tests.boot.counting_board import CARD_BYTES, CountingBoard
from tests.boot.counting_table import CASES, UBOOT_COUNTS
from tests.boot.decisions import UBootBench, make_template
from tests.boot.disk import ENVIRONMENT_BYTES, ENVIRONMENT_OFFSETS
from tests.boot.programs import COUNTING, missing

CONFIG, ENVIRONMENT = counting.SHIPPED
BUILT = not missing(COUNTING) and counting.built() is not None
needs_the_build = pytest.mark.skipif(
    not BUILT, reason="no U-Boot that counts is built here: make test-boot ARGS='--only uboot-counting'"
)
SAVED_AGAIN = 'if test -n "${otabridge_trial}"; then setenv ob_changed 1; fi; '
MUTANTS = {
    "the script counts as well": ("setenv ob_mine 0; ", "setenv ob_mine 1; ", "a trial that never ends well"),
    "U-Boot's count is taken for saved": (SAVED_AGAIN, "", "a trial that cannot be counted is not begun"),
    "a trial is never given up": ("-gt ${bootlimit}", "-gt 0xffff", "altbootcmd gives the slot up"),
}
"""Bugs of the boot script: its text, the text in its place, and the case that must break."""


def test_every_case_has_a_name_of_its_own():
    """A case that fails is found by it."""
    assert len({case.name for case in CASES}) == len(CASES)


def test_the_shipped_environment_survives_the_preprocessor():
    """U-Boot's build takes a .env file through the C preprocessor: a `#` is no comment there, and names of the
    configuration in a comment of any other kind would be replaced by their values."""
    text = ENVIRONMENT.read_text()
    settings = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL).split("\n")

    assert "CONFIG_" not in text
    assert all(re.fullmatch(r"[a-z_]+=[^#\"]+", line) for line in settings if line)
    assert {"altbootcmd", "bootcmd", "bootlimit", "otabridge_counter", "otabridge_store"} == {
        line.partition("=")[0] for line in settings if line
    }


def test_the_board_has_its_environment_where_the_disk_has_it():
    """On a card that ends behind both copies, of a size that cards have."""
    first, second = ENVIRONMENT_OFFSETS
    config = counting.BOARD_CONFIG.read_text().splitlines()

    assert f"CONFIG_ENV_SIZE={ENVIRONMENT_BYTES:#x}" in config
    assert f"CONFIG_ENV_OFFSET={first:#x}" in config
    assert f"CONFIG_ENV_OFFSET_REDUND={second:#x}" in config
    assert second + ENVIRONMENT_BYTES <= CARD_BYTES
    assert CARD_BYTES.bit_count() == 1


def test_a_setting_that_u_boot_drops_is_found():
    """Where the name of one has changed, U-Boot's configuration drops it without failing."""
    wanted = (
        "# a comment\nCONFIG_KEPT=y\nCONFIG_GONE=y\nCONFIG_VALUE=3\n# CONFIG_OFF is not set\n# CONFIG_ON is not set\n"
    )

    assert counting.dropped(wanted, "CONFIG_KEPT=y\nCONFIG_VALUE=4\nCONFIG_ON=y\n") == [
        "CONFIG_GONE=y",
        "CONFIG_VALUE=3",
        "# CONFIG_ON is not set",
    ]
    assert counting.dropped(CONFIG.read_text(), CONFIG.read_text()) == []


def test_what_was_never_built_is_told_apart(monkeypatch, tmp_path):
    """A test that needs it asks, and does not build it."""
    monkeypatch.setenv(VARIABLE, str(tmp_path))

    assert counting.built() is None


@pytest.fixture(scope="module")
def template(tmp_path_factory) -> CountingBoard:
    """A board with a kernel in each slot, from which each test makes its own."""
    return make_template(tmp_path_factory.mktemp("template"), kind=CountingBoard)


@needs_the_build
@pytest.mark.parametrize("case", UBOOT_COUNTS, ids=lambda case: case.name)
def test_u_boot_counts_and_gives_up(case: Case, template, tmp_path):
    """Slot for slot over several power-ons, and fw_printenv agrees afterwards."""
    assert judge(case, UBootBench(template, tmp_path)) == []


@needs_the_build
@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_bug_in_the_boot_script_is_caught(mutant, tmp_path):
    """The table is no rubber stamp: a script with a bug breaks a case."""
    right, wrong, name = MUTANTS[mutant]
    text = SCRIPT.read_text()
    assert text.count(right) == 1
    script = tmp_path / "boot.cmd"
    script.write_text(text.replace(right, wrong))
    (tmp_path / "template").mkdir()
    template = make_template(tmp_path / "template", script, CountingBoard)
    case = next(case for case in CASES if case.name == name)
    assert _breaks(case, UBootBench(template, tmp_path))


def _breaks(case: Case, bench: UBootBench) -> bool:
    try:
        return bool(judge(case, bench))
    except WrongSlot:
        return True

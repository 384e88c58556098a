"""The documentation is part of the product: generated pages are current, links lead somewhere, commands exist."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.main import get_command

from bridge.cli.app import app

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")])
LINK = re.compile(r"\]\((?!https?:|#)([^)#\s]+)")
FENCED = re.compile(r"(?s)```[a-z]*\n(.*?)```")
COMMAND = re.compile(r"(?m)^(?:\$ )?otabridge ((?:[a-z]+ ?){1,2})")


def name(page: Path) -> str:
    """How a page is called in a test's name."""
    return str(page.relative_to(ROOT))


def test_generated_pages_are_current():
    """`make docs` would change nothing."""
    line = [sys.executable, "-m", "docs.generate", "--check"]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page):
    """Every relative link names a file or folder of the repository."""
    missing = [link for link in LINK.findall(page.read_text()) if not (page.parent / link).exists()]

    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_commands_exist(page):
    """Every `otabridge NOUN VERB` at the start of a line of code is a command."""
    code = "\n".join(FENCED.findall(page.read_text()))
    unknown = [words for words in COMMAND.findall(code) if not is_command(words.split())]

    assert unknown == []


def is_command(words: list[str]) -> bool:
    """Whether the words, or the first of them where it takes an argument, name a command of `otabridge`."""
    command = get_command(app)
    for word in words:
        below = getattr(command, "commands", None)
        if below is None:
            return True
        if word not in below:
            return False
        command = below[word]
    return True


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_make_targets_exist(page):
    """Every `make TARGET` that a page names is one."""
    makefile = (ROOT / "Makefile").read_text()
    named = set(re.findall(r"`make ([a-z-]+)", page.read_text()))

    assert {target for target in named if not re.search(rf"(?m)^{target}:", makefile)} == set()


def test_readme_names_every_target_that_people_need():
    """The two commands, alone in their block, and the others in the text."""
    text = (ROOT / "README.md").read_text()
    blocks = [block for block in re.findall(r"(?s)```\n(.*?)```", text) if block.startswith("make ")]

    assert [re.findall(r"(?m)^make ([a-z]+)", block) for block in blocks] == [["demo", "test"]]

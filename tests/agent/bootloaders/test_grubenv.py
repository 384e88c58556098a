"""GRUB's environment block: ours and grub-editenv's are the same."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.bootloaders.grubenv import BLOCK_BYTES, SIGNATURE, Block, parse, render
from tests.agent.bootloaders.rigs import require

NAMES = st.text("abcdefgh_ABCDEFGH0123456789", min_size=1, max_size=12)
VALUES = st.text(st.characters(min_codepoint=1, max_codepoint=255), min_size=1, max_size=30)
PLAIN = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=30)


@given(st.dictionaries(NAMES, VALUES, max_size=8))
def test_a_block_comes_back(variables):
    """Whatever is in the values: newlines, backslashes, equals signs, "#"."""
    data = render(Block(("# WARNING: Do not edit\n",), variables))

    assert len(data) == BLOCK_BYTES
    assert parse(data) == Block(("# WARNING: Do not edit\n",), variables)


@given(data=st.binary(max_size=80))
def test_any_bytes_are_read_or_refused(data):
    """Hostile bytes behind the first line are a block that renders to itself, or a ValueError."""
    block = (SIGNATURE.encode() + data).ljust(BLOCK_BYTES, b"#")
    try:
        known = parse(block)
    except ValueError:
        return
    assert parse(render(known)) == known


@given(variables=st.dictionaries(NAMES, PLAIN, min_size=1, max_size=6), changed=PLAIN)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_grub_editenv_reads_and_changes_what_we_write(variables, changed, tmp_path: Path):
    """And we read what it has changed."""
    require("grub-editenv")
    path, first = tmp_path / "grubenv", next(iter(variables))
    path.write_bytes(render(Block((), variables)))

    assert editenv(path, "list") == "".join(f"{name}={value}\n" for name, value in variables.items())
    editenv(path, "set", f"{first}={changed}")
    assert parse(path.read_bytes()).variables == {**variables, first: changed}


def test_we_read_what_grub_editenv_creates(tmp_path: Path):
    """Its warning is kept when we write."""
    require("grub-editenv")
    path = tmp_path / "grubenv"
    editenv(path, "create")
    editenv(path, "set", "ORDER=A B", "title=50\\% \\ more")
    block = parse(path.read_bytes())

    assert block.variables == {"ORDER": "A B", "title": "50\\% \\ more"}
    path.write_bytes(render(block.with_variables({"ORDER": "B A", "title": "", "A_OK": "1"})))
    assert editenv(path, "list") == "ORDER=B A\nA_OK=1\n"
    assert b"WARNING" in path.read_bytes() or not block.comments


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "it has 0 bytes, and not 1024"),
        (bytes(1024), "it does not begin as a GRUB environment block"),
        (SIGNATURE.encode() + b"ORDER".ljust(1000, b"#"), "it ends within a line: 'ORDER'"),
        ((SIGNATURE + "ORDER\n").encode().ljust(1024, b"#"), "it has a line that sets no variable: 'ORDER'"),
        ((SIGNATURE + "a=1\na=2\n").encode().ljust(1024, b"#"), "it sets a twice"),
        ((SIGNATURE + "a=1\\\n").encode().ljust(1024, b"#"), "it ends within a line"),
    ],
)
def test_what_is_no_block(data, message):
    """GRUB would not read it either; the message says what is wrong with it."""
    with pytest.raises(ValueError, match=message):
        parse(data[:1024])


def test_variables_that_do_not_fit():
    """A block has no more room than GRUB gives it."""
    with pytest.raises(ValueError, match="the variables take 1530 bytes, and there is room for 1024"):
        render(Block((), {"x": "y" * 1502}))
    with pytest.raises(ValueError, match="'a=b' cannot be the name of a variable"):
        render(Block((), {"a=b": "c"}))


def editenv(path: Path, *arguments: str) -> str:
    """What grub-editenv says."""
    done = subprocess.run(["grub-editenv", path, *arguments], check=True, capture_output=True)
    return done.stdout.decode("latin-1")

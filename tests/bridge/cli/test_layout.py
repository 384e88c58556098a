"""Text on a terminal: words wrap below where they began, and nothing is cut."""

from __future__ import annotations

import re

import pytest

from bridge.cli.layout import fitted
from tests.bridge.cli.desk import APPROVALS, ROLLOUT, WAY_BACK
from tests.bridge.fakes import FakeOrder

WIDTH = 60


@pytest.mark.parametrize(
    ("line", "lines"),
    [
        ("short", ["short"]),
        ("so  one two three four", ["so  one two", "    three four"]),
        ("because  one two three", ["because  one two", "    three"]),
        ("  - one two three four", ["  - one two", "    three four"]),
        ("  factory: 3 waiting, 4 running", ["  factory: 3", "      waiting, 4", "      running"]),
        ("x-0123456789-0123456789 y", ["x-0123456789-0123456789", "    y"]),
        ("", [""]),
        ("run `a b c d` now", ["run `a b c d`", "    now"]),
        ("then run `a b c d`, now", ["then run", "    `a b c d`,", "    now"]),
        ("then `a b c d e f g h`", ["then", "    `a b c d e f g h`"]),
    ],
)
def test_what_is_too_long_goes_below_where_its_words_began(line, lines):
    """Behind a label that leaves room, a dash, or a little further in; a long word and a command stay whole."""
    assert fitted(line, 16) == "\n".join(lines)


def test_text_in_a_pipe_stays_as_it_is(monkeypatch):
    """Lines are for grep there."""
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.setattr("sys.__stdout__", None)

    assert fitted("word " * 100) == "word " * 100


@pytest.mark.parametrize("words", [(), ("rollout",), ("ledger",)], ids=" ".join)
def test_help_lists_commands_in_full(desk, monkeypatch, words):
    """What a command is for is wrapped, where the framework would cut it off with dots."""
    monkeypatch.setenv("COLUMNS", str(WIDTH))

    shown = desk.otabridge(*words, "--help").out

    assert "..." not in shown.partition("Commands:")[2]
    assert [line for line in shown.splitlines() if len(line) > WIDTH] == []


COMMANDS = [
    ("rollout", "plan", "rollout.yaml"),
    ("rollout", "status", "gates"),
    ("rollout", "explain", "gates"),
    ("rollout", "explain", "gates", "--device", "depot/depot-003"),
    ("rollout", "list"),
    ("rollout", "history", "gates"),
    ("rollout", "approve", "gates", "--key", "ann.pem"),
    ("rollout", "reject", "gates", "--key", "eva.pem", "--comment", "Not on the Friday before the holidays, please"),
    ("rollout", "pause", "gates", "--reason", "The people of the depot have asked for a quiet week, until Monday"),
    ("rollout", "resume", "gates", "--reason", "The people of the depot are back, and want the new release now"),
    ("rollout", "promote", "gates", "--stage", "1", "--reason", "Somebody has looked at every device of the stage"),
    ("rollout", "rollback", "gates", "--reason", "It drains the batteries of the gates at the far end of the yard"),
    ("rollout", "abort", "gates", "--reason", "It drains the batteries of the gates at the far end of the yard"),
    ("rollout", "import", "old-job", "--fleet", "depot", "--job", "job-7"),
    ("rollout", "new", "other.yaml"),
    ("rollout", "apply", "rollout.yaml", "--no-wait"),
    ("ledger", "verify"),
    ("ledger", "export", "ledger.jsonl"),
    ("fleet", "list"),
    ("fleet", "devices", "depot"),
]
"""Every command with a result that people read in lines; each is run on a rollout whose plan two people have signed."""


@pytest.fixture
def signed(desk):
    """A rollout in the middle of its first stage, with as much to tell as there can be."""
    desk.approvers()
    desk.write_release("previous", version="1.9.0", sequence=1)
    desk.write(f"{ROLLOUT}{APPROVALS}{WAY_BACK}gates: {{failure_rate: {{limit: 5}}}}\n")
    desk.stall()
    order = FakeOrder(None, list(desk.depot.ids[:5]))
    desk.apply("--no-wait")
    for name in ("ben", "eva"):
        desk.rollout("approve", "gates", "--key", f"{name}.pem")
    desk.passes(3)
    desk.depot.foreign = {"job-7": order}
    desk.depot.eager = False
    return desk


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: " ".join(words[:2]))
def test_every_command_fits_a_terminal_of_60_columns_and_has_a_document(signed, monkeypatch, words):
    """A longer line is one word, such as a digest; nothing is cut. Run again for programs, each is versioned JSON."""
    if words[1] == "resume":
        signed.rollout("pause", "gates", "--reason", "x")
    monkeypatch.setenv("COLUMNS", str(WIDTH))

    text = signed.otabridge(*words)
    (signed.folder / "other.yaml").unlink(missing_ok=True)
    document = signed.otabridge(*words, "-o", "json")

    assert (text.code, document.code) == (0, 0), text.err + document.err
    assert [line for line in text.out.splitlines() if len(line) > WIDTH and len(line.split()) > 1] == []
    assert "…" not in text.out
    assert re.fullmatch("[1-9]", str(document.json["schema"]))

"""Commands that are loaded once a line names them look in every help as if they had been there from the start."""

from __future__ import annotations

import importlib
import inspect

import pytest
from typer.main import get_command

from bridge.cli.app import COMMANDS, NOUNS, app
from bridge.cli.late import first_sentence


def module_of(name):
    """Where the command is."""
    return importlib.import_module(f"bridge.cli.{name}")


@pytest.mark.parametrize("noun", NOUNS)
def test_a_noun_says_of_itself_what_the_list_says(noun):
    """The list is written down beside the tree, so that help need not load the module."""
    assert module_of(noun).app.info.help == NOUNS[noun]


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_says_of_itself_what_the_list_says(name):
    """In its first sentence; its own help has them all, and its options."""
    real = getattr(module_of(name), name)
    command = get_command(app).commands[name]

    assert first_sentence(inspect.getdoc(real)) == COMMANDS[name]
    assert command.help == inspect.getdoc(real)
    assert {each.name for each in command.params} == set(inspect.signature(real).parameters)


def test_every_command_below_every_noun_is_there():
    """None comes only once another was loaded."""
    tree = get_command(app)

    found = {noun: set(tree.commands[noun].commands) for noun in NOUNS}

    assert set(tree.commands) == {*COMMANDS, *NOUNS}
    assert {"create", "import"} <= found["keys"]
    assert {"plan", "apply", "approve", "status", "list", "import"} <= found["rollout"]
    assert found["translate"] == {"aws", "azure"}


def test_what_no_command_has_a_late_one_has_not_either():
    """The framework asks some things of every command to see whether it has them."""
    assert not hasattr(get_command(app).commands["keys"], "never_heard_of")

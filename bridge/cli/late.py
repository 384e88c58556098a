"""Commands whose module is loaded once a line names them.

What commands stand on, such as the store or the verification of metadata, takes longer to load than most of them take
to run. `otabridge --help` needs none of it, and each command its own part alone.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from importlib import import_module
from types import ModuleType
from typing import ClassVar

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command, get_group


class _Late:
    """Has its attributes `LATE` from the real command, which is made once one of them is asked for."""

    LATE: ClassVar[tuple[str, ...]]
    name: str | None

    def __setattr__(self, attribute: str, value: object) -> None:
        # What the framework sets there belongs to the stand-in.
        if attribute not in self.LATE:
            super().__setattr__(attribute, value)

    def __getattr__(self, attribute: str) -> object:
        if attribute not in self.LATE:
            raise AttributeError(f"{type(self).__name__} has no {attribute}", name=attribute, obj=self)
        vars(self).update(self._made())
        return vars(self)[attribute]

    def _made(self) -> Mapping[str, object]:
        raise NotImplementedError

    def _module(self) -> ModuleType:
        return import_module(f"bridge.cli.{self.name}")


class LateGroup(_Late, TyperGroup):
    """The commands of `app` in the module of its name."""

    LATE = ("commands",)

    def _made(self) -> Mapping[str, object]:
        whole = plain_tree()
        whole.add_typer(self._module().app)
        _list_in_full(whole)
        return {"commands": get_group(whole).commands}


class LateCommand(_Late, TyperCommand):
    """The function of its name in the module of its name."""

    LATE = ("params", "callback", "help")

    def _made(self) -> Mapping[str, object]:
        whole = plain_tree()
        whole.command()(getattr(self._module(), str(self.name)))
        real = get_command(whole)
        return {each: getattr(real, each) for each in self.LATE}


def plain_tree() -> typer.Typer:
    """A tree without commands. Its help is plain: boxes cut names of options and variables off on narrow terminals."""
    return typer.Typer(add_completion=False, rich_markup_mode=None)


def _list_in_full(tree: typer.Typer) -> None:
    """Each command by its whole first sentence: typer cuts off, at the terminal's width, what is no short help."""
    for command in tree.registered_commands:
        command.short_help = first_sentence(inspect.getdoc(command.callback) or "")
    for group in tree.registered_groups:
        if group.typer_instance is not None:
            _list_in_full(group.typer_instance)


def first_sentence(text: str) -> str:
    """Without what follows its full stop."""
    return re.split(r"(?<=\.)\s", text, maxsplit=1)[0]

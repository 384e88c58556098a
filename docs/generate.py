"""`make docs`: the reference pages that are made from code; a test fails when a committed page is out of date.

The pages of the agent and of the files are written by hand, and tests compare them with the code.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import click
import typer

from bridge.cli.app import app

HERE = Path(__file__).parent
NOTE = "<!-- Made by `make docs` from the code; edit the code. -->\n"


def pages() -> dict[Path, str]:
    """Every generated page: its path below docs/reference, and its text."""
    return {
        HERE / "reference" / "otabridge.md": bridge_page(),
    }


def bridge_page() -> str:
    """The commands of `otabridge`."""
    lines = [NOTE, "# otabridge\n", f"{app.info.help}\n"]
    for words, command in commands(typer.main.get_command(app), ("otabridge",)):
        lines += [f"## {' '.join(words)}\n", f"{(command.help or '').strip()}\n", *parameters(command)]
    return "\n".join(lines)


def commands(command: click.Command, words: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command below `command` that does something, with the words that call it."""
    below = getattr(command, "commands", None)
    if below is None:
        yield words, command
        return
    for name in sorted(below):
        yield from commands(below[name], (*words, name))


def parameters(command: click.Command) -> list[str]:
    """A table of arguments and options."""
    rows = [row(parameter) for parameter in command.params if parameter.name != "help"]
    return ["| parameter | default | meaning |", "|---|---|---|", *rows, ""] if rows else []


def row(parameter: click.Parameter) -> str:
    """One line of the table."""
    names = ", ".join([*parameter.opts, *parameter.secondary_opts])
    default = "required" if parameter.required else cell(parameter.default)
    variable = f" Variable: `{parameter.envvar}`." if getattr(parameter, "envvar", None) else ""
    return f"| `{names}` | {default} | {cell(getattr(parameter, 'help', ''))}{variable} |"


def cell(value: object) -> str:
    """`value` as it can stand in a table."""
    if value is None or callable(value) or "Sentinel" in type(value).__name__:
        return ""
    return str(getattr(value, "value", value)).replace("|", "\\|").replace("\n", " ")


def main() -> int:
    """Write the pages; with `--check`, only say which are out of date, and exit with 1."""
    stale = [path for path, text in pages().items() if not path.exists() or path.read_text() != text]
    if "--check" in sys.argv:
        sys.stderr.writelines(f"{path} is out of date: run make docs\n" for path in stale)
        return 1 if stale else 0
    for path in stale:
        path.write_text(pages()[path])
    return 0


if __name__ == "__main__":
    sys.exit(main())

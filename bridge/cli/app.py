"""The tree of commands."""

from __future__ import annotations

import inspect
import re
from importlib.metadata import version as version_of
from typing import Annotated

import typer

from bridge.cli import controller, delta, demo, fleet, keys, ledger, release, rollout, root, sim, translate


def _print_version(wanted: bool) -> None:  # noqa: FBT001 - typer's signature of a callback
    if wanted:
        typer.echo(f"otabridge {version_of('otabridge')}")
        raise typer.Exit


app = typer.Typer(
    name="otabridge",
    help="Signed releases, rolled out in stages over AWS IoT and Azure IoT, with one failure budget.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help: boxes cut names of options and variables off on narrow terminals
)
app.command(name="demo")(demo.demo)
app.command(name="sim")(sim.sim)
app.add_typer(keys.app, name="keys")
app.add_typer(root.app, name="root")
app.add_typer(release.app, name="release")
app.add_typer(delta.app, name="delta")
app.add_typer(rollout.app, name="rollout")
app.add_typer(controller.app, name="controller")
app.add_typer(ledger.app, name="ledger")
app.add_typer(fleet.app, name="fleet")
app.add_typer(translate.app, name="translate")


def _list_in_full(tree: typer.Typer) -> None:
    """Each command by its whole first sentence: typer cuts off, at the terminal's width, what is no short help."""
    for command in tree.registered_commands:
        command.short_help = _first_sentence(inspect.getdoc(command.callback) or "")
    for group in tree.registered_groups:
        if group.typer_instance is not None:
            group.short_help = group.typer_instance.info.help
            _list_in_full(group.typer_instance)


def _first_sentence(text: str) -> str:
    return re.split(r"(?<=\.)\s", text, maxsplit=1)[0]


_list_in_full(app)


@app.callback()
def options(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Options of `otabridge` itself; the callback has done all by now."""

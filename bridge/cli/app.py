"""The tree of commands."""

from __future__ import annotations

from types import MappingProxyType
from typing import Annotated

import typer

from bridge.cli.late import LateCommand, LateGroup

COMMANDS = MappingProxyType(
    {
        "demo": (
            "Roll out a good release to simulated devices in every cloud, then one that is bad for the first cloud's."
        ),
        "sim": "Run a simulated cloud until Ctrl-C.",
    }
)
"""Commands by themselves, and the first sentence about each; the others are below a noun."""

NOUNS = MappingProxyType(
    {
        "keys": "Keys of approvers and of root holders.",
        "root": "Who may change trust, and who may approve releases.",
        "release": "Releases: what devices install, and who approved it.",
        "delta": "Deltas: what turns an image that devices have into the next one.",
        "rollout": "Rollouts: one release, in stages, over any number of fleets.",
        "controller": "Controllers: look after all rollouts, any number of them at once.",
        "ledger": "The ledger: every act and decision with its evidence, in one chain.",
        "fleet": "Fleets: one account and region, or one hub, each.",
        "translate": "Print one stage in a cloud's own words, or check what somebody else wrote for that cloud.",
    }
)


def _print_version(wanted: bool) -> None:  # noqa: FBT001 - typer's signature of a callback
    if wanted:
        from importlib.metadata import version as version_of

        typer.echo(f"otabridge {version_of('otabridge')}")
        raise typer.Exit


app = typer.Typer(
    name="otabridge",
    help="Signed releases, rolled out in stages over AWS IoT and Azure IoT, with one failure budget.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # as `bridge.cli.late.plain_tree`
)


def _stand_in() -> None:
    """The real function comes late."""


for _name, _sentence in COMMANDS.items():
    app.command(name=_name, cls=LateCommand, short_help=_sentence)(_stand_in)
for _name, _sentence in NOUNS.items():
    app.add_typer(typer.Typer(), cls=LateGroup, name=_name, help=_sentence, short_help=_sentence, no_args_is_help=True)


@app.callback()
def options(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Options of `otabridge` itself; the callback has done all by now."""

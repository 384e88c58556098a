"""`make docs`: the reference pages that are made from code; a test fails when a committed page is out of date.

The pages of the agent are written by hand, and tests compare them with the code.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from textwrap import dedent

import click
import msgspec
import typer

from adapters.aws.cloud import AwsFleetSettings
from adapters.aws.mqtt import AwsSettings
from adapters.azure.channel.settings import AzureSettings
from adapters.azure.fleet.settings import AzureFleetSettings
from bridge import config
from bridge.cli.app import app
from bridge.rollout.schema import SCHEMA_FILE
from bridge.tool_config_schema import SCHEMA_FILE as TOOL_CONFIG_SCHEMA
from docs.rollout_page import rollout_page, schema_text
from docs.steps_page import steps_page
from docs.terraform_tables import pages as terraform_pages
from docs.tool_config_page import tool_config_text
from tests.agent.attacks.page import attacks_page
from tests.agent.cases.page import state_cases_page

HERE = Path(__file__).parent
TABLES = (
    ("`[store]`", config.StoreConfig),
    ("`[trust]`", config.TrustConfig),
    ('`[fleets.NAME]` where `cloud = "aws"`', AwsFleetSettings),
    ('`[fleets.NAME]` where `cloud = "azure"`', AzureFleetSettings),
    ("`[channel.aws]` of the agent's configuration", AwsSettings),
    ("`[channel.azure]` of the agent's configuration", AzureSettings),
)
EXAMPLE = re.compile(r"(?m)\n((?:^    .*\n|^\n(?=    ))+)")
NOTE = "<!-- Made by `make docs` from the code; edit the code. -->\n"


def pages() -> dict[Path, str]:
    """Every generated page: its path below docs/reference, and its text."""
    return {
        HERE / "reference" / "otabridge.md": bridge_page(),
        HERE / "reference" / "configuration.md": configuration_page(),
        HERE / "reference" / "rollout-file.md": f"{NOTE}\n{rollout_page()}",
        HERE / "reference" / "state-cases.md": f"{NOTE}\n{state_cases_page()}",
        HERE / "reference" / SCHEMA_FILE: schema_text(),
        HERE / "reference" / "steps-file.md": f"{NOTE}\n{steps_page()}",
        HERE / "reference" / TOOL_CONFIG_SCHEMA: tool_config_text(),
        HERE / "reference" / "attacks.md": f"{NOTE}\n{attacks_page()}",
        **terraform_pages(),
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


def configuration_page() -> str:
    """`otabridge.toml`, and the cloud's own tables in it and in the agent's configuration."""
    words = inspect.getdoc(config) or ""
    return "\n".join([NOTE, "# Configuration\n", prose(words), "", *(section(*entry) for entry in TABLES)])


def section(title: str, struct: type[msgspec.Struct]) -> str:
    """One table of a TOML file: what it is for, and each field with its limits and default."""
    (schema,) = msgspec.json.schema_components([struct])[1].values()
    required = schema.get("required", [])
    rows = [field_row(name, field, name in required) for name, field in schema["properties"].items()]
    head = [f"## {title}\n", f"{inspect.getdoc(struct)}\n", "| field | value | default |", "|---|---|---|"]
    return "\n".join([*head, *rows, ""])


def field_row(name: str, field: Mapping[str, object], required: bool) -> str:  # noqa: FBT001 - a column of the table
    """One field: its type and limits as JSON Schema says them."""
    default = "required" if required else cell(field.get("default"))
    return f"| `{name}` | {cell(value_of(field))} | {default} |"


def value_of(field: Mapping[str, object]) -> str:
    """What a field takes, in words."""
    choices = field.get("anyOf")
    if isinstance(choices, list):
        return " or ".join(value_of(each) for each in choices if each.get("type") != "null")
    named = {"minimum": "from", "exclusiveMinimum": "above", "maximum": "to", "pattern": "matching"}
    limits = [f"{word} `{field[key]}`" for key, word in named.items() if key in field]
    return " ".join([str(field.get("type", "value")), *limits])


def prose(text: str) -> str:
    """A docstring with its indented example as a block of code."""
    return re.sub(
        r"(?m)((?:^    .*\n|^\n(?=    ))+)", lambda block: f"```toml\n{dedent(block[1]).strip()}\n```\n", text
    )


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

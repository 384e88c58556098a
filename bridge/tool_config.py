"""`tool_config`, the output of the Terraform modules that a fleet's configuration is made from. Pure.

Two shapes are read: what `terraform output -json` prints, where each output is wrapped in its value, type and
sensitivity, and what `terraform output -json tool_config` prints, which is the value alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

import msgspec

from bridge.errors import UsageError

OUTPUT = "tool_config"
"""The output's name in the modules."""
VERSION = 1
MAX_BYTES = 256 * 1024
Json = Mapping[str, object]

Text = Annotated[str, msgspec.Meta(max_length=2048)]
Texts = Annotated[dict[Text, Text], msgspec.Meta(max_length=64)]
Field = Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9_]{0,39}\Z")]
Setting = Text | int | float | bool | Texts | None
Leaf = Text | int | bool | Annotated[list[Text], msgspec.Meta(max_length=64)] | None
Leaves = Annotated[dict[Text, Leaf], msgspec.Meta(max_length=64)]
Resource = Leaf | Annotated[dict[Text, Leaf | Leaves], msgspec.Meta(max_length=64)]
"""At most three deep: what several of a kind are named by, and what each has."""

_SECRET = re.compile(r"SharedAccessKey=|AccountKey=|SharedAccessSignature|PRIVATE KEY-----|[?&]sig=")
"""How connection strings, keys and signed links look."""


class ToolConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What was deployed. `fleet` is the table [fleets.NAME] of otabridge.toml, its cloud among the settings, without
    what only a person knows; a null is a setting that is not given. `resources` are names, ids and URLs of what was
    made, for people, for pipelines, and for `otabridge fleet check`, which looks at each. Neither holds a secret.
    """

    schema_version: Literal[1]
    provider: Annotated[str, msgspec.Meta(pattern=r"^[a-z]{1,16}\Z")]
    fleet: Annotated[dict[Field, Setting], msgspec.Meta(min_length=1, max_length=64)]
    resources: Annotated[dict[Field, Resource], msgspec.Meta(max_length=256)] = {}

    @property
    def settings(self) -> Mapping[str, object]:
        """The settings that are given, `cloud` among them."""
        return {name: value for name, value in self.fleet.items() if value is not None}


def parse_tool_config(data: bytes, source: str, output: str = OUTPUT) -> ToolConfig:
    """The value of `output` in what Terraform printed; `source` is where that came from, for messages.

    Raises: UsageError, naming source, field and what to do.
    """
    found = _value(_decode(data, source), source, output)
    version = found.get("schema_version") if isinstance(found, dict) else None
    if isinstance(version, int) and version > VERSION:
        raise UsageError(
            f"{source}: schema_version is {version}; this otabridge reads {VERSION}: upgrade otabridge, or take the "
            "modules of its version"
        )
    try:
        config = msgspec.convert(found, ToolConfig)
    except msgspec.ValidationError as error:
        raise UsageError(f"{source}: {_named(str(error))}") from error
    _check(config, source)
    return config


def _decode(data: bytes, source: str) -> Json:
    if len(data) > MAX_BYTES:
        raise UsageError(f"{source}: larger than {MAX_BYTES} bytes; give what `terraform output -json` prints")
    try:
        document = msgspec.json.decode(data)
    except (msgspec.DecodeError, RecursionError) as error:
        raise UsageError(f"{source}: not what `terraform output -json` prints: {error}") from error
    if not isinstance(document, dict):
        raise UsageError(f"{source}: not what `terraform output -json` prints: an object is expected")
    return document


def _value(document: Json, source: str, output: str) -> object:
    """The value of the output, whichever of the two shapes it has. Raises: UsageError."""
    if not document:
        raise UsageError(
            f"{source}: Terraform knows no outputs. Either nothing was applied yet, or this is another folder or "
            "workspace (`terraform workspace show`): run `terraform apply`, then `terraform output -json` again"
        )
    wrapped = document.get(output)
    if _is_wrapped(wrapped):
        return wrapped["value"] if isinstance(wrapped, dict) else None
    if not all(map(_is_wrapped, document.values())):
        return document
    raise UsageError(
        f"{source}: there is no output {output} among {', '.join(sorted(document))}. Add it to the root module, "
        f'output "{output}" {{ value = module.NAME.{OUTPUT} }}, and apply; or name another with --terraform-output'
    )


def _is_wrapped(value: object) -> bool:
    return isinstance(value, dict) and value.keys() == {"sensitive", "type", "value"}


def _named(message: str) -> str:
    """`field: what is wrong` of msgspec's words."""
    what, _, path = message.partition(" - at ")
    field = path.removeprefix("key in ").removeprefix("`key` in ").strip("`$.")
    return f"{field or OUTPUT}: {what[:1].lower() + what[1:]}"


def _check(config: ToolConfig, source: str) -> None:
    cloud = config.fleet.get("cloud")
    if cloud != config.provider:
        raise UsageError(f"{source}: fleet.cloud is {cloud!r} and provider is {config.provider!r}; they must be one")
    for part, values in (("fleet", config.fleet), ("resources", config.resources)):
        for name, value in values.items():
            if any(map(_SECRET.search, _texts(value))):
                raise UsageError(
                    f"{source}: {part}.{name} looks like a secret, which has no place here: it would be written to "
                    "files that people share. Take it out of the output"
                )


def _texts(value: object) -> Iterator[str]:
    """Every text in the value, names too."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, each in value.items():
            yield name
            yield from _texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)

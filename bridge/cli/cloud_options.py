"""Options of the command line made from a structure that an adapter declares, and their values read back.

Whether a value is missing or wrong is the adapter's to say: here every option may be left out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from inspect import Parameter
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from bridge.errors import UsageError
from bridge.translation import NamedFile, option_name

CHUNK_BYTES = 1024 * 1024
Fields = Mapping[str, msgspec.inspect.Type]
"""Names and types of an adapter's options."""


def fields_of(options: type[msgspec.Struct]) -> Fields:
    """What the structure declares."""
    return {field.name: msgspec.inspect.type_info(field.type) for field in msgspec.structs.fields(options)}


def parameters_of(options: type[msgspec.Struct]) -> Iterator[Parameter]:
    """The same as parameters of a typer command; a field's description and default become the option's help."""
    for field in msgspec.structs.fields(options):
        info = msgspec.inspect.type_info(field.type)
        option = typer.Option(option_name(field.name), help=_help(info, field.default))
        taken = _kind(_bare(info))
        yield Parameter(field.name, Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[taken, option])


def values_of(fields: Fields, given: Mapping[str, object]) -> dict[str, object]:
    """What was given, as the adapter takes it: files are hashed, and a time that was left out is now.

    Raises: UsageError: a file cannot be read.
    """
    values: dict[str, object] = {}
    for name, info in fields.items():
        value = given[name]
        if value is None and isinstance(_bare(info), msgspec.inspect.DateTimeType):
            values[name] = datetime.now(UTC)
        elif isinstance(value, list) and _are_files(_bare(info)):
            values[name] = tuple(msgspec.to_builtins(each) for each in named_files(value))
        elif value not in (None, []):
            values[name] = value
    return values


def named_files(paths: Sequence[Path]) -> Iterator[NamedFile]:
    """The files at `paths`, each read once to its end. Raises: UsageError."""
    names = [path.name for path in paths]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise UsageError(f"--file: two of the files are named {twice!r}; a cloud knows them by name")
    yield from map(_named_file, paths)


def _named_file(path: Path) -> NamedFile:
    digest, size = hashlib.sha256(), 0
    try:
        with path.open("rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                digest.update(chunk)
                size += len(chunk)
    except OSError as error:
        raise UsageError(f"--file {path} cannot be read: {error.strerror}") from error
    return NamedFile(path.name, size, digest.hexdigest())


def _help(info: msgspec.inspect.Type, default: object) -> str:
    schema = info.extra_json_schema if isinstance(info, msgspec.inspect.Metadata) else None
    words = str((schema or {}).get("description", ""))
    return f"{words} Default: {default}." if isinstance(default, str | int) and default != "" else words


def _bare(info: msgspec.inspect.Type) -> msgspec.inspect.Type:
    """The type without its description and without null."""
    if isinstance(info, msgspec.inspect.Metadata):
        return _bare(info.type)
    if isinstance(info, msgspec.inspect.UnionType):
        return next(_bare(each) for each in info.types if not isinstance(each, msgspec.inspect.NoneType))
    return info


def _kind(info: msgspec.inspect.Type) -> object:
    """What typer reads for it."""
    if isinstance(info, msgspec.inspect.VarTupleType):
        return list[Path] | None if _are_files(info) else list[str] | None
    return int | None if isinstance(info, msgspec.inspect.IntType) else str | None


def _are_files(info: msgspec.inspect.Type) -> bool:
    item = _bare(info.item_type) if isinstance(info, msgspec.inspect.VarTupleType) else None
    return isinstance(item, msgspec.inspect.StructType) and item.cls is NamedFile

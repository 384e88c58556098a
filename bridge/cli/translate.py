"""`otabridge translate CLOUD`: what a cloud would be sent for one stage, for people who create it with other tools.

Nothing is called. The options that a cloud needs are the cloud's own; its adapter checks them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from inspect import Signature
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from bridge import wiring
from bridge.cli.cloud_options import fields_of, parameters_of, values_of
from bridge.cli.console import Output, OutputOption, show
from bridge.errors import UsageError
from bridge.files import read_bounded
from bridge.folder import read_document
from bridge.roots import has_roots, read_trust
from bridge.translation import Parts, Translation

MAX_CHECKED = 256 * 1024
DEFAULT_TRUST = Path("trust")

app = typer.Typer(
    help="Print one stage in a cloud's own words, or check what somebody else wrote for that cloud.",
    no_args_is_help=True,
)


class Command:
    """`otabridge translate CLOUD`, as typer takes it: the options of every cloud, then this one's own."""

    def __init__(self, cloud: str, translation: Translation) -> None:
        self._fields = fields_of(translation.Options)
        self._act: Callable[..., None] = partial(translate, cloud, translation)
        shared = Signature.from_callable(translate, eval_str=True).parameters
        parameters = [*[shared[name] for name in SHARED], *parameters_of(translation.Options)]
        self.__signature__ = Signature(parameters)
        self.__annotations__ = {each.name: each.annotation for each in parameters}
        self.__name__ = cloud
        self.__doc__ = f"Print one stage in the words of {cloud}, or check what somebody else wrote for it."

    def __call__(self, **given: object) -> None:
        """Run it with what typer has read."""
        shared = {name: value for name, value in given.items() if name in SHARED}
        self._act(values_of(self._fields, given), **shared)


def translate(
    cloud: str,
    translation: Translation,
    options: Mapping[str, object],
    *,
    release: Annotated[Path | None, typer.Argument(help="Folder of the release, or its release.json.")] = None,
    trust: Annotated[
        Path | None, typer.Option(envvar="OTABRIDGE_TRUST", help="Trust folder; else ./trust where it exists.")
    ] = None,
    only: Annotated[str | None, typer.Option(metavar="PART", help="Print this part alone, as it is.")] = None,
    check: Annotated[Path | None, typer.Option(help="Hold this file against the cloud's limits instead.")] = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Print one stage in a cloud's own words, or check what somebody else wrote for that cloud."""
    if check is not None:
        _check(cloud, translation, check, output)
        return
    document = None if release is None else read_document(release)
    roots = () if release is None else _later_roots(trust)
    parts = translation.translate(document, roots, options)
    if only is None:
        show(parts, "\n".join(_text(part) for part in parts.values()), output)
    else:
        _print(cloud, parts, only, output)


SHARED = ("release", "trust", "only", "check", "output")


def _later_roots(trust: Path | None) -> tuple[bytes, ...]:
    """The roots after the first, which devices have pinned. Raises: UsageError, UntrustedRoot."""
    folder = trust or DEFAULT_TRUST
    if trust is None and not has_roots(folder):
        return ()
    return tuple(read_trust(folder).chain[1:])


def _print(cloud: str, parts: Parts, name: str, output: Output) -> None:
    """One part; where another part names its digest, to the byte, without a line feed more."""
    if name not in parts:
        raise UsageError(f"translate {cloud}: there is no {name!r} with these options; there is {', '.join(parts)}")
    part = parts[name]
    if isinstance(part, msgspec.Raw):
        typer.echo(bytes(part), nl=False)
    else:
        show(part, _text(part), output)


def _text(part: object) -> str:
    return msgspec.json.format(msgspec.json.encode(part)).decode()


def _check(cloud: str, translation: Translation, file: Path, output: Output) -> None:
    text = read_bounded(file, MAX_CHECKED, "file to check")
    if len(text) > MAX_CHECKED:
        raise UsageError(f"{file}: larger than {MAX_CHECKED} bytes, which no cloud takes")
    try:
        found = translation.check(text)
    except UsageError as error:
        raise UsageError(f"{file}: {error}") from error
    if found:
        raise UsageError("\n  ".join([f"{file}: limits of {cloud} that it breaks: {len(found)}", *found]))
    show({"file": str(file), "broken": []}, f"{file}: within every limit of {cloud} that is known here", output)


for _cloud, _translation in wiring.translations().items():
    app.command(name=_cloud)(Command(_cloud, _translation))

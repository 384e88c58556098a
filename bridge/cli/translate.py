"""`otabridge translate`: what a cloud would be sent for one stage, for people who create it with other tools.

Nothing is called. The options that a cloud needs are the cloud's own; its adapter checks them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from bridge import wiring
from bridge.cli.console import Output, OutputOption, show
from bridge.errors import UsageError
from bridge.files import read_bounded
from bridge.folder import read_document
from bridge.roots import has_roots, read_trust

MAX_CHECKED = 256 * 1024
DEFAULT_TRUST = Path("trust")


def translate(
    cloud: Annotated[str, typer.Argument(help="Whose words: aws.")],
    release: Annotated[Path | None, typer.Argument(help="Folder of the release, or its release.json.")] = None,
    *,
    stage: Annotated[str | None, typer.Option(help="Key of the stage; names the job.")] = None,
    thing: Annotated[list[str] | None, typer.Option(help="Target device, name or ARN; may be repeated.")] = None,
    group: Annotated[list[str] | None, typer.Option(help="Target group, name or ARN; may be repeated.")] = None,
    bucket: Annotated[str | None, typer.Option(help="Where the artifacts lie.")] = None,
    region: Annotated[str | None, typer.Option(help="The fleet's region.")] = None,
    role_arn: Annotated[str | None, typer.Option(help="Role that signs downloads.")] = None,
    account: Annotated[str | None, typer.Option(help="Account, to turn names into ARNs.")] = None,
    prefix: Annotated[str | None, typer.Option(help="Folder of the artifacts in the bucket.")] = None,
    timeout_minutes: Annotated[int | None, typer.Option(help="Minutes that one device may take.")] = None,
    trust: Annotated[
        Path | None, typer.Option(envvar="OTABRIDGE_TRUST", help="Trust folder; else ./trust where it exists.")
    ] = None,
    document_only: Annotated[bool, typer.Option(help="Print what devices receive, alone.")] = False,
    input_only: Annotated[bool, typer.Option(help="Print the input of the cloud's call, alone.")] = False,
    check: Annotated[Path | None, typer.Option(help="Hold this file against the cloud's limits instead.")] = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Print one stage in a cloud's own words, or check what somebody else wrote for that cloud."""
    if check is not None:
        _check(cloud, check, output)
        return
    if release is None or (document_only and input_only):
        raise UsageError("translate: name a release, and at most one of --document-only and --input-only")
    place = _given(bucket=bucket, region=region, role_arn=role_arn, account=account, prefix=prefix)
    order = _given(stage=stage, thing=thing or (), group=group or (), timeout_minutes=timeout_minutes)
    parts = _translate(cloud, release, trust, {**place, **order})
    names = ["document"] if document_only else ["input"] if input_only else list(parts)
    _print(parts, names, output)


def _given(**options: object) -> Mapping[str, object]:
    """The options that were given; what is left out is the adapter's to default or to demand."""
    return {name: value for name, value in options.items() if value is not None}


def _translate(cloud: str, release: Path, trust: Path | None, options: Mapping[str, object]) -> Mapping[str, object]:
    return wiring.translate(cloud, read_document(release), _later_roots(trust), options)


def _later_roots(trust: Path | None) -> tuple[bytes, ...]:
    """The roots after the first, which devices have pinned. Raises: UsageError, UntrustedRoot."""
    folder = trust or DEFAULT_TRUST
    if trust is None and not has_roots(folder):
        return ()
    return tuple(read_trust(folder).chain[1:])


def _print(parts: Mapping[str, object], names: list[str], output: Output) -> None:
    """One part as it is; several as one object (json), or one after the other (text)."""
    missing = [name for name in names if name not in parts]
    if missing:
        raise UsageError(f"translate: there is no {missing[0]} without a target: give --thing or --group")
    chosen = {name: parts[name] for name in names}
    text = "\n".join(msgspec.json.format(msgspec.json.encode(part)).decode() for part in chosen.values())
    show(chosen if len(names) > 1 else chosen[names[0]], text, output)


def _check(cloud: str, file: Path, output: Output) -> None:
    text = read_bounded(file, MAX_CHECKED, "file to check")
    if len(text) > MAX_CHECKED:
        raise UsageError(f"{file}: larger than {MAX_CHECKED} bytes, which no cloud takes")
    try:
        found = wiring.broken_limits(cloud, text)
    except UsageError as error:
        raise UsageError(f"{file}: {error}") from error
    if found:
        raise UsageError("\n  ".join([f"{file}: limits of {cloud} that it breaks: {len(found)}", *found]))
    show({"file": str(file), "broken": []}, f"{file}: within every limit of {cloud} that is known here", output)

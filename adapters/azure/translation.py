"""`otabridge translate azure`: what Device Update would be sent, and what is wrong with what others would send. Pure.

For otabridge's agent the update is the one that a rollout imports. For Microsoft's own agent (`microsoft/...` handlers)
it is made of files that a person names.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Literal
from urllib.parse import quote, urlsplit, urlunsplit

import msgspec

from adapters.azure.fleet.request import StageRequest, import_manifest, stage_request
from adapters.azure.formats.import_manifest import SUFFIX, File, ImportManifest, render
from adapters.azure.formats.import_manifest import check as check_manifest
from adapters.azure.microsoft import Work, step_of
from adapters.azure.wire import HANDLER, UpdateId, update_id
from adapters.violations import BrokenLimits
from bridge.errors import UsageError
from bridge.fleet import LimitError, StageOrder
from bridge.names import stage_name
from bridge.release.manifest import parse
from bridge.release.trust import read_release
from bridge.translation import NamedFile, option_name, read_options

PLACE = "https://ACCOUNT.blob.core.windows.net/CONTAINER"
"""Stands for where the files will lie, until somebody says so."""
MINUTES = 60
"""A stage order has a timeout; an update knows none."""
Text = Annotated[str, msgspec.Meta(min_length=1, max_length=512)]
Files = tuple[NamedFile, ...]
Group = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9._~-]{1,200}\Z")]
"""Values of the tag ADUGroup (Device Update documentation, "Manage device groups")."""
Url = Annotated[str, msgspec.Meta(pattern=r"^https://[^\s/]+(/\S*)?\Z", max_length=2048)]
Security = Literal["https", "http"]


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The options of the command. Without a release an update is named by `name`, `version` and `model`."""

    provider: Annotated[Text, msgspec.Meta(description="Begins the update's id, as in the fleet's settings.")]
    manufacturer: Annotated[Text, msgspec.Meta(description="What the devices report as theirs.")]
    group: Annotated[Group | None, msgspec.Meta(description="Target group, a value of the tag ADUGroup.")] = None
    stage: Annotated[Text | None, msgspec.Meta(description="Key of the stage; names the deployment.")] = None
    files_url: Annotated[Url, msgspec.Meta(description="Where files will lie; a SAS may follow after `?`.")] = PLACE
    download_security: Annotated[Security, msgspec.Meta(description="How devices download: https or http.")] = "https"
    created: Annotated[datetime, msgspec.Meta(tz=True, description="When the update was made. Default: now.")]
    handler: Annotated[str, msgspec.Meta(description="The step's handler; microsoft/... for Microsoft's agent.")] = (
        HANDLER
    )
    file: Annotated[Files, msgspec.Meta(description="microsoft: a file of the update; may be repeated.")] = ()
    script: Annotated[Text | None, msgspec.Meta(description="microsoft: the name of the file that is run.")] = None
    installed_criteria: Annotated[Text | None, msgspec.Meta(description="microsoft: tells that it is installed.")] = (
        None
    )
    arguments: Annotated[Text | None, msgspec.Meta(description="microsoft: arguments of the script.")] = None
    name: Annotated[Text | None, msgspec.Meta(description="microsoft: the update's name. Default: the release's.")] = (
        None
    )
    version: Annotated[Text | None, msgspec.Meta(description="microsoft: its version. Default: the release's.")] = None
    model: Annotated[
        Text | None, msgspec.Meta(description="microsoft: the devices' model. Default: the release's.")
    ] = None


MICROSOFT = ("file", "script", "installed_criteria", "arguments", "name", "version", "model")
"""Options that mean nothing to otabridge's agent, whose update is the release."""


def translate(release: bytes | None, roots: tuple[bytes, ...], options: Mapping[str, object]) -> dict[str, object]:
    """`document`, the import manifest; `roots` where there are any, the file roots.json; `input`, the body of
    updates:import; and, given a group, `deployment`, the body of the deployment.

    Raises: UsageError; LimitError, with every limit that is broken; ReleaseError.
    """
    chosen = read_options("azure", options, Options)
    try:
        return _own(release, roots, chosen) if chosen.handler == HANDLER else _microsoft(release, chosen)
    except BrokenLimits as error:
        raise LimitError(f"translate azure: {error}") from error


def check(text: bytes) -> tuple[str, ...]:
    """The limits that an import manifest breaks."""
    return check_manifest(text)


def _own(release: bytes | None, roots: tuple[bytes, ...], options: Options) -> dict[str, object]:
    """For otabridge's agent: the same bytes as a rollout imports at that time."""
    given = [name for name in MICROSOFT if getattr(options, name)]
    if given:
        raise UsageError(f"translate azure: {option_name(given[0])} goes with --handler microsoft/...")
    if release is None:
        raise UsageError("translate azure: name a release")
    order = StageOrder(options.stage or "", release, roots, (), MINUTES)
    request = stage_request(order, provider=options.provider, manufacturer=options.manufacturer)
    document = import_manifest(request, options.created)
    roots_file = {"roots": msgspec.Raw(request.roots_file)} if request.roots_file else {}
    calls = _calls(document, request.update_id, _names(request), options)
    return {"document": msgspec.Raw(document), **roots_file, **calls}


def _names(request: StageRequest) -> tuple[str, ...]:
    return (*request.metadata, *(each.name for each in request.release.artifacts))


def _microsoft(release: bytes | None, options: Options) -> dict[str, object]:
    names = tuple(each.name for each in options.file)
    work = Work(options.handler, names, options.script or "", options.installed_criteria or "", options.arguments or "")
    try:
        step = step_of(work)
    except UsageError as error:
        raise UsageError(f"translate azure: {error}") from error
    name, version, model = _named(release, options)
    manifest = ImportManifest(
        version="4.0",
        update_id=_update_id(name, version, options),
        compatibility=({"manufacturer": options.manufacturer, "model": model},),
        steps=(step,),
        files=tuple(File(each.name, each.size, each.sha256) for each in options.file),
        created=options.created,
    )
    document = render(manifest)
    return {"document": msgspec.Raw(document), **_calls(document, manifest.update_id, names, options)}


def _update_id(name: str, version: str, options: Options) -> UpdateId:
    """The update's id. Raises: BrokenLimits, which name the options where a value was given by one."""
    given = {"provider": options.provider, "release.name": options.name, "release.version": options.version}
    try:
        return update_id(options.provider, name, version)
    except BrokenLimits as error:
        broken = [replace(each, field=_field(each.field, given)) for each in error.violations]
        raise BrokenLimits(tuple(broken)) from error


def _field(field: str, given: Mapping[str, str | None]) -> str:
    return option_name(field.removeprefix("release.")) if given.get(field) else field


def _named(release: bytes | None, options: Options) -> tuple[str, str, str]:
    """Name, version and model of the update: as they were given, else the release's."""
    found: dict[str, str] = {}
    if release is not None:
        known = parse(read_release(release).signed)
        found = {"name": known.name, "version": known.version, "model": known.compatibility.model}
    given = {"name": options.name, "version": options.version, "model": options.model}
    chosen = {name: value or found.get(name, "") for name, value in given.items()}
    missing = [name for name, value in chosen.items() if not value]
    if missing:
        raise UsageError(f"translate azure: {option_name(missing[0])} is missing, or name a release that has it")
    return chosen["name"], chosen["version"], chosen["model"]


def _calls(document: bytes, update: UpdateId, names: Sequence[str], options: Options) -> dict[str, object]:
    """The bodies of the calls that import the update and deploy it (REST API 2026-06-01)."""
    calls: dict[str, object] = {"input": [_item(document, update, names, options)]}
    if options.group is not None:
        calls["deployment"] = _deployment(options.group, update, options)
    elif options.stage is not None:
        raise UsageError("translate azure: --stage names a deployment, which --group is missing for")
    return calls


def _item(document: bytes, update: UpdateId, names: Sequence[str], options: Options) -> dict[str, object]:
    digest = base64.b64encode(hashlib.sha256(document).digest()).decode()
    url = _url(options, f"{update.name}-{update.version}{SUFFIX}")
    return {
        "importManifest": {"url": url, "sizeInBytes": len(document), "hashes": {"sha256": digest}},
        "files": [{"filename": name, "url": _url(options, name)} for name in names],
    }


def _url(options: Options, name: str) -> str:
    """Where a file will lie; a SAS stays at the end."""
    place = urlsplit(options.files_url)
    return urlunsplit(place._replace(path=f"{place.path.rstrip('/')}/{quote(name)}"))


def _deployment(group: str, update: UpdateId, options: Options) -> dict[str, object]:
    return {
        "deploymentId": stage_name(options.stage or group),
        "groupId": group,
        "startDateTime": options.created.isoformat(timespec="seconds").replace("+00:00", "Z"),
        "update": {"updateId": {"provider": update.provider, "name": update.name, "version": update.version}},
        "downloadSecurity": options.download_security,
    }

"""The import manifest: what an operator gives Device Update beside the files of an update. Pure.

`render` and `parse` are inverse to each other. Versions 4.0 and 5.0 differ in related files and download handlers
alone. A device never sees this text: the service makes an update manifest of it (`update_manifest`).
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

import msgspec

from adapters.azure.formats.import_limits import MAX_MANIFEST_BYTES, violations
from adapters.azure.wire import UpdateId
from adapters.violations import BrokenLimits, Violation

SUFFIX = ".importmanifest.json"
"""How the file's name must end for the portal to take it."""


@dataclass(frozen=True, slots=True)
class RelatedFile:
    """A file from which a download handler makes another, such as a delta; `sha256` in lower-case hex."""

    name: str
    length: int
    sha256: str
    properties: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class File:
    """One file of an update: `length` in bytes, `sha256` in lower-case hex; the last three in version 5.0 only."""

    name: str
    length: int
    sha256: str
    properties: Mapping[str, object] = field(default_factory=dict)
    related: tuple[RelatedFile, ...] = ()
    download_handler: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """What `handler` does with some of the files, by name."""

    handler: str
    files: tuple[str, ...]
    properties: Mapping[str, object] = field(default_factory=dict)
    description: str = ""


@dataclass(frozen=True, slots=True)
class ReferenceStep:
    """Another update, imported before or together with this one."""

    update_id: UpdateId
    description: str = ""


@dataclass(frozen=True, slots=True)
class ImportManifest:
    """An update as it is imported; `version` is "4.0" or "5.0", `created` a time with its zone.

    An update that is not `deployable` can be a step of others only.
    """

    version: str
    update_id: UpdateId
    compatibility: tuple[Mapping[str, str], ...]
    steps: tuple[Step | ReferenceStep, ...]
    files: tuple[File, ...]
    created: datetime
    description: str = ""
    deployable: bool = True


def render(manifest: ImportManifest) -> bytes:
    """`manifest` as JSON; the same bytes for the same value.

    Raises:
        BrokenLimits: with every limit that the service would refuse it for.
    """
    value = _render(manifest)
    found = violations(value)
    if found:
        raise BrokenLimits(found)
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def parse(text: bytes) -> ImportManifest:
    """Anybody's import manifest. Members that mean nothing here, and hashes beside SHA-256, are passed over.

    Raises:
        BrokenLimits: with everything that is wrong with it.
    """
    found = _violations(text)
    if found:
        raise BrokenLimits(found)
    return _manifest(msgspec.json.decode(text, type=_Manifest))


def check(text: bytes) -> tuple[str, ...]:
    """Every limit that an import manifest breaks, in words; () when the service should take it."""
    return tuple(map(str, _violations(text)))


def _violations(text: bytes) -> tuple[Violation, ...]:
    if len(text) > MAX_MANIFEST_BYTES:
        return (Violation("import manifest", f"{len(text)} bytes", f"at most {MAX_MANIFEST_BYTES} are read"),)
    try:
        return violations(msgspec.json.decode(text))
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        return (Violation("import manifest", "not JSON in UTF-8", str(error)),)


class _Hashes(msgspec.Struct, frozen=True):
    sha256: str


class _RelatedFile(msgspec.Struct, frozen=True, rename="camel"):
    filename: str
    size_in_bytes: int
    hashes: _Hashes
    properties: dict[str, object] | None = None


class _Handler(msgspec.Struct, frozen=True):
    id: str


class _File(_RelatedFile, frozen=True, rename="camel"):
    related_files: tuple[_RelatedFile, ...] | None = None
    download_handler: _Handler | None = None


class _Id(msgspec.Struct, frozen=True):
    provider: str
    name: str
    version: str


class _Step(msgspec.Struct, frozen=True, rename="camel"):
    type: str | None = None
    description: str | None = None
    handler: str = ""
    files: tuple[str, ...] = ()
    handler_properties: dict[str, object] | None = None
    update_id: _Id | None = None


class _Instructions(msgspec.Struct, frozen=True):
    steps: tuple[_Step, ...]


class _Manifest(msgspec.Struct, frozen=True, rename="camel"):
    manifest_version: str
    update_id: _Id
    compatibility: tuple[dict[str, str], ...]
    instructions: _Instructions
    created_date_time: datetime
    files: tuple[_File, ...] | None = None
    description: str | None = None
    is_deployable: bool | None = None


def _manifest(wire: _Manifest) -> ImportManifest:
    return ImportManifest(
        version=wire.manifest_version,
        update_id=_id(wire.update_id),
        compatibility=wire.compatibility,
        steps=tuple(map(_step, wire.instructions.steps)),
        files=tuple(map(_file, wire.files or ())),
        created=wire.created_date_time,
        description=wire.description or "",
        deployable=wire.is_deployable is not False,
    )


def _id(wire: _Id) -> UpdateId:
    """The service drops leading zeros of a version on import."""
    return UpdateId(wire.provider, wire.name, ".".join(str(int(part)) for part in wire.version.split(".")))


def _step(wire: _Step) -> Step | ReferenceStep:
    if wire.update_id is not None:
        return ReferenceStep(_id(wire.update_id), wire.description or "")
    return Step(wire.handler, wire.files, wire.handler_properties or {}, wire.description or "")


def _file(wire: _File) -> File:
    return File(
        wire.filename,
        wire.size_in_bytes,
        _hex(wire.hashes),
        wire.properties or {},
        tuple(map(_related, wire.related_files or ())),
        wire.download_handler.id if wire.download_handler else "",
    )


def _related(wire: _RelatedFile) -> RelatedFile:
    return RelatedFile(wire.filename, wire.size_in_bytes, _hex(wire.hashes), wire.properties or {})


def _hex(hashes: _Hashes) -> str:
    return base64.b64decode(hashes.sha256).hex()


def _render(manifest: ImportManifest) -> dict[str, object]:
    return {
        "manifestVersion": manifest.version,
        "updateId": _render_id(manifest.update_id),
        **_given(description=manifest.description),
        **({} if manifest.deployable else {"isDeployable": False}),
        "compatibility": [dict(each) for each in manifest.compatibility],
        "instructions": {"steps": [_render_step(step) for step in manifest.steps]},
        **_given(files=[_render_file(file) for file in manifest.files]),
        "createdDateTime": _render_time(manifest.created),
    }


def _render_time(created: datetime) -> str:
    """A time without zone stays so, for the limits to name: nobody knows which moment it is."""
    if created.utcoffset() is None:
        return created.isoformat()
    return created.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _given(**members: object) -> dict[str, object]:
    """Without the empty ones, which the service refuses."""
    return {name: value for name, value in members.items() if value}


def _render_id(update_id: UpdateId) -> dict[str, object]:
    return {"provider": update_id.provider, "name": update_id.name, "version": update_id.version}


def _render_step(step: Step | ReferenceStep) -> dict[str, object]:
    described = _given(description=step.description)
    if isinstance(step, ReferenceStep):
        return {"type": "reference", **described, "updateId": _render_id(step.update_id)}
    properties = _given(handlerProperties=dict(step.properties))
    return {"type": "inline", **described, "handler": step.handler, "files": list(step.files), **properties}


def _render_file(file: File) -> dict[str, object]:
    handler = {"id": file.download_handler} if file.download_handler else None
    related = [_render_content(each) for each in file.related]
    return {**_render_content(file), **_given(relatedFiles=related, downloadHandler=handler)}


def _render_content(file: File | RelatedFile) -> dict[str, object]:
    return {
        "filename": file.name,
        "sizeInBytes": file.length,
        "hashes": {"sha256": _base64(file.sha256)},
        **_given(properties=dict(file.properties)),
    }


def _base64(digest: str) -> str:
    """What is no hex becomes no hash, for the limits to name."""
    try:
        return base64.b64encode(bytes.fromhex(digest)).decode()
    except ValueError:
        return digest

"""The update manifest: what a device finds in its twin once Device Update has taken an import apart. Pure.

It is another format than the import manifest. `files` is a map by file id, and the published schema is wrong about the
wire: signed manifests say `fileName`. A manifest too long for a twin comes in a mini form that names one file, the
detached manifest, and that file holds the manifest proper. Members that are not read here are passed over.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated, TypeVar

import msgspec

from adapters.azure.formats.rsa_keys import decode_either
from adapters.azure.wire import (
    HANDLER,
    MAX_ROOTS_FILE,
    RELEASE_FILE,
    ROOTS_FILE,
    ForeignUpdate,
    MalformedUpdate,
    UpdateId,
    artifact_files,
)
from bridge.release.manifest import MAX_RELEASE_BYTES, PRINTABLE

VERSIONS = frozenset({"4", "5"})
MAX_TEXT_BYTES = 64 * 1024
MAX_DETACHED_BYTES = 2 * MAX_TEXT_BYTES
"""The file around a detached manifest: its quotes are escaped in there."""
MAX_STEPS = 10
MAX_FILES = 20
MAX_FILE_BYTES = 2**31

T = TypeVar("T")
_ARTIFACT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_OUR_HANDLERS = HANDLER.partition(":")[0] + ":"


@dataclass(frozen=True, slots=True)
class UpdateFile:
    """One file of an update: `length` in bytes, `sha256` in lower-case hex, both signed."""

    file_id: str
    name: str
    length: int
    sha256: str


@dataclass(frozen=True, slots=True)
class InlineStep:
    """What a handler does with some files, by their ids."""

    handler: str
    files: tuple[str, ...]
    properties: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class ReferenceStep:
    """Another update, whose detached manifest is the file of that id."""

    detached_file_id: str


@dataclass(frozen=True, slots=True)
class UpdateManifest:
    """An update as a device is told it; of the mini form `detached_file_id` is set, and there are no steps."""

    version: str
    update_id: UpdateId
    compatibility: tuple[Mapping[str, str], ...]
    steps: tuple[InlineStep | ReferenceStep, ...]
    files: Mapping[str, UpdateFile]
    detached_file_id: str | None = None


def parse(text: str) -> UpdateManifest:
    """The manifest in `text`, full or mini.

    Raises:
        ForeignUpdate: of a version that this program does not read.
        MalformedUpdate: a field is missing, of the wrong type or outside its limit; the message names it.
    """
    data = _bounded(text)
    version = _decode(data, _Version, "update manifest").manifest_version
    if version not in VERSIONS:
        raise ForeignUpdate(
            f"update manifest: manifestVersion is {version[:16]!r}; this agent reads 4 and 5: update it"
        )
    if _decode(data, _Kind, "update manifest").detached_manifest_file_id is not None:
        return _mini(_decode(data, _Mini, "update manifest"))
    return _full(_decode(data, _Full, "update manifest"))


def parse_detached(text: bytes) -> str:
    """The manifest inside a detached manifest, for `parse`; the file's own hash is the caller's to check.

    Raises: MalformedUpdate.
    """
    if len(text) > MAX_DETACHED_BYTES:
        raise MalformedUpdate(f"detached manifest: {len(text)} bytes; the limit is {MAX_DETACHED_BYTES}")
    return _decode(text, _Detached, "detached manifest").update_manifest


def release_files(manifest: UpdateManifest) -> Mapping[str, UpdateFile]:
    """The files of the release that `manifest` carries, by name, metadata and artifacts.

    Raises:
        ForeignUpdate: the update is for some other handler, or a later one of ours.
        MalformedUpdate: it is for ours and does not keep its form.
    """
    files = [manifest.files[file_id] for file_id in _our_step(manifest).files]
    named = {file.name: file for file in files}
    if len(named) != len(files):
        raise MalformedUpdate("update manifest: two files of the release have the same name")
    _require_metadata(named)
    for name in artifact_files(tuple(named)):
        if not _ARTIFACT.fullmatch(name):
            raise MalformedUpdate(f"update manifest: {name[:80]!r} is no name of an artifact")
    return MappingProxyType(named)


_Id = Annotated[str, msgspec.Meta(min_length=1, max_length=128, pattern=PRINTABLE)]
_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=255, pattern=PRINTABLE)]
_Word = Annotated[str, msgspec.Meta(min_length=1, max_length=64, pattern=PRINTABLE)]


class _FileWire(msgspec.Struct, frozen=True, rename="camel"):
    file_name: _Name
    size_in_bytes: Annotated[int, msgspec.Meta(ge=0, le=MAX_FILE_BYTES)]
    hashes: Annotated[dict[str, str], msgspec.Meta(max_length=8)]


_Files = Annotated[dict[_Id, _FileWire], msgspec.Meta(max_length=MAX_FILES)]


class _StepWire(msgspec.Struct, frozen=True, rename="camel"):
    type: str = "inline"
    handler: _Word | None = None
    files: Annotated[tuple[_Id, ...], msgspec.Meta(max_length=MAX_FILES)] = ()
    handler_properties: dict[str, object] = {}
    detached_manifest_file_id: _Id | None = None


class _InstructionsWire(msgspec.Struct, frozen=True):
    steps: Annotated[tuple[_StepWire, ...], msgspec.Meta(min_length=1, max_length=MAX_STEPS)]


class _IdWire(msgspec.Struct, frozen=True):
    provider: _Word
    name: _Word
    version: _Word


class _Version(msgspec.Struct, frozen=True, rename="camel"):
    manifest_version: str


class _Kind(msgspec.Struct, frozen=True, rename="camel"):
    detached_manifest_file_id: _Id | None = None


class _Mini(msgspec.Struct, frozen=True, rename="camel"):
    manifest_version: str
    update_id: _IdWire
    detached_manifest_file_id: _Id
    files: Annotated[dict[_Id, _FileWire], msgspec.Meta(min_length=1, max_length=1)]


class _Full(msgspec.Struct, frozen=True, rename="camel"):
    manifest_version: str
    update_id: _IdWire
    compatibility: Annotated[
        tuple[Annotated[dict[_Word, _Word], msgspec.Meta(max_length=5)], ...], msgspec.Meta(max_length=10)
    ]
    instructions: _InstructionsWire
    files: _Files


class _Detached(msgspec.Struct, frozen=True, rename="camel"):
    update_manifest: str


def _bounded(text: str) -> bytes:
    try:
        data = text.encode()
    except UnicodeEncodeError as error:
        raise MalformedUpdate(f"update manifest: not text in UTF-8: {error}") from error
    if len(data) > MAX_TEXT_BYTES:
        raise MalformedUpdate(f"update manifest: {len(data)} bytes; the limit is {MAX_TEXT_BYTES}")
    return data


def _decode(data: bytes, kind: type[T], what: str) -> T:
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise MalformedUpdate(f"{what}: {error}") from error


def _mini(wire: _Mini) -> UpdateManifest:
    files = _files(wire.files)
    _require_files((wire.detached_manifest_file_id,), files, "detachedManifestFileId")
    return UpdateManifest(wire.manifest_version, _id(wire), (), (), files, wire.detached_manifest_file_id)


def _full(wire: _Full) -> UpdateManifest:
    files = _files(wire.files)
    steps = tuple(_step(step, files, f"instructions.steps[{at}]") for at, step in enumerate(wire.instructions.steps))
    return UpdateManifest(wire.manifest_version, _id(wire), wire.compatibility, steps, files)


def _id(wire: _Mini | _Full) -> UpdateId:
    return UpdateId(wire.update_id.provider, wire.update_id.name, wire.update_id.version)


def _files(files: Mapping[str, _FileWire]) -> Mapping[str, UpdateFile]:
    return MappingProxyType({file_id: _file(file_id, file) for file_id, file in files.items()})


def _file(file_id: str, wire: _FileWire) -> UpdateFile:
    try:
        digest = decode_either(wire.hashes.get("sha256", ""))
    except ValueError as error:
        raise MalformedUpdate(f"update manifest: files.{file_id}.hashes.sha256: {error}") from error
    if len(digest) != 32:  # noqa: PLR2004 - bytes of a SHA-256
        raise MalformedUpdate(f"update manifest: files.{file_id}.hashes.sha256 is missing, or no SHA-256")
    return UpdateFile(file_id, wire.file_name, wire.size_in_bytes, digest.hex())


def _step(wire: _StepWire, files: Mapping[str, UpdateFile], where: str) -> InlineStep | ReferenceStep:
    if wire.type == "reference" and wire.detached_manifest_file_id is not None:
        _require_files((wire.detached_manifest_file_id,), files, f"{where}.detachedManifestFileId")
        return ReferenceStep(wire.detached_manifest_file_id)
    if wire.type != "inline" or wire.handler is None:
        raise MalformedUpdate(f"update manifest: {where} is neither an inline step with a handler nor a reference")
    _require_files(wire.files, files, f"{where}.files")
    return InlineStep(wire.handler, wire.files, MappingProxyType(wire.handler_properties))


def _require_files(file_ids: Sequence[str], files: Mapping[str, UpdateFile], where: str) -> None:
    for file_id in file_ids:
        if file_id not in files:
            raise MalformedUpdate(f"update manifest: {where}: {file_id!r} is not among its files")


def _our_step(manifest: UpdateManifest) -> InlineStep:
    if manifest.detached_file_id is not None:
        raise MalformedUpdate("update manifest: a detached manifest holds another detached one")
    steps = manifest.steps
    if not all(isinstance(step, InlineStep) and step.handler == HANDLER for step in steps):
        raise ForeignUpdate(f"the update is not for this agent: it needs {_handlers(steps)}, expected {HANDLER}")
    if len(steps) != 1 or not isinstance(steps[0], InlineStep):
        raise MalformedUpdate(f"update manifest: {len(steps)} steps for {HANDLER}; a release is one")
    return steps[0]


def _handlers(steps: Sequence[InlineStep | ReferenceStep]) -> str:
    names = [step.handler if isinstance(step, InlineStep) else "another update" for step in steps]
    later = any(name.startswith(_OUR_HANDLERS) and name != HANDLER for name in names)
    return ", ".join(dict.fromkeys(names)) + (" (of a later otabridge: update the agent)" if later else "")


def _require_metadata(named: Mapping[str, UpdateFile]) -> None:
    if RELEASE_FILE not in named:
        raise MalformedUpdate(f"update manifest: {RELEASE_FILE} is not among the files of the step")
    for name, most in ((RELEASE_FILE, MAX_RELEASE_BYTES), (ROOTS_FILE, MAX_ROOTS_FILE)):
        if name in named and not 0 < named[name].length <= most:
            raise MalformedUpdate(f"update manifest: {name} has {named[name].length} bytes; the limit is {most}")

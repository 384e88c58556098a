"""Import manifests as Device Update reads them, versions 4.0 and 5.0 (published schemas). Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

VERSIONS = ("4.0", "5.0")
MAX_BYTES = 2 * 1024**3
MAX_MANIFEST_BYTES = 1024 * 1024
_NUMBER = 2**31 - 1
_MAX_HASHES = 2

Name = Annotated[str, Meta(pattern=r"^[a-zA-Z0-9.-]{1,64}$")]
Version = Annotated[str, Meta(pattern=r"^\d{1,10}(\.\d{1,10}){1,3}$")]
Handler = Annotated[str, Meta(min_length=5, max_length=32, pattern=r"^\S+/\S+:\d{1,5}$")]
FileName = Annotated[str, Meta(min_length=1, max_length=255)]
Size = Annotated[int, Meta(ge=1, le=MAX_BYTES)]
Hashes = dict[Annotated[str, Meta(max_length=10)], str]
Compatibility = Annotated[
    dict[Annotated[str, Meta(min_length=1, max_length=32)], Annotated[str, Meta(min_length=1, max_length=64)]],
    Meta(min_length=1, max_length=5),
]
StepText = Annotated[str, Meta(min_length=1, max_length=64)]


class ManifestRefused(Exception):
    """The service does not import this; `code` is its word for why."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class UpdateId(Struct, frozen=True, forbid_unknown_fields=True):
    """Provider, name and version."""

    provider: Name
    name: Name
    version: Version

    def __str__(self) -> str:
        return f"{self.provider}/{self.name}/{self.version}"

    def members(self) -> dict[str, str]:
        """In the order that devices report it."""
        return {"provider": self.provider, "name": self.name, "version": self.version}

    def order(self) -> tuple[int, ...]:
        """What versions of one name are ordered by."""
        return tuple(map(int, self.version.split(".")))


class InlineStep(Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """A handler and the files that it gets."""

    handler: Handler
    files: Annotated[tuple[FileName, ...], Meta(min_length=1, max_length=10)]
    handler_properties: dict[str, object] | UnsetType = UNSET
    description: StepText | UnsetType = UNSET
    type: Literal["inline"] = "inline"


class ReferenceStep(Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """Another update, imported before."""

    type: Literal["reference"]
    update_id: UpdateId
    description: StepText | UnsetType = UNSET


class RelatedFile(Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """A file from which a download handler makes another one."""

    filename: FileName
    size_in_bytes: Size
    hashes: Hashes
    properties: Annotated[dict[str, str], Meta(max_length=5)] = {}


class DownloadHandler(Struct, frozen=True, forbid_unknown_fields=True):
    """Who makes a file of related ones."""

    id: Handler


class File(Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """One file, by name, size and digests in standard base64."""

    filename: FileName
    size_in_bytes: Size
    hashes: Hashes
    properties: dict[str, str] | UnsetType = UNSET
    related_files: Annotated[tuple[RelatedFile, ...], Meta(max_length=4)] = ()
    download_handler: DownloadHandler | UnsetType = UNSET


class _Instructions(Struct, frozen=True, forbid_unknown_fields=True):
    steps: Annotated[tuple[msgspec.Raw, ...], Meta(min_length=1, max_length=10)]


class ImportManifest(Struct, frozen=True, rename="camel"):
    """A whole manifest; `steps` are decoded from `instructions`."""

    manifest_version: str
    update_id: UpdateId
    compatibility: Annotated[tuple[Compatibility, ...], Meta(min_length=1, max_length=10)]
    instructions: _Instructions
    created_date_time: str
    files: Annotated[tuple[File, ...], Meta(max_length=10)] = ()
    description: Annotated[str, Meta(min_length=1, max_length=512)] | UnsetType = UNSET
    is_deployable: bool = True

    def steps(self) -> tuple[InlineStep | ReferenceStep, ...]:
        """Inline steps may leave out their type. Raises: ManifestRefused."""
        return tuple(_step(index, raw) for index, raw in enumerate(self.instructions.steps))

    def everything(self) -> Iterator[File | RelatedFile]:
        """Each file to download."""
        for file in self.files:
            yield file
            yield from file.related_files


def parse(text: bytes) -> ImportManifest:
    """A manifest that keeps every rule.

    Raises:
        ManifestRefused: CannotParse, UnsupportedVersion or CannotProcessImportManifest.
    """
    try:
        head = msgspec.json.decode(text, type=_Head)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ManifestRefused("CannotParse", f"The import manifest cannot be read: {error}") from error
    if head.manifest_version not in VERSIONS:
        raise ManifestRefused("UnsupportedVersion", f"manifestVersion {head.manifest_version!r} is not supported")
    manifest = _decoded(text)
    _check(manifest)
    return manifest


class _Head(Struct, frozen=True, rename="camel"):
    manifest_version: str


class _Kind(Struct, frozen=True):
    type: str = "inline"


def _decoded(text: bytes) -> ImportManifest:
    try:
        return msgspec.json.decode(text, type=ImportManifest)
    except msgspec.DecodeError as error:
        raise ManifestRefused("CannotParse", f"The import manifest breaks its schema: {error}") from error


def _step(index: int, raw: msgspec.Raw) -> InlineStep | ReferenceStep:
    try:
        if msgspec.json.decode(raw, type=_Kind).type == "reference":
            return msgspec.json.decode(raw, type=ReferenceStep)
        return msgspec.json.decode(raw, type=InlineStep)
    except msgspec.DecodeError as error:
        raise ManifestRefused("CannotParse", f"instructions.steps[{index}] breaks its schema: {error}") from error


def _check(manifest: ImportManifest) -> None:
    problems = [
        *_version_problems(manifest),
        *_file_problems(manifest),
        *_step_problems(manifest.steps(), [file.filename for file in manifest.files]),
    ]
    if problems:
        raise ManifestRefused("CannotProcessImportManifest", "; ".join(problems))


def _version_problems(manifest: ImportManifest) -> Iterator[str]:
    if any(number > _NUMBER for number in manifest.update_id.order()):
        yield f"updateId.version: each number is at most {_NUMBER}"
    if manifest.manifest_version == "4.0":
        for file in manifest.files:
            if file.related_files or file.download_handler is not UNSET:
                yield f"{file.filename}: relatedFiles and downloadHandler need manifestVersion 5.0"


def _file_problems(manifest: ImportManifest) -> Iterator[str]:
    files = tuple(manifest.everything())
    if sum(file.size_in_bytes for file in files) > MAX_BYTES:
        yield f"the files of an update have at most {MAX_BYTES} bytes together"
    if len({file.filename for file in manifest.files}) < len(manifest.files):
        yield "two files have the same name"
    for file in files:
        if "sha256" not in file.hashes or len(file.hashes) > _MAX_HASHES:
            yield f"{file.filename}: hashes need sha256, and at most {_MAX_HASHES} algorithms"
    for file in manifest.files:
        if file.related_files and file.download_handler is UNSET:
            yield f"{file.filename}: relatedFiles need a downloadHandler"


def _step_problems(steps: Sequence[InlineStep | ReferenceStep], known: Sequence[str]) -> Iterator[str]:
    for index, step in enumerate(steps):
        if isinstance(step, ReferenceStep):
            continue
        if len(set(step.files)) < len(step.files):
            yield f"instructions.steps[{index}] names a file twice"
        for name in step.files:
            if name not in known:
                yield f"instructions.steps[{index}] names {name}, which is not among the files"


def plain_version(update_id: UpdateId) -> UpdateId:
    """With the leading zeros of its version dropped, as import does."""
    return msgspec.structs.replace(update_id, version=".".join(map(str, update_id.order())))

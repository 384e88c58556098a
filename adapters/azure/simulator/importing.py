"""Imports updates: fetches manifest and files by their URLs, checks them, and takes them in when they are due."""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Protocol

import msgspec
from msgspec import Meta, Struct

from adapters.azure.simulator import manifest as manifests
from adapters.azure.simulator.blob_access import BlobAccess, BlobRefused
from adapters.azure.simulator.content import ContentHost
from adapters.azure.simulator.manifest import File, ImportManifest, ManifestRefused, RelatedFile, UpdateId
from adapters.azure.simulator.refusals import invalid
from adapters.azure.simulator.updates import StoredFile, Update, UpdateStore, file_id

_PIECE = 1024 * 1024
_MAX_ITEMS = 11


class _ManifestSource(Struct, frozen=True, rename="camel"):
    url: Annotated[str, Meta(max_length=4096)]
    size_in_bytes: Annotated[int, Meta(ge=1, le=manifests.MAX_MANIFEST_BYTES)]
    hashes: dict[str, str]


class _FileSource(Struct, frozen=True):
    filename: manifests.FileName
    url: Annotated[str, Meta(max_length=4096)]


class ImportItem(Struct, frozen=True, rename="camel"):
    """One update to import: where its manifest and files are."""

    import_manifest: _ManifestSource
    files: Annotated[tuple[_FileSource, ...], Meta(max_length=50)] = ()
    friendly_name: Annotated[str, Meta(max_length=512)] | None = None


Batch = Annotated[tuple[ImportItem, ...], Meta(min_length=1, max_length=_MAX_ITEMS)]


def parse_batch(body: bytes) -> tuple[ImportItem, ...]:
    """The body of an import: the update and then those it refers to. Raises: Refused 400."""
    try:
        batch: tuple[ImportItem, ...] = msgspec.json.decode(body, type=Batch)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise invalid(f"the import body: {error}") from error
    return batch


class Digest(Protocol):
    """What hashlib's objects do."""

    def update(self, data: bytes, /) -> None: ...
    def digest(self) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Fetched:
    """One update, fetched and checked against its manifest."""

    manifest: ImportManifest
    manifest_sha256: str
    paths: Mapping[str, Path]
    friendly_name: str | None

    @property
    def update_id(self) -> UpdateId:
        """What it is once imported."""
        return manifests.plain_version(self.manifest.update_id)


class Importer:
    """Fetches without any lock, and takes in with that of its caller."""

    def __init__(self, access: BlobAccess, content: ContentHost, updates: UpdateStore) -> None:
        self._access = access
        self._content = content
        self._updates = updates

    def fetch(self, batch: Sequence[ImportItem]) -> tuple[Fetched, ...]:
        """Every update of the batch, those that are referred to first. Raises: ManifestRefused."""
        return tuple(self._fetch(item) for item in reversed(batch))

    def take_in(self, batch: Sequence[Fetched], now: float) -> None:
        """Add all of them or none. Raises: ManifestRefused."""
        added: list[Update] = []
        try:
            for fetched in batch:
                update = self._update(fetched, now)
                self._updates.add(update)
                added.append(update)
        except ManifestRefused:
            for update in added:
                self._updates.remove(update.update_id)
            raise

    def _fetch(self, item: ImportItem) -> Fetched:
        source = item.import_manifest
        path = self._download("CannotDownload", source.url)
        _verify("CannotProcessImportManifest", path, source.size_in_bytes, source.hashes)
        text = path.read_bytes()
        manifest = manifests.parse(text)
        urls = {each.filename: each.url for each in item.files}
        paths = {each.filename: self._fetch_file(each, urls) for each in manifest.everything()}
        return Fetched(manifest, hashlib.sha256(text).hexdigest(), paths, item.friendly_name)

    def _fetch_file(self, said: File | RelatedFile, urls: Mapping[str, str]) -> Path:
        url = urls.get(said.filename)
        if url is None:
            raise ManifestRefused("CannotProcessUpdateFile", f"{said.filename} has no url in the import's files")
        path = self._download("ContentFileCannotDownload", url)
        _verify("CannotProcessUpdateFile", path, said.size_in_bytes, said.hashes)
        return path

    def _download(self, code: str, url: str) -> Path:
        try:
            return self._access.file_at(url)
        except BlobRefused as error:
            raise ManifestRefused(code, f"{url.partition('?')[0]}: {error.code}: {error.message}") from error

    def _update(self, fetched: Fetched, now: float) -> Update:
        update_id = fetched.update_id
        files = {
            said.filename: StoredFile(
                file_id(update_id, said.filename),
                said,
                self._content.publish(said.filename, fetched.paths[said.filename]),
            )
            for said in fetched.manifest.everything()
        }
        etag = f'"{secrets.token_hex(8)}"'
        return Update(update_id, fetched.manifest, fetched.manifest_sha256, files, now, fetched.friendly_name, etag)


def _verify(code: str, path: Path, size: int, hashes: Mapping[str, str]) -> None:
    """Whether a file is what was said of it. Raises: ManifestRefused."""
    if path.stat().st_size != size:
        raise ManifestRefused(code, f"the file has {path.stat().st_size} bytes, sizeInBytes says {size}")
    for name, expected in hashes.items():
        digest = _digest(code, name)
        with path.open("rb") as file:
            while piece := file.read(_PIECE):
                digest.update(piece)
        if base64.b64encode(digest.digest()).decode() != expected:
            raise ManifestRefused(code, f"the {name} of the file is not {expected}")


def _digest(code: str, name: str) -> Digest:
    if name not in ("sha256", "sha384", "sha512"):
        raise ManifestRefused(code, f"the hash algorithm {name} is not supported")
    return hashlib.new(name)

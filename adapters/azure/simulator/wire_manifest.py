"""Update manifests as devices get them, with the files that they name; detached ones where a text grows too long."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

from msgspec import UNSET

from adapters.azure.simulator.content import ContentHost
from adapters.azure.simulator.manifest import File, InlineStep, ReferenceStep, RelatedFile, UpdateId
from adapters.azure.simulator.updates import StoredFile, Update, UpdateStore, file_id

Json = dict[str, object]


@dataclass(frozen=True, slots=True)
class WireManifest:
    """The text to sign, and where each file that it names is, by file id."""

    text: str
    locations: Mapping[str, str]


class ManifestWriter:
    """Writes each update's manifest once for each form."""

    def __init__(self, updates: UpdateStore, content: ContentHost) -> None:
        self._updates = updates
        self._content = content
        self._full: dict[str, WireManifest] = {}
        self._mini: dict[str, WireManifest] = {}

    def write(self, update: Update, most_bytes: int) -> WireManifest:
        """The manifest; one of more than `most_bytes` becomes a file, and a short text names that."""
        full = self._remembered(update)
        if len(full.text.encode()) <= most_bytes:
            return full
        if update.etag not in self._mini:
            self._mini[update.etag] = self._shortened(update, full)
        return self._mini[update.etag]

    def _remembered(self, update: Update) -> WireManifest:
        if update.etag not in self._full:
            self._full[update.etag] = self._whole(update)
        return self._full[update.etag]

    def _whole(self, update: Update) -> WireManifest:
        locations = _locations(update)
        files: Json = {each.file_id: _file(each, update.files) for each in _top_files(update)}
        steps: list[Json] = []
        for step in update.steps():
            if isinstance(step, InlineStep):
                steps.append(_inline(step, update))
            else:
                steps.append(self._reference(step, files, locations))
        text = _text(
            {
                **_head(update),
                "compatibility": update.manifest.compatibility,
                "instructions": {"steps": steps},
                "files": files,
                "createdDateTime": update.manifest.created_date_time,
            }
        )
        return WireManifest(text, locations)

    def _reference(self, step: ReferenceStep, files: Json, locations: dict[str, str]) -> Json:
        """The child's manifest becomes a file of the parent; its own files are resolved in the parent's URLs."""
        child = self._updates.get(step.update_id)
        if child is None:
            raise LookupError(f"update {step.update_id} was deleted while another refers to it")
        whole = self._remembered(child)
        locations.update(whole.locations)
        name = self._detach(child.update_id, whole, files, locations)
        return {"type": "reference", "detachedManifestFileId": name}

    def _shortened(self, update: Update, full: WireManifest) -> WireManifest:
        files: Json = {}
        locations = dict(full.locations)
        name = self._detach(update.update_id, full, files, locations)
        return WireManifest(_text({**_head(update), "detachedManifestFileId": name, "files": files}), locations)

    def _detach(self, update_id: UpdateId, whole: WireManifest, files: Json, locations: dict[str, str]) -> str:
        """Publish a manifest as a file and enter it among files and locations; its file id."""
        filename = f"{update_id.provider}.{update_id.name}.{update_id.version}.updatemanifest.json"
        octets = _text({"updateManifest": whole.text}).encode()
        name = file_id(update_id, filename)
        digest = base64.b64encode(hashlib.sha256(octets).digest()).decode()
        files[name] = {"fileName": filename, "sizeInBytes": len(octets), "hashes": {"sha256": digest}}
        locations[name] = self._content.publish_text(filename, octets)
        return name


def _head(update: Update) -> Json:
    version = update.manifest.manifest_version.partition(".")[0]
    return {"manifestVersion": version, "updateId": update.update_id.members()}


def _inline(step: InlineStep, update: Update) -> Json:
    shown: Json = {"handler": step.handler, "files": [update.files[name].file_id for name in step.files]}
    if step.handler_properties is not UNSET:
        shown["handlerProperties"] = step.handler_properties
    return shown


def _top_files(update: Update) -> list[StoredFile]:
    return [update.files[each.filename] for each in update.manifest.files]


def _locations(update: Update) -> dict[str, str]:
    return {each.file_id: each.location for each in update.files.values()}


def _file(stored: StoredFile, files: Mapping[str, StoredFile]) -> Json:
    said = stored.said
    shown = _particulars(said)
    if isinstance(said, File) and said.properties is not UNSET:
        shown["properties"] = said.properties
    if isinstance(said, File) and said.related_files:
        related = [files[each.filename] for each in said.related_files]
        shown["relatedFiles"] = {each.file_id: _related(each.said) for each in related}
    if isinstance(said, File) and said.download_handler is not UNSET:
        shown["downloadHandler"] = {"id": said.download_handler.id}
    return shown


def _related(said: File | RelatedFile) -> Json:
    return {**_particulars(said), "properties": said.properties}


def _particulars(said: File | RelatedFile) -> Json:
    return {"fileName": said.filename, "sizeInBytes": said.size_in_bytes, "hashes": said.hashes}


def _text(members: Json) -> str:
    return json.dumps(members, separators=(",", ":"), ensure_ascii=False)

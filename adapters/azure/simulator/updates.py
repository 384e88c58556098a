"""Updates that were imported: what is kept of each, and the limits on how many there are."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from msgspec import UNSET

from adapters.azure.simulator.manifest import (
    File,
    ImportManifest,
    InlineStep,
    ManifestRefused,
    ReferenceStep,
    RelatedFile,
    UpdateId,
)

MAX_PROVIDERS = 25
MAX_NAMES = 25
MAX_VERSIONS = 100
MAX_UPDATES = 100
"""Limits of a Standard account: names are per provider, versions per name."""


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file of an update: `said` is what the manifest says of it, `location` where content hosts serve it."""

    file_id: str
    said: File | RelatedFile
    location: str


@dataclass(frozen=True, slots=True)
class Update:
    """One imported update. `manifest_sha256` is that of the import manifest, `imported` in seconds since the epoch."""

    update_id: UpdateId
    manifest: ImportManifest
    manifest_sha256: str
    files: Mapping[str, StoredFile]
    imported: float
    friendly_name: str | None
    etag: str

    def steps(self) -> tuple[InlineStep | ReferenceStep, ...]:
        """Its steps."""
        return self.manifest.steps()

    def children(self) -> tuple[UpdateId, ...]:
        """The updates that its reference steps name."""
        return tuple(step.update_id for step in self.steps() if isinstance(step, ReferenceStep))

    def installed_criteria(self) -> str | None:
        """That of a lone step, as the service shows it."""
        first = self.steps()[0]
        properties = getattr(first, "handler_properties", UNSET)
        text = properties.get("installedCriteria") if isinstance(properties, dict) else None
        return text if isinstance(text, str) else None


def file_id(update_id: UpdateId, filename: str) -> str:
    """`f` and 16 hexadecimal digits, the same for the same file of the same update."""
    return "f" + hashlib.sha256(f"{update_id}/{filename}".encode()).hexdigest()[:16]


class UpdateStore:
    """Updates by id. Its owner locks."""

    def __init__(self) -> None:
        self._updates: dict[str, Update] = {}

    def __iter__(self) -> Iterator[Update]:
        return iter(tuple(self._updates.values()))

    def get(self, update_id: UpdateId | str) -> Update | None:
        """The update; an id as text is `provider/name/version`."""
        return self._updates.get(str(update_id))

    def add(self, update: Update) -> None:
        """Take it in.

        Raises:
            ManifestRefused: UpdateAlreadyExists, a limit, or properties that another update's name owns.
        """
        if self.get(update.update_id) is not None:
            raise ManifestRefused("UpdateAlreadyExists", f"Update {update.update_id} has been imported already")
        self._check_owner(update)
        self._check_room(update.update_id)
        for child in update.children():
            self._check_child(child)
        self._updates[str(update.update_id)] = update

    def remove(self, update_id: UpdateId) -> None:
        """Forget it."""
        del self._updates[str(update_id)]

    def parents(self, update_id: UpdateId) -> tuple[UpdateId, ...]:
        """The updates that refer to this one."""
        return tuple(each.update_id for each in self if update_id in each.children())

    def _check_owner(self, update: Update) -> None:
        """Each set of compatibility properties belongs to one provider and name."""
        mine = (update.update_id.provider, update.update_id.name)
        for other in self:
            owner = (other.update_id.provider, other.update_id.name)
            shared = [each for each in update.manifest.compatibility if each in other.manifest.compatibility]
            if shared and owner != mine:
                raise ManifestRefused(
                    "CompatibilityAlreadyOwned", f"compatibility {shared[0]} belongs to {owner[0]}/{owner[1]}"
                )

    def _check_room(self, new: UpdateId) -> None:
        ids = [each.update_id for each in self]
        names = {each.name for each in ids if each.provider == new.provider}
        versions = [each for each in ids if (each.provider, each.name) == (new.provider, new.name)]
        _check_count("Provider", {each.provider for each in ids} | {new.provider}, MAX_PROVIDERS)
        _check_count("Name", names | {new.name}, MAX_NAMES)
        _check_count("Version", [*versions, new], MAX_VERSIONS)
        _check_count("Update", [*ids, new], MAX_UPDATES)

    def _check_child(self, child: UpdateId) -> None:
        update = self.get(child)
        if update is None:
            raise ManifestRefused("CannotProcessImportManifest", f"the referenced update {child} does not exist")
        if update.children():
            raise ManifestRefused("CannotProcessImportManifest", f"the referenced update {child} has references itself")


def _check_count(what: str, found: set[str] | list[UpdateId], limit: int) -> None:
    if len(found) > limit:
        raise ManifestRefused(f"{what}LimitExceeded", f"there would be {len(found)}; the limit is {limit}")

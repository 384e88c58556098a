"""From what the hub wants of the device to a release: verified, read, its metadata fetched.

Order: the root keys, the signature, the manifest, the files that it names. Nothing in a manifest is used before its
signature is good, and no file that is not the one whose hash the manifest signs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from adapters.azure.channel.files import FileRefused, Files
from adapters.azure.channel.key_store import RootKeys, RootKeysNotKept
from adapters.azure.formats.component import Goal
from adapters.azure.formats.results import ROOT_KEYS_UNCHANGED
from adapters.azure.formats.signature import verify
from adapters.azure.formats.update_manifest import (
    MAX_DETACHED_BYTES,
    UpdateFile,
    UpdateManifest,
    parse,
    parse_detached,
    release_files,
)
from adapters.azure.wire import RELEASE_FILE, ROOTS_FILE, MalformedUpdate, artifact_files, parse_roots
from bridge.release.errors import ReleaseError

UNACCEPTABLE = (ReleaseError, FileRefused, RootKeysNotKept)
"""Why a goal never becomes an offer; whoever deployed it is told."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """A release as an offer carries it; `extra` are codes that a report of success shows beside its own."""

    release: bytes
    roots: tuple[bytes, ...]
    urls: Mapping[str, str]
    extra: tuple[str, ...]


class Acceptance:
    """Takes goals apart. What was fetched for the last one is kept, so that renewing an offer costs no download."""

    def __init__(self, files: Files, keys: RootKeys) -> None:
        self._files = files
        self._keys = keys
        self._work: tuple[str, str | None] | None = None
        self._extra: tuple[str, ...] = ()
        self._fetched: dict[str, bytes] = {}

    def accept(self, goal: Goal) -> Accepted:
        """The release of a goal with action PROCESS.

        Raises:
            ReleaseError: SignatureRefused, UntrustedRootKeys, ForeignUpdate, MalformedUpdate, AlteredRelease.
            FileRefused: a server does not give a file. RootKeysNotKept: the disk does not take the root keys.
            ChannelError: another try may do.
        """
        self._refresh(goal)
        files = release_files(self._manifest(goal))
        release = self._file(goal, files[RELEASE_FILE])
        roots = parse_roots(self._file(goal, files[ROOTS_FILE])) if ROOTS_FILE in files else ()
        ids = {name: files[name].file_id for name in artifact_files(tuple(files))}
        urls = {name: goal.urls[file_id] for name, file_id in ids.items() if file_id in goal.urls}
        return Accepted(release, roots, urls, self._extra)

    def codes_of(self, goal: Goal) -> tuple[str, ...]:
        """The extra codes of a goal accepted before; none for any other, as after a restart."""
        return self._extra if self._work == (goal.workflow_id, goal.retry) else ()

    def _refresh(self, goal: Goal) -> None:
        """Once for each attempt. Where the service names no package, those keys hold that were accepted before."""
        work, url = (goal.workflow_id, goal.retry), goal.root_key_package_url
        if work == self._work:
            return
        unchanged = url is not None and self._keys.refresh(url)
        self._extra = (ROOT_KEYS_UNCHANGED,) if unchanged else ()
        self._work, self._fetched = work, {}

    def _manifest(self, goal: Goal) -> UpdateManifest:
        text = goal.manifest or ""
        verify(text, goal.signature or "", self._keys.current())
        manifest = parse(text)
        if manifest.detached_file_id is None:
            return manifest
        whole = parse(parse_detached(self._file(goal, _bounded(manifest.files[manifest.detached_file_id]))))
        if whole.update_id != manifest.update_id:
            raise MalformedUpdate(f"the detached manifest is of {whole.update_id}, the signed one {manifest.update_id}")
        return whole

    def _file(self, goal: Goal, file: UpdateFile) -> bytes:
        if file.sha256 not in self._fetched:
            url = goal.urls.get(file.file_id)
            if url is None:
                raise MalformedUpdate(f"fileUrls has no URL for {file.name} (file {file.file_id})")
            self._fetched[file.sha256] = self._files.fetch(url, file)
        return self._fetched[file.sha256]


def _bounded(file: UpdateFile) -> UpdateFile:
    if file.length > MAX_DETACHED_BYTES:
        raise MalformedUpdate(f"detached manifest {file.name}: {file.length} bytes; the limit is {MAX_DETACHED_BYTES}")
    return file

"""The fleet's container: artifacts and metadata under names made from their content, and the records of orders."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from io import BufferedReader
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from azure.core import MatchConditions
from azure.core.credentials import TokenCredential
from azure.core.exceptions import ResourceExistsError, ResourceModifiedError, ResourceNotFoundError
from azure.storage.blob import (
    BlobClient,
    BlobSasPermissions,
    BlobServiceClient,
    ContentSettings,
    UserDelegationKey,
    generate_blob_sas,
)

from adapters.artifact_source import checked_source
from adapters.azure.fleet.pacing import Clock, insist
from adapters.azure.fleet.refusals import Refused, Waiting, code_of, delay_of
from adapters.azure.fleet.settings import AzureFleetSettings
from bridge.fleet import Sent
from bridge.release.manifest import Artifact

_Answer = TypeVar("_Answer")
MIB = 1 << 20
SINGLE = 8 * MIB
"""Up to this length one request carries the artifact."""
BLOCK = 4 * MIB
SKEW = timedelta(minutes=15)
"""By how much this machine's clock may be ahead of Azure's."""
LONGEST_KEY = timedelta(days=7)
"""For which a key that signs links may be asked (Azure Storage, user delegation SAS)."""
MOST_OCTETS = 1 << 24
"""Of a small blob."""
NO_CONTAINER = "ContainerNotFound"
BINARY = ContentSettings(content_type="application/octet-stream")


@dataclass(frozen=True, slots=True)
class Content:
    """A small blob as it was read."""

    octets: bytes
    version: str


class Storage:
    """One container. Raises what azure.storage raises, UnfitSource, Refused and Waiting."""

    def __init__(self, settings: AzureFleetSettings, credential: TokenCredential, clock: Clock) -> None:
        self._url = settings.storage_url
        self._container = settings.container
        self._prefix = settings.prefix
        self._workers = settings.workers
        self._credential = credential
        self._clock = clock
        self._key: tuple[UserDelegationKey, datetime] | None = None

    def put(self, artifact: Artifact, source: Path, sent: Sent) -> None:
        """Store `artifact`, whose bytes are in `source`, unless it is there. A failed upload leaves no blob behind."""
        blob = self._blob(self.path(artifact.sha256, artifact.name))
        if self._holds(blob, artifact):
            return
        with checked_source(artifact, source) as stream:
            self._upload(blob, artifact, stream, sent)

    def put_octets(self, name: str, octets: bytes) -> str:
        """Store a small file under a path made from its content; the path."""
        digest = hashlib.sha256(octets).hexdigest()
        path = self.path(digest, name)
        self._blob(path).upload_blob(
            octets, overwrite=True, metadata={"sha256": digest}, content_settings=BINARY, length=len(octets)
        )
        return path

    def path(self, *parts: str) -> str:
        """Where something lies in the container."""
        return "/".join(part for part in (self._prefix.strip("/"), *parts) if part)

    def link(self, path: str, hours: int) -> str:
        """A URL with which anybody may read the blob at `path` for `hours`, signed by this identity."""
        now = datetime.fromtimestamp(self._clock.now(), UTC)
        end = now + min(timedelta(hours=hours), LONGEST_KEY - SKEW)
        token = generate_blob_sas(
            self._account,
            self._container,
            path,
            user_delegation_key=self._delegation(now, end),
            permission=BlobSasPermissions(read=True),
            start=now - SKEW,
            expiry=end,
        )
        return f"{self._blob(path).url}?{token}"

    def read(self, path: str) -> Content | None:
        """A small blob; None when there is none. Raises: Refused, it is none that otabridge wrote."""
        try:
            stream = self._insist(lambda: self._blob(path).download_blob(max_concurrency=1, retry_total=0))
        except ResourceNotFoundError as error:
            if code_of(error) == NO_CONTAINER:
                raise
            return None
        if stream.size > MOST_OCTETS:
            raise Refused(f"blob {path} has {stream.size} bytes, otabridge writes {MOST_OCTETS} at most: delete it")
        return Content(stream.readall(), str(stream.properties.etag))

    def write(self, path: str, octets: bytes, version: str | None) -> str:
        """Write a small blob in the place of `version` (None: of nothing); its new version.

        A repeated write whose first reply was lost finds its own bytes, and is content. Raises: Waiting, somebody else
        has written it.
        """
        condition = {"overwrite": False} if version is None else _unless_changed(version)
        try:
            written = self._blob(path).upload_blob(octets, length=len(octets), **condition)
        except (ResourceExistsError, ResourceModifiedError) as error:
            found = self.read(path)
            if found is None or found.octets != octets:
                raise Waiting(f"{path} was written by another otabridge at the same time; it is read again") from error
            return found.version
        return str(written["etag"])

    @cached_property
    def _service(self) -> BlobServiceClient:
        return BlobServiceClient(
            self._url,
            credential=self._credential,
            max_single_put_size=SINGLE,
            max_block_size=BLOCK,
            retry_total=3,
            initial_backoff=0,
            increment_base=2,
            random_jitter_range=0.5,
        )

    def _insist(self, call: Callable[[], _Answer]) -> _Answer:
        """For calls that only look; the library would also repeat what credentials are missing for."""
        return insist(call, delay_of, self._clock)

    def _holds(self, blob: BlobClient, artifact: Artifact) -> bool:
        try:
            found = self._insist(lambda: blob.get_blob_properties(retry_total=0))
        except ResourceNotFoundError as error:
            if code_of(error) == NO_CONTAINER:
                raise
            return False
        return found.size == artifact.length and (found.metadata or {}).get("sha256") == artifact.sha256

    @property
    def _account(self) -> str:
        """The account's name: of the host, or of the path where emulators put it."""
        parts = urlsplit(self._url)
        return parts.path.strip("/") or str(parts.hostname).partition(".")[0]

    def _blob(self, path: str) -> BlobClient:
        return self._service.get_blob_client(self._container, path)

    def _delegation(self, now: datetime, end: datetime) -> UserDelegationKey:
        """A key for signing links until `end`, kept while it outlives them."""
        if self._key is None or self._key[1] < end:
            until = min(end + timedelta(hours=1), now - SKEW + LONGEST_KEY)
            self._key = self._service.get_user_delegation_key(now - SKEW, until), until
        return self._key[0]

    def _upload(self, blob: BlobClient, artifact: Artifact, stream: BufferedReader, sent: Sent) -> None:
        blob.upload_blob(
            stream,
            overwrite=True,
            length=artifact.length,
            metadata={"sha256": artifact.sha256},
            content_settings=BINARY,
            max_concurrency=self._workers,
            progress_hook=_Steps(sent).reached,
        )


class _Steps:
    """Turns how much has been sent so far, told by several threads, into how much since the last time."""

    def __init__(self, sent: Sent) -> None:
        self._sent = sent
        self._lock = threading.Lock()
        self._most = 0

    def reached(self, current: int, _total: int | None) -> None:
        with self._lock:
            step, self._most = max(0, current - self._most), max(self._most, current)
        if step:
            self._sent(step)


def _unless_changed(version: str) -> dict[str, object]:
    return {"overwrite": True, "etag": version, "match_condition": MatchConditions.IfNotModified}

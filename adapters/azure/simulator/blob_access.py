"""Who may do what with a storage account: bearer tokens and shared access signatures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from adapters.azure.simulator.blob_sas import VERSION, Delegation, Place, SasRefused, SignedRequest
from adapters.azure.simulator.blob_store import BlobStore
from adapters.azure.simulator.identity import STORAGE_AUDIENCE, Identity
from adapters.azure.simulator.moments import storage_time

_GRANTED_SECONDS = 24 * 3600.0


class BlobRefused(Exception):
    """Storage refuses a request, in the words of its XML."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


class BlobAccess:
    """The door of one account, for requests from outside and for Device Update, which reads by URL."""

    def __init__(
        self, account: str, store: BlobStore, delegation: Delegation, identity: Identity, now: Callable[[], float]
    ) -> None:
        self.account = account
        self._store = store
        self._delegation = delegation
        self._identity = identity
        self._now = now

    def admit(self, authorization: str, request: SignedRequest, needs: str) -> None:
        """Let in a bearer of a token, or a signature that grants one of `needs`.

        Raises:
            BlobRefused: 401 without either, 403 for one that does not open this.
        """
        if "sig" in request.query and not authorization:
            self._check_signature(request, needs)
        elif not authorization:
            raise BlobRefused(401, "NoAuthenticationInformation", "Server failed to authenticate the request.")
        elif not self._identity.accepts(authorization, STORAGE_AUDIENCE):
            raise BlobRefused(401, "InvalidAuthenticationInfo", f"The token is none for {STORAGE_AUDIENCE}.")

    def file_at(self, url: str) -> Path:
        """The bytes behind a signed URL of this account.

        Raises:
            BlobRefused: another account, no such blob, or a signature that does not open it.
        """
        parts = urlsplit(url)
        account, container, name = (*unquote(parts.path).lstrip("/").split("/", 2), "", "")[:3]
        if account != self.account:
            raise BlobRefused(404, "ResourceNotFound", f"{parts.netloc}{parts.path} is not in this storage account")
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        self.admit("", SignedRequest(Place(container, name), {}, query), "r")
        with self._store.locked():
            blob = self._store.blob(container, name)
        if blob is None:
            raise BlobRefused(404, "BlobNotFound", f"there is no blob {container}/{name}")
        return blob.path

    def delegation_key(self, particulars: Mapping[str, str]) -> bytes:
        """See Delegation.key."""
        return self._delegation.key(particulars)

    def grant(self, place: Place, permissions: str) -> str:
        """The query of a URL that opens `place` for a day."""
        now = self._now()
        start, end = storage_time(now - 1), storage_time(now + _GRANTED_SECONDS)
        ids = {"skoid": self._identity.principal, "sktid": self._identity.tenant}
        key = {**ids, "skt": start, "ske": end, "sks": "b", "skv": VERSION}
        return self._delegation.sign(place, {"sp": permissions, "st": start, "se": end, **key})

    def _check_signature(self, request: SignedRequest, needs: str) -> None:
        try:
            self._delegation.check(request, needs, self._now())
        except SasRefused as error:
            why = f"Server failed to authenticate the request: {error}"
            raise BlobRefused(403, "AuthenticationFailed", why) from error

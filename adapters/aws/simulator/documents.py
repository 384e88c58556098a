"""Job documents on their way to a device: placeholders become presigned URLs of this simulator."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote, urlencode

from adapters.aws.simulator import placeholders
from adapters.aws.simulator.model import Job
from adapters.aws.simulator.placeholders import S3Object
from adapters.aws.simulator.sigv4 import Credentials, presign_get

_DEFAULT_SECONDS = 3600


class Documents:
    """Fills documents. `endpoint` gives the simulator's own S3 URL once it is known."""

    def __init__(
        self,
        *,
        endpoint: Callable[[], str],
        region: str,
        credentials: Credentials,
        now: Callable[[], float],
    ) -> None:
        self._endpoint = endpoint
        self._region = region
        self._credentials = credentials
        self._now = now

    def fill(self, job: Job) -> str:
        """The job's document with every placeholder signed anew, for this one request."""
        config = job.request.presigned_url_config
        expires = (config.expires_in_sec if config else None) or _DEFAULT_SECONDS
        if not placeholders.has_placeholders(job.document):
            return job.document
        return placeholders.fill(job.document, lambda place: self.presign(place, expires))

    def presign(self, place: S3Object, expires: int) -> str:
        """A GET URL for one object that lives `expires` seconds from now."""
        path = quote(f"/{place.bucket}/{place.key}", safe="/-_.~")
        query = f"?{urlencode({'versionId': place.version})}" if place.version else ""
        return presign_get(
            f"{self._endpoint()}{path}{query}",
            self._credentials,
            region=self._region,
            now=self._now(),
            expires=expires,
        )

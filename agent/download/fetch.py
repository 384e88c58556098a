"""Brings an artifact's bytes to the engine, over links that drop, expire, crawl or lie."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from agent.cloud.channel import Offer
from agent.download.answer import Answer, LinkDropped, LinkExpired, LinkRefused, Wanted
from agent.download.link import Links
from agent.pace import GENTLE, Backoff, Crawl, Timing, TokenBucket
from bridge.release.errors import DownloadError
from bridge.release.manifest import Artifact

WORTHWHILE_BYTES = 64 * 1024
"""A connection that brought this much was worth opening: faults and renewals are counted anew."""
LEAST_BYTES = 16 * 1024
"""What must come in each `stall_seconds`; below WORTHWHILE_BYTES, or a crawling link would never be given up."""
LATER = 0.25
"""By up to this share a wait that a server asked for is prolonged: it asks all devices for the same."""
MAX_SKIPPED = 2
"""How many times an artifact's length may be thrown away when a server knows no ranges."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on one download: `faults` and `renewals` in a row without progress, `stall_seconds` of crawling,
    `rate` in bytes a second (None: none)."""

    faults: int = 8
    renewals: int = 3
    stall_seconds: float = 60.0
    rate: int | None = None
    backoff: Backoff = GENTLE


class HttpDownload:
    """The engine's Download over HTTP."""

    def __init__(self, links: Links, limits: Limits, timing: Timing) -> None:
        self._links = links
        self._limits = limits
        self._timing = timing

    def stream(self, offer: Offer, artifact: Artifact, offset: int, renew: Callable[[], Offer]) -> Iterator[bytes]:
        """The bytes of `artifact` from `offset` to its signed length, in chunks of at most `link.READ_BYTES`.

        Their hash is the caller's to check. `renew` gives the same offer with fresh URLs.

        Raises:
            DownloadError: given up; the bytes so far are good. Code LINK_REFUSED when the server refuses for good.
            OfferWithdrawn, ChannelError: `renew` raised it.
        """
        return _Stream(self._links, self._limits, self._timing, artifact, renew).run(offer, offset)


class _Stream:
    """One artifact on its way. `position` counts its bytes that the caller has."""

    def __init__(
        self, links: Links, limits: Limits, timing: Timing, artifact: Artifact, renew: Callable[[], Offer]
    ) -> None:
        self._links = links
        self._limits = limits
        self._timing = timing
        self._artifact = artifact
        self._ask = renew
        self._bucket = TokenBucket(limits.rate, timing)
        self._position = 0
        self._etag: str | None = None
        self._skipped = 0
        self._faults = 0
        self._renewals = 0

    def run(self, offer: Offer, offset: int) -> Iterator[bytes]:
        """See HttpDownload.stream."""
        self._position = offset
        url = self._url_in(offer)
        while self._position < self._artifact.length:
            try:
                yield from self._connection(url)
            except LinkDropped as error:
                self._pause(error)
            except LinkExpired as error:
                url = self._renew(error)

    def _connection(self, url: str) -> Iterator[bytes]:
        answer = self._links.open(Wanted(url, self._position, self._artifact.length, self._etag))
        try:
            self._etag = self._etag or answer.etag
            yield from self._body(answer, self._position)
        finally:
            answer.close()

    def _body(self, answer: Answer, start: int) -> Iterator[bytes]:
        crawl = Crawl(self._limits.stall_seconds, LEAST_BYTES)
        skip = self._allow_skip(answer.skip)
        while self._position < answer.stop:
            chunk = self._read(answer, crawl)
            passed = min(skip, len(chunk))
            skip -= passed
            chunk = chunk[passed : passed + answer.stop - self._position]
            if chunk:
                self._position += len(chunk)
                self._note_progress(self._position - start)
                yield chunk

    def _read(self, answer: Answer, crawl: Crawl) -> bytes:
        self._timing.beat()
        began = self._timing.clock()
        chunk = answer.read()
        if not chunk:
            raise LinkDropped(f"the server hung up {self._artifact.length - self._position} bytes early")
        if crawl.crawls(self._timing.clock() - began, len(chunk)):
            raise LinkDropped(f"less than {LEAST_BYTES} bytes came in {self._limits.stall_seconds:g} seconds")
        self._bucket.take(len(chunk))
        return chunk

    def _allow_skip(self, count: int) -> int:
        self._skipped += count
        if self._skipped > MAX_SKIPPED * self._artifact.length:
            raise DownloadError(
                f"artifact {self._artifact.name}: the server knows no byte ranges and the connection broke too often; "
                f"{self._position} of {self._artifact.length} bytes are there"
            )
        return count

    def _note_progress(self, gained: int) -> None:
        if gained >= WORTHWHILE_BYTES:
            self._faults = self._renewals = 0

    def _pause(self, error: LinkDropped) -> None:
        self._faults += 1
        if self._faults > self._limits.faults:
            raise DownloadError(
                f"artifact {self._artifact.name}: given up after {self._faults} faults in a row at byte "
                f"{self._position} of {self._artifact.length}; the last one: {error}"
            ) from error
        chance = self._timing.random()
        asked = (error.retry_after or 0.0) * (1 + LATER * chance)
        self._timing.sleep(max(self._limits.backoff.delay(self._faults, chance), asked))

    def _renew(self, error: LinkExpired) -> str:
        self._renewals += 1
        if self._renewals > self._limits.renewals:
            raise LinkRefused(
                f"artifact {self._artifact.name}: {self._limits.renewals} fresh URLs were refused, too: {error}"
            ) from error
        return self._url_in(self._ask())

    def _url_in(self, offer: Offer) -> str:
        url = offer.urls.get(self._artifact.name)
        if url is None:
            raise LinkRefused(f"the offer has no URL for artifact {self._artifact.name}; publish the release again")
        return url

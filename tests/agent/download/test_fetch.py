"""Downloads over links that drop, expire, crawl and forget, against a real HTTP server on loopback."""

from __future__ import annotations

import threading

import pytest

from agent.cloud.channel import Offer, OfferWithdrawn
from agent.download.connections import Connections
from agent.download.fetch import HttpDownload, Limits
from agent.download.link import Links
from agent.pace import Timing
from bridge.release.errors import ChannelError, DownloadError, FailureCode
from tests.agent.fileserver import ARTIFACT, BODY, Fault, Fetch, FileServer, Sleeper, offer


def test_whole(server: FileServer, fetch: Fetch):
    """An untroubled download is one request without a range."""
    assert fetch() == BODY

    assert [(seen.range, seen.if_match, seen.sent) for seen in server.seen] == [(None, None, len(BODY))]


def test_continues_at_an_offset(server: FileServer, fetch: Fetch):
    """A download that goes on after a reboot asks for the rest only."""
    assert fetch(500_000) == BODY[500_000:]

    assert server.sent == 200_000


def test_nothing_left(server: FileServer, fetch: Fetch):
    """An artifact that is there already is not asked for."""
    assert fetch(len(BODY)) == b""

    assert server.seen == []


def test_a_long_artifact_is_asked_for_in_ranges(server: FileServer, fetch: Fetch, sleeper: Sleeper, monkeypatch):
    """Some servers refuse longer ones; each is of the same entity, and where one ends there is nothing to wait for."""
    monkeypatch.setattr("agent.download.answer.MOST_BYTES", 300_000)
    server.faults = [Fault(), Fault(drop=100_000)]

    assert fetch() == BODY
    ranges = ["bytes=0-299999", "bytes=300000-599999", "bytes=400000-"]
    assert [seen.range for seen in server.seen] == ranges
    assert [seen.if_match for seen in server.seen] == [None, '"one"', '"one"']
    assert (server.sent, sleeper.naps) == (len(BODY), [1.0])


def test_a_long_artifact_from_a_server_without_ranges_is_one_answer(server: FileServer, fetch: Fetch, monkeypatch):
    """It sends all of it, whatever was asked for."""
    monkeypatch.setattr("agent.download.answer.MOST_BYTES", 300_000)
    server.faults = [Fault(ranges=False)]

    assert fetch() == BODY
    assert len(server.seen) == 1


def test_dropped_link_costs_nothing_twice(server: FileServer, fetch: Fetch, sleeper: Sleeper):
    """Each reconnect asks for the same entity from the first missing byte, so no byte travels twice."""
    server.faults = [Fault(drop=100_000), Fault(drop=250_000)]

    assert fetch() == BODY
    assert [seen.range for seen in server.seen] == [None, "bytes=100000-", "bytes=350000-"]
    assert [seen.if_match for seen in server.seen] == [None, '"one"', '"one"']
    assert server.sent == len(BODY)
    assert sleeper.naps == [1.0, 1.0]  # progress in between: the back-off begins anew


def test_backs_off_and_gives_up(server: FileServer, fetch: Fetch, sleeper: Sleeper):
    """Faults without progress wait longer each time and end in a sentence that says where it stopped."""
    server.faults = [Fault(status=500), Fault(status=503), Fault(status=502), Fault(status=500)]

    with pytest.raises(DownloadError) as refusal:
        fetch()
    assert str(refusal.value) == (
        "artifact image.full: given up after 4 faults in a row at byte 0 of 700000; the last one: "
        f"http://127.0.0.1:{server.server_port}/image.full: the server answered 500"
    )
    assert refusal.value.code is FailureCode.DOWNLOAD
    assert sleeper.naps == [1.0, 2.0, 4.0]


def test_drops_that_bring_little_are_given_up(server: FileServer, fetch: Fetch):
    """A server that hangs up after every few bytes does not hold the device for ever."""
    server.faults = [Fault(drop=10) for _ in range(9)]

    with pytest.raises(DownloadError, match="at byte 40 of 700000; the last one: the connection broke in mid-body"):
        fetch()
    assert len(server.seen) == 4


def test_server_without_ranges(server: FileServer, fetch: Fetch):
    """Where the server sends all again, the bytes that are there are skipped; they are the only ones sent twice."""
    server.faults = [Fault(drop=300_000), Fault(ranges=False)]

    assert fetch() == BODY
    assert server.sent == len(BODY) + 300_000


def test_server_without_ranges_is_bounded(server: FileServer, fetch: Fetch):
    """A server without ranges on a bad line costs at most twice the artifact."""
    server.faults = [Fault(drop=70_000 * (turn + 1), ranges=False) for turn in range(10)]

    with pytest.raises(DownloadError, match="knows no byte ranges and the connection broke too often; 420000 of"):
        fetch()


@pytest.mark.parametrize(
    "expired",
    [
        Fault(status=403, text=b"<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>"),
        Fault(status=401),
        Fault(status=410),
        Fault(status=400, text=b"<?xml?><Error><Code>ExpiredToken</Code></Error>"),
    ],
    ids=lambda fault: str(fault.status),
)
def test_expired_link_is_renewed(server: FileServer, fetch: Fetch, expired: Fault):
    """A link that runs out in mid-download is renewed, and the download goes on where it was."""
    server.faults = [Fault(drop=100_000), expired]
    fresh = server.url.replace("secret", "fresh")

    assert fetch(renew=lambda: offer(fresh)) == BODY
    assert server.seen[-1].path == "/image.full?signature=fresh"
    assert server.sent == len(BODY)


def test_renewals_are_bounded(server: FileServer, fetch: Fetch):
    """Fresh links that are refused as well end the download, and the message keeps the signature to itself."""
    server.faults = [Fault(status=403, text=b"<Code>SignatureDoesNotMatch</Code>") for _ in range(9)]

    with pytest.raises(DownloadError) as refusal:
        fetch(renew=lambda: offer(server.url))
    assert "3 fresh URLs were refused, too" in str(refusal.value)
    assert "answered 403 (SignatureDoesNotMatch)" in str(refusal.value)
    assert "secret" not in str(refusal.value)
    assert refusal.value.code is FailureCode.LINK_REFUSED
    assert len(server.seen) == 4


@pytest.mark.parametrize("trouble", [OfferWithdrawn("cancelled"), ChannelError("the line is down")])
def test_no_renewal_to_be_had(server: FileServer, fetch: Fetch, trouble: ChannelError):
    """What the channel says when asked for a fresh link reaches the engine, which knows what to do about it."""
    server.faults = [Fault(status=403)]

    def renew() -> Offer:
        raise trouble

    with pytest.raises(ChannelError) as seen:
        fetch(renew=renew)
    assert seen.value is trouble


def test_extra_bytes_are_cut(server: FileServer, fetch: Fetch):
    """A body without a declared length is cut at the signed length."""
    server.faults = [Fault(body=BODY + b"more" * 100_000, chunked=True)]

    assert fetch() == BODY


def test_short_body_is_completed(server: FileServer, fetch: Fetch):
    """A body without a declared length that ends early is taken for a dropped link."""
    server.faults = [Fault(body=BODY[:400_000], chunked=True)]

    assert fetch() == BODY
    assert server.seen[1].range == "bytes=400000-"


def test_silent_server(server: FileServer, sleeper: Sleeper):
    """A server that stops in mid-body is left at the deadline for reading, and another connection goes on."""
    release = threading.Event()
    server.faults = [Fault(drop=100_000, wait=release)]
    impatient = Connections(connect_seconds=5, read_seconds=0.2, proxies={})
    download = HttpDownload(Links(impatient, allow_http=True), Limits(), sleeper.timing())

    assert b"".join(download.stream(offer(server.url), ARTIFACT, 0, lambda: offer(server.url))) == BODY
    release.set()
    impatient.close()
    assert server.seen[1].range == "bytes=100000-"


def test_crawling_server(server: FileServer, connections: Connections):
    """A server that drips is given up, since each byte would otherwise buy it the whole deadline again."""
    ticks = iter(range(10**9))
    timing = Timing(clock=lambda: float(next(ticks)), sleep=lambda _: None, random=lambda: 1.0)
    server.faults = [Fault(drop=10) for _ in range(3)]
    download = HttpDownload(Links(connections, allow_http=True), Limits(faults=1, stall_seconds=0.5), timing)

    with pytest.raises(DownloadError, match=r"less than 16384 bytes came in 0\.5 seconds"):
        list(download.stream(offer(server.url), ARTIFACT, 0, lambda: offer(server.url)))


def test_offer_without_url(connections: Connections, sleeper: Sleeper):
    """An offer that does not say where an artifact lies names the artifact."""
    download = HttpDownload(Links(connections), Limits(), sleeper.timing())

    with pytest.raises(DownloadError, match=r"the offer has no URL for artifact image\.full"):
        list(download.stream(Offer("job-1", b"", (), {}), ARTIFACT, 0, lambda: offer("")))


def test_rate_limit(fetch: Fetch, sleeper: Sleeper):
    """The rate limit spreads a download over the time that it takes at that rate."""
    assert fetch(rate=100_000) == BODY

    assert 5.9 <= sum(sleeper.naps) <= 7.1  # 700 000 bytes; the first second's worth is free


def test_beat_between_chunks(server: FileServer, connections: Connections):
    """The caller can stop a download between two chunks; the server sees the connection go."""
    beats = iter([None, None])

    def beat() -> None:
        if next(beats, "stop") == "stop":
            raise InterruptedError

    download = HttpDownload(Links(connections, allow_http=True), Limits(), Timing(beat=beat))

    with pytest.raises(InterruptedError):
        list(download.stream(offer(server.url), ARTIFACT, 0, lambda: offer(server.url)))

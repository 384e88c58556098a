"""Downloads against a real HTTP server on loopback that misbehaves on request."""

from __future__ import annotations

import hashlib
import http.server
import random
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

from agent.channel import Offer, OfferWithdrawn
from agent.connections import Connections
from agent.fetch import HttpDownload, Limits
from agent.link import Links, place
from agent.pace import Backoff, Crawl, Timing, TokenBucket
from bridge.release.errors import ChannelError, DownloadError, FailureCode
from bridge.release.manifest import Artifact, Image

BODY = random.Random(7).randbytes(700_000)
ARTIFACT = Artifact("image.zst", len(BODY), hashlib.sha256(BODY).hexdigest(), Image(1, "0" * 64))


@dataclass
class Fault:
    """What the server does wrong in one answer; `drop` cuts the body after so many bytes."""

    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    text: bytes = b""
    drop: int | None = None
    ranges: bool = True
    body: bytes = BODY
    etag: str | None = '"one"'
    total: str | None = None
    length: int | None = None
    chunked: bool = False
    wait: threading.Event | None = None


@dataclass
class Seen:
    """One request as the server saw it, and how many bytes of body it handed to the network."""

    path: str
    range: str | None
    if_match: str | None
    sent: int = 0


class FileServer(http.server.ThreadingHTTPServer):
    """Serves BODY at every path; takes one Fault off the list for each request, then behaves."""

    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """A client that hangs up is what these tests are about."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.faults: list[Fault] = []
        self.seen: list[Seen] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/image.zst?signature=secret"

    @property
    def sent(self) -> int:
        return sum(request.sent for request in self.seen)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: FileServer

    def do_GET(self) -> None:
        fault = self.server.faults.pop(0) if self.server.faults else Fault()
        seen = Seen(self.path, self.headers["Range"], self.headers["If-Match"])
        self.server.seen.append(seen)
        if fault.status is not None:
            self._say(fault.status, fault.text, fault.headers)
        elif fault.etag and seen.if_match not in {None, fault.etag}:
            self._say(412, b"", {})
        else:
            self._give(fault, seen)

    def _say(self, status: int, text: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(text)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text)

    def _give(self, fault: Fault, seen: Seen) -> None:
        start = int(seen.range.removeprefix("bytes=").removesuffix("-")) if seen.range and fault.ranges else 0
        body = fault.body[start:]
        self._head(fault, start, len(body))
        piece = body if fault.drop is None else body[: fault.drop]
        seen.sent = len(piece)
        self._write(fault, piece)
        if fault.wait:
            fault.wait.wait(20)
        if fault.drop is not None:
            self.close_connection = True

    def _head(self, fault: Fault, start: int, count: int) -> None:
        self.send_response(206 if start else 200)
        if start:
            end = len(fault.body) - 1
            self.send_header("Content-Range", fault.total or f"bytes {start}-{end}/{len(fault.body)}")
        if fault.chunked:
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.send_header("Content-Length", str(count if fault.length is None else fault.length))
        if fault.etag:
            self.send_header("ETag", fault.etag)
        for name, value in fault.headers.items():
            self.send_header(name, value)
        self.end_headers()

    def _write(self, fault: Fault, piece: bytes) -> None:
        try:
            if fault.chunked:
                self.wfile.write(b"%x\r\n%b\r\n0\r\n\r\n" % (len(piece), piece))
            else:
                self.wfile.write(piece)
            self.wfile.flush()
        except ConnectionError:
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Keep the test's output clean."""


@pytest.fixture
def server() -> Iterator[FileServer]:
    """A running file server."""
    with FileServer() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


class Sleeper:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.naps: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)

    def timing(self) -> Timing:
        return Timing(clock=lambda: sum(self.naps), sleep=self.sleep, random=lambda: 1.0)


@pytest.fixture
def sleeper() -> Sleeper:
    """Records naps instead of taking them."""
    return Sleeper()


@pytest.fixture
def connections() -> Iterator[Connections]:
    """Direct connections with short deadlines."""
    connections = Connections(connect_seconds=5, read_seconds=5, proxies={})
    yield connections
    connections.close()


Fetch = Callable[..., bytes]


@pytest.fixture
def fetch(server: FileServer, connections: Connections, sleeper: Sleeper) -> Fetch:
    """Downloads the artifact from `offset` on with few retries."""

    def run(
        offset: int = 0,
        *,
        url: str | None = None,
        renew: Callable[[], Offer] = lambda: pytest.fail("no fresh URL was needed"),
        allow_http: bool = True,
        **limits: object,
    ) -> bytes:
        download = HttpDownload(
            Links(connections, allow_http=allow_http), Limits(**{"faults": 3, **limits}), sleeper.timing()
        )
        return b"".join(download.stream(offer(url or server.url), ARTIFACT, offset, renew))

    return run


def offer(url: str) -> Offer:
    return Offer("job-1", b"", (), {"image.zst": url})


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
        "artifact image.zst: given up after 4 faults in a row at byte 0 of 700000; the last one: "
        f"http://127.0.0.1:{server.server_port}/image.zst: the server answered 500"
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
    assert server.seen[-1].path == "/image.zst?signature=fresh"
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


@pytest.mark.parametrize("status", [400, 404, 405, 416])
def test_other_refusals_end_at_once(server: FileServer, fetch: Fetch, status: int):
    """What the server will never give is not asked for twice."""
    server.faults = [Fault(status=status)]

    with pytest.raises(DownloadError, match=f"image.zst: the server answered {status}") as refusal:
        fetch()
    assert refusal.value.code is FailureCode.LINK_REFUSED
    assert len(server.seen) == 1


@pytest.mark.parametrize(
    ("asked", "waited"), [("7", 7.0), ("86400", 600.0), ("0", 1.0), ("soon", 1.0), ("9" * 400, 600.0)]
)
def test_busy_server(server: FileServer, fetch: Fetch, sleeper: Sleeper, asked: str, waited: float):
    """Retry-After is honoured, but never for longer than ten minutes, nor less than our own back-off."""
    server.faults = [Fault(status=429, headers={"Retry-After": asked})]

    assert fetch() == BODY
    assert sleeper.naps == [waited]


def test_changed_entity(server: FileServer, fetch: Fetch):
    """Bytes of two files are never joined."""
    server.faults = [Fault(drop=100_000), Fault(etag='"two"')]

    with pytest.raises(DownloadError, match=r'changed on the server in mid-download \(its ETag is no longer "one"\)'):
        fetch()
    assert server.sent == 100_000


def test_changed_entity_on_a_server_without_preconditions(server: FileServer, fetch: Fetch):
    """The ETag of the answer is compared as well, for servers that ignore If-Match."""
    server.faults = [Fault(drop=100_000), Fault(etag=None, headers={"ETag": '"two"'})]

    with pytest.raises(DownloadError, match="changed on the server in mid-download"):
        fetch()


def test_weak_etag_is_no_precondition(server: FileServer, fetch: Fetch):
    """A weak ETag promises nothing about bytes and is not sent back."""
    server.faults = [Fault(etag='W/"one"', drop=100_000), Fault(etag='W/"two"')]

    assert fetch() == BODY
    assert server.seen[1].if_match is None


@pytest.mark.parametrize(
    ("faults", "message"),
    [
        ([Fault(body=BODY[:-1])], "the server has 699999 bytes, the release signed 700000"),
        ([Fault(body=BODY + b"!")], "the server has 700001 bytes, the release signed 700000"),
        ([Fault(drop=9), Fault(body=BODY + b"!")], "the server has 700001 bytes, the release signed 700000"),
        ([Fault(drop=9), Fault(total="bytes 8-699999/700000")], "asked for bytes from 9 on, the server announced"),
        ([Fault(drop=9), Fault(total="bytes 9-700000/700000")], "announced bytes 9 to 700000"),
        ([Fault(drop=9), Fault(total="bytes 9-699999/*", length=5)], "and a Content-Length of 5"),
        ([Fault(drop=9), Fault(total="pages 1-2")], "a partial answer with Content-Range 'pages 1-2'"),
        ([Fault(headers={"Content-Encoding": "gzip"})], "Content-Encoding 'gzip' though identity was asked for"),
    ],
)
def test_lying_heads(server: FileServer, fetch: Fetch, faults: list[Fault], message: str):
    """An answer whose head contradicts the request or the release is refused before its body is used."""
    server.faults = faults

    with pytest.raises(DownloadError, match=message.replace("*", r"\*")):
        fetch()


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


def test_nobody_there(server: FileServer, fetch: Fetch):
    """An address without a server is said to be one."""
    server.server_close()

    with pytest.raises(DownloadError, match=r"image\.zst: nobody answers there"):
        fetch()


def test_redirects(server: FileServer, fetch: Fetch):
    """A redirect is followed with the range kept."""
    server.faults = [Fault(status=307, headers={"Location": "/elsewhere"})]

    assert fetch(600_000) == BODY[600_000:]
    assert [(seen.path, seen.range) for seen in server.seen][1] == ("/elsewhere", "bytes=600000-")


@pytest.mark.parametrize(
    ("location", "message"),
    [("/again", "redirects more than 5 times"), ("file:///etc/shadow", "must come over https or http, not 'file'")],
)
def test_bad_redirects(server: FileServer, fetch: Fetch, location: str, message: str):
    """Redirects neither go on for ever nor lead away from HTTP."""
    server.faults = [Fault(status=302, headers={"Location": location}) for _ in range(9)]

    with pytest.raises(DownloadError, match=message) as refusal:
        fetch()
    assert refusal.value.code is FailureCode.LINK_REFUSED


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("http://example.org/x?sig=secret", r"http://example.org/x: a download must come over https, not 'http'"),
        ("ftp://example.org/x", "must come over https, not 'ftp'"),
        ("https:///x", "'https:///x' names no host"),
        ("https://[::1/x?sig=secret", "'https://.::1/x' is not a URL"),
        ("https://host/a b", "characters that no URL has"),
        ("https://host/" + "a" * 9000, "is too long"),
    ],
)
def test_refused_urls(fetch: Fetch, url: str, message: str):
    """Only https URLs are opened, and http ones where the configuration says so."""
    with pytest.raises(DownloadError, match=message) as refusal:
        fetch(url=url, allow_http=False)
    assert refusal.value.code is FailureCode.LINK_REFUSED
    assert "secret" not in str(refusal.value)


def test_offer_without_url(connections: Connections, sleeper: Sleeper):
    """An offer that does not say where an artifact lies names the artifact."""
    download = HttpDownload(Links(connections), Limits(), sleeper.timing())

    with pytest.raises(DownloadError, match=r"the offer has no URL for artifact image\.zst"):
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


def test_proxy_gets_credentials(server: FileServer, sleeper: Sleeper, monkeypatch: pytest.MonkeyPatch):
    """The proxy of the environment is used with its user and password; no_proxy hosts are reached directly."""
    monkeypatch.setenv("http_proxy", f"http://us%40er:pa%3Ass@127.0.0.1:{server.server_port}")
    monkeypatch.setenv("no_proxy", "direct.example")
    connections = Connections()
    download = HttpDownload(Links(connections, allow_http=True), Limits(), sleeper.timing())
    elsewhere = offer("http://store.example/image.zst")

    assert b"".join(download.stream(elsewhere, ARTIFACT, 0, lambda: elsewhere)) == BODY
    connections.close()
    assert server.seen[0].path == "http://store.example/image.zst"
    assert connections.proxy_of("http://direct.example/x") is None
    assert connections.proxy_of("https://store.example/x") is None


def test_odd_proxy():
    """A proxy that is no http URL is refused by the name of its setting, without showing its password."""
    connections = Connections(proxies={"https": "socks5://user:secret@host:1080"})

    with pytest.raises(DownloadError, match=r"see download.proxies or http_proxy") as refusal:
        connections.to("https://store.example/x")
    assert "secret" not in str(refusal.value)


def test_missing_ca_file(tmp_path):
    """A CA file that is not there is named."""
    with pytest.raises(DownloadError, match=r"download.ca_file .*none.pem cannot be used: .*No such file"):
        Connections(ca_file=tmp_path / "none.pem")


def test_backoff_is_bounded():
    """The wait doubles from one second to a minute, and chance takes its share of it."""
    assert [Backoff().delay(faults, 1.0) for faults in (1, 2, 3, 7, 5000)] == [1.0, 2.0, 4.0, 60.0, 60.0]
    assert Backoff().delay(3, 0.25) == 1.0


def test_token_bucket_saves_one_second_at_most(sleeper: Sleeper):
    """Idle time is worth one second of traffic, however long it was."""
    bucket = TokenBucket(100, sleeper.timing())
    sleeper.naps.append(1000.0)
    bucket.take(250)

    assert sleeper.naps[-1] == 1.5


def test_crawl_measures_each_window():
    """Enough bytes in one window do not pay for the next."""
    crawl = Crawl(window=10.0, least=100)

    assert [crawl.crawls(9.0, 500), crawl.crawls(1.0, 0), crawl.crawls(10.0, 99)] == [False, False, True]


def test_place_hides_secrets():
    """What is shown of a URL has no password and no query."""
    assert place("https://user:secret@host:8443/a/b?X-Amz-Signature=secret#x") == "https://host:8443/a/b"

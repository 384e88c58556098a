"""What a server may answer, where a URL may lead, and through whom."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from adapters.simulation.pki import CertificateAuthority
from agent.download.answer import place
from agent.download.connections import Connections
from agent.download.fetch import HttpDownload, Limits
from agent.download.link import Links
from bridge.release.errors import DownloadError, FailureCode
from tests.agent.fileserver import ARTIFACT, BODY, Fault, Fetch, FileServer, Sleeper, offer


@pytest.mark.parametrize("status", [400, 404, 405, 416])
def test_other_refusals_end_at_once(server: FileServer, fetch: Fetch, status: int):
    """What the server will never give is not asked for twice."""
    server.faults = [Fault(status=status)]

    with pytest.raises(DownloadError, match=f"image.full: the server answered {status}") as refusal:
        fetch()
    assert refusal.value.code is FailureCode.LINK_REFUSED
    assert len(server.seen) == 1


@pytest.mark.parametrize(
    ("asked", "waited"), [("7", 8.75), ("86400", 750.0), ("0", 1.0), ("soon", 1.0), ("9" * 400, 750.0)]
)
def test_busy_server(server: FileServer, fetch: Fetch, sleeper: Sleeper, asked: str, waited: float):
    """Retry-After is honoured, up to ten minutes and never less than our own back-off; by chance up to a quarter more,
    as the server asked all devices for the same."""
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


def test_nobody_there(server: FileServer, fetch: Fetch):
    """An address without a server is said to be one."""
    server.server_close()

    with pytest.raises(DownloadError, match=r"image\.full: nobody answers there"):
        fetch()


def test_redirects(server: FileServer, fetch: Fetch):
    """A redirect is followed with the range kept."""
    server.faults = [Fault(status=307, headers={"Location": "/elsewhere"})]

    assert fetch(600_000) == BODY[600_000:]
    assert [(seen.path, seen.range) for seen in server.seen][1] == ("/elsewhere", "bytes=600000-")


@pytest.mark.parametrize(
    ("location", "message"),
    [
        ("/again", "redirects more than 5 times"),
        ("file:///etc/shadow", "must come over https or http, not 'file'"),
        ("//[", "redirects to what is no URL"),
    ],
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
        ("https://host:99999/x", "is not a URL"),
        ("https://a..b/x", "a..b/x: there can be no such host"),
        ("https://%zz/x", "zz/x: there can be no such host"),
        ("https://[v1.x]/x", "v1.x/x: there can be no such host"),
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


def test_proxy_gets_credentials(server: FileServer, sleeper: Sleeper, monkeypatch: pytest.MonkeyPatch):
    """The proxy of the environment is used with its user and password; no_proxy hosts are reached directly."""
    monkeypatch.setenv("http_proxy", f"http://us%40er:pa%3Ass@127.0.0.1:{server.server_port}")
    monkeypatch.setenv("no_proxy", "direct.example")
    connections = Connections()
    download = HttpDownload(Links(connections, allow_http=True), Limits(), sleeper.timing())
    elsewhere = offer("http://store.example/image.full")

    assert b"".join(download.stream(elsewhere, ARTIFACT, 0, lambda: elsewhere)) == BODY
    connections.close()
    assert server.seen[0].path == "http://store.example/image.full"
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


def test_place_hides_secrets():
    """What is shown of a URL has no password and no query."""
    assert place("https://user:secret@host:8443/a/b?X-Amz-Signature=secret#x") == "https://host:8443/a/b"


@pytest.fixture
def authority(tmp_path: Path, server: FileServer) -> CertificateAuthority:
    """An authority that nobody knows yet; the server serves over TLS with its certificate."""
    authority = CertificateAuthority(tmp_path)
    pair = authority.server()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.cert_file, pair.key_file)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    return authority


def fetch_over_tls(server: FileServer, sleeper: Sleeper, ca_file: Path | None) -> bytes:
    """The artifact over https, with a dropped link on the way."""
    connections = Connections(connect_seconds=5, read_seconds=5, proxies={}, ca_file=ca_file)
    download = HttpDownload(Links(connections), Limits(faults=1), sleeper.timing())
    here = offer(server.url.replace("http:", "https:"))
    try:
        return b"".join(download.stream(here, ARTIFACT, 0, lambda: here))
    finally:
        connections.close()


def test_private_authority(server: FileServer, sleeper: Sleeper, authority: CertificateAuthority):
    """A store with a certificate of the owner's own authority is reached once that one is configured."""
    server.faults = [Fault(drop=100_000)]

    assert fetch_over_tls(server, sleeper, authority.ca_file) == BODY
    assert server.sent == len(BODY)


@pytest.mark.usefixtures("authority")
def test_unknown_authority(server: FileServer, sleeper: Sleeper):
    """A store whose certificate nobody vouches for is not spoken to."""
    with pytest.raises(DownloadError, match=r"TLS failed: .*certificate verify failed"):
        fetch_over_tls(server, sleeper, None)
    assert server.seen == []


@pytest.fixture
def dripping() -> Iterator[str]:
    """The URL of a server whose head never ends: each byte of it comes well within the deadline for reading."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        end = threading.Event()
        thread = threading.Thread(target=drip, args=(listener, end))
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/image.full"
        end.set()
        thread.join()


def drip(listener: socket.socket, end: threading.Event) -> None:
    listener.settimeout(0.05)
    clients: list[socket.socket] = []
    while not end.wait(0.02):
        with suppress(TimeoutError):
            client, _ = listener.accept()
            client.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
            clients.append(client)
        for client in clients:
            with suppress(OSError):
                client.sendall(b"x")
    for client in clients:
        client.close()


def test_endless_head(dripping: str, connections: Connections, sleeper: Sleeper, monkeypatch: pytest.MonkeyPatch):
    """A server that drips the head of its answer is left when the time for a whole head is over."""
    monkeypatch.setattr("agent.download.connections.HEAD_SECONDS", 0.3)
    download = HttpDownload(Links(connections, allow_http=True), Limits(faults=1), sleeper.timing())

    with pytest.raises(DownloadError, match="given up after 2 faults in a row at byte 0 of 700000"):
        list(download.stream(offer(dripping), ARTIFACT, 0, lambda: offer(dripping)))

"""The way to a store: through proxies that want a password, over IPv6, past portals, with a certificate of our own."""

from __future__ import annotations

import logging
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

import pytest
from cryptography.hazmat.primitives import serialization as form

from adapters.simulation.pki import CertificateAuthority, KeyPair
from agent.download.answer import place
from agent.download.connections import ClientCertificate, Connections
from agent.download.fetch import HttpDownload, Limits
from agent.download.link import Links
from bridge.release.errors import DownloadError, FailureCode
from tests.agent.fileserver import ARTIFACT, BODY, Fault, Fetch, FileServer, Handler, Sleeper, offer
from tests.agent.proxy import PASSWORD, USER, Proxy, proxying

GOOD = quote(USER, safe=""), quote(PASSWORD, safe="")


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    """A running proxy that wants a password."""
    with proxying() as proxy:
        yield proxy


@pytest.fixture
def authority(tmp_path: Path) -> CertificateAuthority:
    """The owner's own."""
    return CertificateAuthority(tmp_path)


@pytest.fixture
def over_tls(server: FileServer, authority: CertificateAuthority) -> FileServer:
    """The server with a certificate of the owner's authority."""
    return secured(server, authority, ask=False)


def secured(server: FileServer, authority: CertificateAuthority, *, ask: bool) -> FileServer:
    """`server` over TLS; it may ask its clients for a certificate of the same authority."""
    pair = authority.server()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.cert_file, pair.key_file)
    if ask:
        context.load_verify_locations(authority.ca_file)
        context.verify_mode = ssl.CERT_REQUIRED
    server.socket = context.wrap_socket(server.socket, server_side=True)
    return server


def fetched(url: str, *, faults: int = 1, **connections: object) -> bytes:
    """The artifact at `url`."""
    opened = Connections(connect_seconds=5, read_seconds=5, **{"proxies": {}, **connections})
    download = HttpDownload(Links(opened, allow_http=True), Limits(faults=faults), Sleeper().timing())
    try:
        return b"".join(download.stream(offer(url), ARTIFACT, 0, lambda: offer(url)))
    finally:
        opened.close()


def as_https(server: FileServer) -> str:
    """Its URL over TLS."""
    return server.url.replace("http:", "https:")


def test_a_proxy_with_a_password(server: FileServer, proxy: Proxy):
    """Each request goes through it, with the password, also after a dropped connection; the store never sees it."""
    server.faults = [Fault(drop=100_000)]

    assert fetched(server.url, proxies={"http": proxy.url(*GOOD)}) == BODY
    assert proxy.seen == [f"GET {server.url}"] * 2
    assert proxy.refused == 0
    assert server.sent == len(BODY)


def test_a_tunnel_through_a_proxy_with_a_password(over_tls: FileServer, proxy: Proxy, authority: CertificateAuthority):
    """For https the proxy sees a host and a port, and the store's certificate is still judged."""
    here = as_https(over_tls)

    assert fetched(here, proxies={"https": proxy.url(*GOOD)}, ca_file=authority.ca_file) == BODY
    assert proxy.seen == [f"CONNECT 127.0.0.1:{over_tls.server_port}"]


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_wrong_password_is_told_and_not_repeated(
    server: FileServer, proxy: Proxy, scheme: str, caplog: pytest.LogCaptureFixture
):
    """No further try changes it; neither message nor log has the password, or the signature in the URL."""
    caplog.set_level(logging.INFO)
    here = server.url.replace("http:", f"{scheme}:")

    with pytest.raises(DownloadError) as refusal:
        fetched(here, proxies={scheme: proxy.url(GOOD[0], "topsecret")}, faults=8)

    assert refusal.value.code is FailureCode.LINK_REFUSED
    assert str(refusal.value) == (
        f"{scheme}://127.0.0.1:{server.server_port}/image.full: the proxy wants other credentials (407); put user and "
        "password of it into download.proxies or http_proxy"
    )
    assert proxy.refused == 1
    for told in (str(refusal.value), caplog.text):
        assert "topsecret" not in told
        assert "signature" not in told


def test_a_proxy_that_is_gone_is_said_to_be(server: FileServer, proxy: Proxy):
    """The store may be well."""
    proxy.server_close()

    with pytest.raises(DownloadError, match="the proxy does not connect us") as refusal:
        fetched(server.url, proxies={"http": proxy.url(*GOOD)})
    assert PASSWORD not in str(refusal.value)


class OverIPv6(FileServer):
    """At ::1."""

    address_family = socket.AF_INET6

    def __init__(self) -> None:
        self.faults, self.seen = [], []
        super(FileServer, self).__init__(("::1", 0), Handler)


@pytest.fixture
def far_server() -> Iterator[FileServer]:
    """A server that is reached over IPv6 alone."""
    try:
        server = OverIPv6()
    except OSError as error:
        pytest.skip(f"no IPv6 on this machine: {error}")
    with server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_ipv6(far_server: FileServer):
    """An address in brackets is one like any other."""
    far_server.faults = [Fault(drop=100_000)]
    url = f"http://[::1]:{far_server.server_port}/image.full?signature=secret"

    assert fetched(url) == BODY
    assert place(url) == f"http://[::1]:{far_server.server_port}/image.full"


def test_no_proxy_for_an_ipv6_address():
    """`no` names it without brackets."""
    connections = Connections(proxies={"https": "http://proxy:3128", "no": "::1,fd00::7"})

    assert connections.proxy_of("https://[::1]:8443/x") is None
    assert connections.proxy_of("https://[fd00::7]/x") is None
    assert connections.proxy_of("https://[fd00::8]/x") == "http://proxy:3128"


def client(pair: KeyPair) -> ClientCertificate:
    """As `download.certificate_file` and `download.key_file` name it."""
    return ClientCertificate(Path(pair.cert_file), Path(pair.key_file))


def test_mutual_tls(server: FileServer, authority: CertificateAuthority):
    """A store that asks for the device's certificate gets it, at each connection."""
    secured(server, authority, ask=True).faults = [Fault(drop=100_000)]
    pair = authority.device("gateway-0017")

    assert fetched(as_https(server), ca_file=authority.ca_file, client=client(pair)) == BODY


def test_mutual_tls_without_a_certificate(server: FileServer, authority: CertificateAuthority):
    """Without one it is not spoken to, and TLS is said to be why."""
    secured(server, authority, ask=True)

    with pytest.raises(DownloadError, match=r"TLS failed|the connection broke"):
        fetched(as_https(server), ca_file=authority.ca_file)
    assert server.seen == []


def test_a_certificate_that_cannot_be_used_is_named(tmp_path: Path, authority: CertificateAuthority):
    """A file that is missing, and a key of another certificate."""
    pair, other = authority.device("gateway-0017"), authority.device("gateway-0018")
    with pytest.raises(
        DownloadError, match=r"download.certificate_file .*none.pem and download.key_file .* No such file"
    ):
        Connections(client=ClientCertificate(tmp_path / "none.pem", Path(pair.key_file)))
    with pytest.raises(DownloadError, match=r"cannot be used: .*MISMATCH.*; both must be PEM, the key that of the"):
        Connections(client=ClientCertificate(Path(pair.cert_file), Path(other.key_file)))


def test_a_key_under_a_passphrase_is_refused_and_nobody_is_asked(tmp_path: Path, authority: CertificateAuthority):
    """A device has nobody at its terminal."""
    pair = authority.device("gateway-0017")
    key = form.load_pem_private_key(Path(pair.key_file).read_bytes(), None)
    locked = tmp_path / "locked.pem"
    secret = form.BestAvailableEncryption(b"topsecret")
    locked.write_bytes(key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, secret))

    with pytest.raises(DownloadError, match="and without a passphrase"):
        Connections(client=ClientCertificate(Path(pair.cert_file), locked))


PAGE = Fault(body=b"<html>Welcome! Please agree to our terms.</html>", headers={"Content-Type": "text/html; charset=x"})


def test_a_captive_portal_is_waited_out(server: FileServer, fetch: Fetch, sleeper: Sleeper):
    """It answers 200 with a page of its own, with or without a length; once somebody agreed, the download goes on."""
    page = Fault(body=PAGE.body, headers=PAGE.headers, chunked=True, etag=None)
    server.faults = [Fault(drop=100_000), PAGE, page]

    assert fetch() == BODY
    assert server.seen[-1].range == "bytes=100000-"
    assert len(sleeper.naps) == 3


def test_a_captive_portal_that_stays_is_told(server: FileServer, fetch: Fetch):
    """In words that say whose business it is; and it is no refusal for good."""
    server.faults = [PAGE] * 9

    with pytest.raises(
        DownloadError, match="a captive portal or a login page stands between this device and"
    ) as refusal:
        fetch()
    assert refusal.value.code is FailureCode.DOWNLOAD


def test_a_network_that_wants_a_login_is_waited_out(server: FileServer, fetch: Fetch):
    """RFC 6585 has a status for portals that are honest."""
    server.faults = [Fault(status=511)]

    assert fetch() == BODY


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("http://169.254.169.254/latest/meta-data/", "no store is at a link-local address"),
        ("http://[fe80::1]/x", "no store is at a link-local address"),
        ("http://[::ffff:169.254.169.254]/x", "no store is at a link-local address"),
        ("http://224.0.0.1/x", "no store is at a link-local address"),
    ],
)
def test_addresses_where_no_store_is(fetch: Fetch, url: str, message: str):
    """A compromised account cannot have the device ask the services of its own link."""
    with pytest.raises(DownloadError, match=message) as refusal:
        fetch(url=url)
    assert refusal.value.code is FailureCode.LINK_REFUSED


@pytest.mark.parametrize("target", ["127.0.0.1", "[::1]", "localhost", "x.localhost:80", "0.0.0.0"])
def test_no_server_leads_to_the_device_itself(server: FileServer, target: str):
    """Services on loopback may trust whoever reaches them; only from there do redirects lead there."""
    server.faults = [Fault(status=302, headers={"Location": f"http://{target}/factory-reset"})]
    elsewhere = f"http://localhost.example:{server.server_port}/x"

    with pytest.raises(DownloadError, match="factory-reset, which is this device itself"):
        fetched(elsewhere, proxies={"http": f"http://127.0.0.1:{server.server_port}"})
    assert len(server.seen) == 1


@pytest.fixture
def dripping_proxy() -> Iterator[Callable[[], str]]:
    """A proxy whose answer to CONNECT never ends, each byte of it well within every timeout."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        end = threading.Event()
        thread = threading.Thread(target=drip, args=(listener, end))
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        end.set()
        thread.join()


def drip(listener: socket.socket, end: threading.Event) -> None:
    """To all who come, until the `end`."""
    listener.settimeout(0.02)
    clients: list[socket.socket] = []
    while not end.is_set():
        with suppress(TimeoutError):
            met, _ = listener.accept()
            met.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
            clients.append(met)
        for each in clients:
            with suppress(OSError):
                each.sendall(b"x")
    for each in clients:
        each.close()


def test_a_proxy_that_drips_is_left(dripping_proxy: str, monkeypatch: pytest.MonkeyPatch):
    """A tunnel that never stands does not hold the device."""
    monkeypatch.setattr("agent.download.connections.HEAD_SECONDS", 0.3)

    with pytest.raises(DownloadError, match="given up after 2 faults in a row at byte 0 of 700000"):
        fetched("https://store.example/image.full", proxies={"https": dripping_proxy})

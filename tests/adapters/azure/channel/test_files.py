"""Small files of updates over HTTP, from a server that is slow, broken or hostile."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator

import pytest
from werkzeug.wrappers import Request, Response

from adapters.azure.channel.files import FileRefused, Files
from adapters.azure.channel.settings import AzureSettings
from adapters.azure.formats.update_manifest import UpdateFile
from adapters.simulation.http import HttpServer
from bridge.release.errors import AlteredRelease, ChannelError, FailureCode

BODY = b"release " * 100
FILE = UpdateFile("f1", "release.json", len(BODY), hashlib.sha256(BODY).hexdigest())


class Shelf:
    """A server whose next answers are planned, and then always BODY."""

    def __init__(self):
        self.planned = []
        self.asked = []
        self.stored = {}

    def __call__(self, environ, start_response):
        request = Request(environ)
        self.asked.append(request)
        if request.method == "PUT":
            self.stored[request.full_path] = (request.headers, request.get_data())
        answer = self.planned.pop(0) if self.planned else Response(BODY, 201 if request.method == "PUT" else 200)
        return answer(environ, start_response)


@pytest.fixture
def shelf() -> Shelf:
    """What the server holds."""
    return Shelf()


@pytest.fixture
def url(shelf) -> Iterator[str]:
    """Where it is."""
    server = HttpServer(shelf)
    server.start()
    yield f"{server.url}/release.json?sig=secret"
    server.stop()


def settings(**changed) -> AzureSettings:
    """Of a device that takes files over http."""
    plain = {"host": "h", "device": "d", "symmetric_key_file": "k", "manufacturer": "m", "model": "n"}
    return AzureSettings(**{**plain, "root_keys_file": "r", "allow_http": True, **changed})


@pytest.fixture
def files() -> Iterator[Files]:
    """Fetches and puts."""
    files = Files(settings())
    yield files
    files.close()


def altered(body=BODY):
    """The same length, another bit."""
    return Response(bytes([body[0] ^ 1]) + body[1:])


def test_a_file_is_the_one_that_was_signed(files, url):
    """By size and hash."""
    assert files.fetch(url, FILE) == BODY


def test_a_line_that_alters_a_file_is_tried_again(files, url, shelf):
    """Once altered, then whole."""
    shelf.planned = [altered()]

    assert files.fetch(url, FILE) == BODY
    assert len(shelf.asked) == 2


def test_a_file_that_is_another_is_refused(files, url, shelf):
    """For good, and without the URL's signature in the message."""
    shelf.planned = [altered() for _ in range(3)]

    with pytest.raises(
        AlteredRelease, match=r"release.json from http://\S+/release.json is not the file whose hash is"
    ):
        files.fetch(url, FILE)
    assert len(shelf.asked) == 3


def chunked(size):
    """A body of unknown length."""
    return Response((b"x" * 1024 for _ in range(size // 1024)), direct_passthrough=True)


PASSING = [
    (Response("busy", 503), "the server answered 503"),
    (Response("slow down", 429), "the server answered 429"),
    (Response(iter([BODY[:10]]), headers={"Content-Length": "800"}), "the connection failed"),
]


@pytest.mark.parametrize(("answer", "message"), PASSING)
def test_what_may_pass_is_a_channel_error(files, url, shelf, answer, message):
    """The channel tries again later."""
    shelf.planned = [answer]

    with pytest.raises(ChannelError, match=message) as raised:
        files.fetch(url, FILE)
    assert raised.value.retryable
    assert "secret" not in str(raised.value)


def astray(location):
    """A redirect to what is no URL."""

    def answer(_, start_response):
        start_response("302 FOUND", [("Location", location), ("Content-Length", "0")])
        return [b""]

    return answer


FINAL = [
    (Response("gone", 404), "the server answered 404"),
    (Response("expired", 403), "the server answered 403"),
    (Response(status=302, headers={"Location": "ftp://elsewhere/x"}), "redirects to ftp://elsewhere/x"),
    (Response(status=302, headers={"Location": "https://elsewhere/x"}), "redirects to https://elsewhere/x"),
    (Response(status=302), "redirects to"),
    (astray("//["), "redirects to ://, which is nowhere"),
    (astray("http://elsewhere:99999/x"), "redirects to a malformed URL, which is nowhere"),
    (chunked(4096), "more than 800 bytes"),
]


@pytest.mark.parametrize(("answer", "message"), FINAL)
def test_what_will_not_pass_is_refused(files, url, shelf, answer, message):
    """The deployment fails with a code of its own."""
    shelf.planned = [answer]

    with pytest.raises(FileRefused, match=message) as raised:
        files.fetch(url, FILE)
    assert raised.value.code is FailureCode.LINK_REFUSED
    assert "secret" not in str(raised.value)


def test_a_redirect_within_the_scheme_is_followed(files, url, shelf):
    """As content networks send them."""
    shelf.planned = [Response(status=307, headers={"Location": "/elsewhere"})]

    assert files.fetch(url, FILE) == BODY
    assert shelf.asked[1].path == "/elsewhere"


def test_redirects_in_circles_end(files, url, shelf):
    """After a few."""
    shelf.planned = [Response(status=302, headers={"Location": "/again"}) for _ in range(9)]

    with pytest.raises(FileRefused, match="more than 3 redirects"):
        files.get(url, 800)


def test_no_file_lies_at_an_address_of_the_link(files):
    """Where machines of a cloud are told their secrets."""
    with pytest.raises(FileRefused, match="no store is at a link-local address"):
        files.get("http://169.254.169.254/latest/meta-data/", 800)


def test_http_is_taken_only_where_it_is_allowed(url):
    """The settings decide, and the message names the one."""
    with pytest.raises(FileRefused, match=r"a file must come over https \(`allow_http` permits http\)"):
        Files(settings(allow_http=False)).fetch(url, FILE)


@pytest.mark.parametrize(
    "bad",
    [
        "http://a b/",
        "http://a/" + "x" * 9000,
        "http://a/\n",
        "file:///etc/passwd",
        "http://[",
        "http://a:99999/",
        "http://a:b/",
    ],
)
def test_a_url_that_is_none_is_refused(files, bad):
    """Before anything is opened."""
    with pytest.raises(FileRefused):
        files.fetch(bad, FILE)


def test_a_body_that_never_ends_is_given_up(shelf, url):
    """Byte by byte, each in time, but not the whole."""
    more = threading.Event()

    def drip():
        while not more.wait(0.05):
            yield b"x"

    shelf.planned = [Response(drip(), direct_passthrough=True)]
    files = Files(settings(files_seconds=0.3))

    with pytest.raises(ChannelError, match="not whole in time"):
        files.fetch(url, FILE)
    more.set()
    files.close()


def test_a_server_that_says_nothing_is_given_up(shelf, url, monkeypatch):
    """Each part of a request may have its time, but all together have no more: the agent has a watchdog."""
    monkeypatch.setattr("adapters.azure.channel.files.GRACE_SECONDS", 0.0)
    over = threading.Event()

    def silent(environ, start_response):
        over.wait(30)
        return Response()(environ, start_response)

    shelf.planned = [silent]
    files = Files(settings(files_seconds=0.2))

    with pytest.raises(ChannelError, match=r"release.json: no answer within 0.2 seconds") as raised:
        files.get(url, 10)
    over.set()
    assert raised.value.retryable


def test_nobody_there_is_a_channel_error(files):
    """A server that is away comes back."""
    with pytest.raises(ChannelError, match=r"http://127.0.0.1:1/x: the connection failed \(NewConnection\)"):
        files.get("http://127.0.0.1:1/x?sig=secret", 10)


def test_a_proxy_of_the_environment_is_used(files, url, shelf, monkeypatch):
    """As for everything else that the agent fetches."""
    monkeypatch.setenv("http_proxy", url.partition("/release")[0])
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)

    assert files.fetch("http://updates.invalid/release.json", FILE) == BODY
    assert shelf.asked[0].headers["Host"] == "updates.invalid"


def test_an_authority_that_cannot_be_used_is_named(tmp_path):
    """By the setting's own name."""
    missing = tmp_path / "absent.pem"

    with pytest.raises(ChannelError, match=f"files_ca_file {missing} cannot be used") as raised:
        Files(settings(files_ca_file=str(missing))).get("https://127.0.0.1:1/", 10)
    assert not raised.value.retryable


def test_a_log_becomes_a_block_blob(files, url, shelf):
    """By the one header that Azure Storage wants."""
    files.put(url, b"log")

    ((headers, data),) = shelf.stored.values()
    assert (headers["x-ms-blob-type"], data) == ("BlockBlob", b"log")

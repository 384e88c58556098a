"""Attacks by URLs and by what lies behind them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from random import Random

from agent.slots import Slot
from bridge.release.errors import FailureCode
from bridge.release.report import Outcome
from tests.agent.attacks.attack import Attack, Door
from tests.agent.attacks.scene import Scene
from tests.agent.device import flipped
from tests.agent.fileserver import Fault
from tests.releases import FULL_NAME, Package, demanding

TRIES = 12
"""Answers of the server that are all wrong in the same way; more than a download asks for."""


def at_url(url: str, *, allow_http: bool = False) -> Callable[[Scene], None]:
    """The owner's release, whose artifact is said to lie there."""
    return lambda scene: scene.over_http(scene.release(), url=url, allow_http=allow_http)


def answering(make: Callable[[bytes], Fault]) -> Callable[[Scene], None]:
    """A server that answers each request so; `make` is given the honest artifact."""

    def strike(scene: Scene) -> None:
        packed = scene.release()
        scene.over_http(packed, *[make(packed.files[FULL_NAME])] * TRIES)

    return strike


def holding(change: Callable[[bytes], bytes]) -> Callable[[Scene], None]:
    """A store whose object is another one."""

    def strike(scene: Scene) -> None:
        packed = scene.release()
        scene.present(packed)
        scene.serve(FULL_NAME, change(packed.files[FULL_NAME]), packed)

    return strike


def redirected(target: str) -> Callable[[Scene], None]:
    """A server that leads elsewhere."""
    return answering(lambda _: Fault(status=302, headers={"Location": target}))


def renamed(scene: Scene) -> None:
    """No URL for the artifact, one for another name."""
    scene.over_http(scene.release())
    scene.offer = replace(scene.offer, urls={"other.full": "https://store.example/other.full"})


def altered_delta(scene: Scene) -> None:
    """A delta from what runs, with one bit changed near its end."""
    packed: Package = scene.delta(2, source=1)
    scene.present(packed)
    data = packed.files[packed.delta.name]
    scene.serve(packed.delta.name, flipped(data, len(data) - 300), packed)


def changing(scene: Scene) -> None:
    """Another object in mid-download."""
    packed = scene.release()
    data = packed.files[FULL_NAME]
    scene.over_http(packed, Fault(body=data, drop=60_000), *[Fault(body=data, etag='"two"')] * TRIES)


url = partial(Attack, door=Door.URL, outcome=Outcome.FAILED, code=FailureCode.LINK_REFUSED)
content = partial(Attack, door=Door.CONTENT, outcome=Outcome.FAILED, writes=True)

ATTACKS = (
    url(
        "file of the device",
        "names a file of the device itself",
        strike=at_url("file:///etc/shadow"),
        says="a download must come over https, not 'file'",
    ),
    url(
        "other protocol",
        "names a protocol with surprises",
        strike=at_url("gopher://store.example/x"),
        says="must come over https, not 'gopher'",
    ),
    url(
        "http",
        "names an http URL, to be seen on the way, or a service in the device's own network",
        strike=at_url("http://192.168.1.1/factory-reset"),
        says="a download must come over https, not 'http' (download.allow_http permits http)",
    ),
    url(
        "metadata service",
        "names the address where a cloud's machines are told their secrets",
        strike=at_url("http://169.254.169.254/latest/meta-data/", allow_http=True),
        says="no store is at a link-local address",
    ),
    url(
        "redirect to a metadata service",
        "leads there from an honest-looking server",
        strike=redirected("http://169.254.169.254/latest/meta-data/"),
        says="no store is at a link-local address",
    ),
    url(
        "redirect to a file",
        "leads from a server to a file of the device",
        strike=redirected("file:///etc/shadow"),
        says="must come over https or http, not 'file'",
    ),
    url("endless redirects", "leads in circles", strike=redirected("/again"), says="redirects more than 5 times"),
    url(
        "huge URL",
        "names a URL of a megabyte",
        strike=at_url("https://store.example/" + "a" * 1_000_000),
        says="the URL of 1000022 characters is too long",
    ),
    url(
        "lines in a URL",
        "hides a second request behind a line break",
        strike=at_url("https://store.example/x HTTP/1.1\r\nHost: evil\r\n\r\n"),
        says="has characters that no URL has",
    ),
    url(
        "no URL for the artifact",
        "names another file than the release does",
        strike=renamed,
        says="the offer has no URL for artifact rootfs.full; publish the release again",
    ),
    content(
        "other bytes",
        "puts another file into the store",
        code=FailureCode.MALFORMED,
        strike=holding(lambda data: Random(66).randbytes(len(data))),
        says="this is no payload: it begins with",
        writes=False,
    ),
    content(
        "one bit",
        "flips one bit of the artifact",
        code=FailureCode.ALTERED,
        strike=holding(lambda data: flipped(data, len(data) // 2)),
        says="came out otherwise than they were",
    ),
    content(
        "shorter",
        "cuts the artifact",
        code=FailureCode.ALTERED,
        strike=holding(lambda data: data[: len(data) // 2]),
        says="bytes, signed were",
    ),
    content(
        "longer",
        "appends to the artifact",
        code=FailureCode.DOWNLOAD,
        writes=False,
        strike=answering(lambda data: Fault(body=data + b"\0")),
        says="the release signed",
    ),
    content(
        "endless",
        "never ends the answer",
        code=None,
        outcome=Outcome.INSTALLED,
        slot=Slot.B,
        runs="2.0.0",
        strike=answering(lambda data: Fault(body=data + b"more" * 1_000_000, chunked=True)),
        so="the first byte beyond the signed length is never read: the artifact before it is the signed one",
    ),
    content(
        "more memory than was signed",
        "exchanges the artifact for a payload of the same image whose header asks for more",
        code=FailureCode.ALTERED,
        strike=holding(lambda data: demanding(data, 60 << 20)),
        says="signed was",
    ),
    content(
        "compressed on the way",
        "sends a bomb as Content-Encoding: gzip",
        code=FailureCode.DOWNLOAD,
        writes=False,
        strike=answering(lambda data: Fault(body=data, headers={"Content-Encoding": "gzip"})),
        says="Content-Encoding 'gzip' though identity was asked for",
    ),
    content(
        "changed in mid-download",
        "exchanges the object between two ranges",
        code=FailureCode.DOWNLOAD,
        strike=changing,
        says="the file changed on the server in mid-download",
    ),
    content(
        "captive portal",
        "answers with a web page and 200",
        code=FailureCode.DOWNLOAD,
        writes=False,
        strike=answering(lambda _: Fault(body=b"<html>agree</html>", headers={"Content-Type": "text/html"})),
        says="a web page came instead of the artifact",
    ),
    content(
        "a few bytes at a time",
        "hangs up after every ten bytes",
        code=FailureCode.DOWNLOAD,
        writes=False,
        strike=answering(lambda data: Fault(body=data, drop=10)),
        says="given up after 3 faults in a row",
    ),
    content(
        "altered delta",
        "flips a bit near the end of a delta",
        code=None,
        outcome=Outcome.INSTALLED,
        slot=Slot.B,
        runs="2.0.0",
        strike=altered_delta,
        so="the delta is done without, and the full artifact is taken; the report says so",
    ),
)

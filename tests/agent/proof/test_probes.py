"""Each kind of check, done once: what makes it pass, and what a person reads when it does not."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from agent.attending import attended, begun
from agent.pace import StopRequested, Timing
from agent.proof.checks import Check, HttpCheck
from agent.proof.probes import Probes
from agent.proof.web import MAX_BODY, UrllibWeb, is_own
from bridge.release.errors import ChannelError, DownloadError

SECONDS = 60.0
SYSTEMCTL = """#!/bin/sh
# What systemctl(1) prints, and its exit status, for one unit that runs and others that do not.
echo "$@" >> "$0.log"
case "$*" in
    "is-active -- gateway.service") echo active ;;
    "is-active -- dead.service") echo failed; exit 3 ;;
    "is-active -- late.service") echo activating; exit 3 ;;
    "is-system-running") cat "$0.state"; grep -q '^running$' "$0.state" ;;
    *) exit 4 ;;
esac
"""


@pytest.fixture
def systemctl(tmp_path: Path) -> Path:
    """A program in systemctl's place."""
    path = tmp_path / "systemctl"
    path.write_text(SYSTEMCTL)
    path.chmod(0o755)
    (tmp_path / "systemctl.state").write_text("running\n")
    return path


@dataclass
class Clouds:
    """The clouds' answers, one by one: an error is raised, an event waited for."""

    answers: list[ChannelError | threading.Event | None] = field(default_factory=list)
    asked: list[tuple[float, bool]] = field(default_factory=list)

    def reach(self, timeout: float, *, every: bool = False) -> None:
        self.asked.append((timeout, every))
        answer = self.answers.pop(0) if self.answers else None
        if isinstance(answer, ChannelError):
            raise answer
        if answer is not None:
            answer.wait(SECONDS)


@dataclass
class Pages:
    """A server whose answer is what the test says."""

    fault: str | Exception | None = None
    asked: list[HttpCheck] = field(default_factory=list)

    def get(self, check: HttpCheck, seconds: float) -> str | None:
        assert seconds == SECONDS
        self.asked.append(check)
        if isinstance(self.fault, Exception):
            raise self.fault
        return self.fault


def probes(systemctl: Path | str = "/no/systemctl", clouds: Clouds | None = None, web: object = None) -> Probes:
    return Probes(Timing(), web or Pages(), (clouds or Clouds()).reach, (str(systemctl),))


def unit(name: str) -> Check:
    return Check("app", unit=name)


def test_a_unit_that_is_active(systemctl):
    """systemd is asked for just this unit."""
    assert probes(systemctl).fault(unit("gateway.service"), SECONDS, {}) is None
    assert Path(f"{systemctl}.log").read_text() == "is-active -- gateway.service\n"


@pytest.mark.parametrize(
    ("name", "words"),
    [("dead.service", "failed: dead.service is failed"), ("late.service", "failed: late.service is activating")],
)
def test_a_unit_that_is_not(systemctl, name, words):
    """Its state is in the report."""
    assert probes(systemctl).fault(unit(name), SECONDS, {}) == f"health check app {words}"


def test_a_systemctl_that_says_nothing(systemctl):
    """As where there is no such manager: its exit status is all that there is."""
    fault = probes(systemctl).fault(unit("other.service"), SECONDS, {})

    assert fault == "health check app failed with exit status 4"


def test_a_machine_without_systemd():
    """The check cannot pass, and the report says why."""
    fault = probes().fault(unit("gateway.service"), SECONDS, {})

    assert str(fault).startswith("health check app cannot be started: [Errno 2] No such file")


@pytest.mark.parametrize("state", ["running", "degraded", "starting"])
def test_the_whole_system(systemctl, state):
    """Running means that it has come up and no unit has failed."""
    Path(f"{systemctl}.state").write_text(f"{state}\n")
    fault = probes(systemctl).fault(unit("system"), SECONDS, {})

    assert fault == (None if state == "running" else f"health check app failed: the system is {state}")


@pytest.mark.parametrize(("cloud", "every"), [(True, False), ("any", False), ("all", True)])
def test_a_cloud_that_answers(cloud, every):
    """One of them, or each, within the time of the check."""
    clouds = Clouds()

    assert probes(clouds=clouds).fault(Check("cloud", cloud=cloud), SECONDS, {}) is None
    assert clouds.asked == [(SECONDS, every)]


def test_a_cloud_that_cannot_be_reached_is_asked_again():
    """Each try of the check is a question of its own; its reason is in the report."""
    clouds = Clouds([ChannelError("no route to the broker")])
    probing, check = probes(clouds=clouds), Check("cloud", cloud=True)

    assert probing.fault(check, SECONDS, {}) == "health check cloud failed: no route to the broker"
    assert probing.fault(check, SECONDS, {}) is None


def test_a_channel_that_hangs_is_not_asked_by_two_threads():
    """The next try waits for the question that is still under way: a channel is used from one thread at a time."""
    hanging = threading.Event()
    clouds = Clouds([hanging])
    probing, check = probes(clouds=clouds), Check("cloud", cloud=True)

    assert probing.fault(check, 0.05, {}) == "health check cloud took longer than 0.05 s: the cloud does not answer"
    hanging.set()
    assert probing.fault(check, SECONDS, {}) is None
    assert len(clouds.asked) == 1


def test_the_agent_beats_while_it_waits_for_an_answer():
    """And may be stopped there."""
    hanging = threading.Event()

    def stop() -> None:
        raise StopRequested

    probing = Probes(Timing(beat=stop), Pages(), Clouds([hanging]).reach)
    with pytest.raises(StopRequested):
        probing.fault(Check("cloud", cloud=True), SECONDS, {})
    hanging.set()


def test_what_was_raised_on_the_other_thread_is_raised_here():
    """Nothing is swallowed there, a bug least of all."""

    def fail() -> None:
        raise ZeroDivisionError("a bug")

    with pytest.raises(ZeroDivisionError, match="a bug"):
        attended(begun(fail, "test"), SECONDS, Timing())
    with pytest.raises(TimeoutError, match="no answer within 0 s"):
        attended(Future(), 0.0, Timing())


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (None, None),
        ("answered with status 500, not 200", "failed: http://127.0.0.1/ answered with status 500, not 200"),
        (
            DownloadError("http://127.0.0.1/ does not answer: refused"),
            "failed: http://127.0.0.1/ does not answer: refused",
        ),
    ],
)
def test_what_a_server_answers(fault, words):
    """The URL and what came are in the report."""
    check = Check("web", http=HttpCheck("http://127.0.0.1/"))

    assert probes(web=Pages(fault)).fault(check, SECONDS, {}) == (
        None if words is None else f"health check web {words}"
    )


class Answers(http.server.BaseHTTPRequestHandler):
    """Answers by the path asked for; counts requests and connections."""

    def do_GET(self) -> None:
        self.server.seen.append((self.path, self.client_address[1]))
        match self.path:
            case "/moved":
                self._send(302, b"", {"Location": "/ready"})
            case "/down":
                self._send(503, b"not yet")
            case "/large":
                self._send(200, b"x" * MAX_BODY + b"ready")
            case "/silent":
                self.server.release.wait(SECONDS)
                self._send(200, b"ready")
            case _:
                self._send(200, b"all is ready")

    def _send(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Keep the test's output clean."""


@pytest.fixture
def server() -> Iterator[http.server.ThreadingHTTPServer]:
    """A server on this device."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        server.seen, server.release = [], threading.Event()
        server.handle_error = lambda *_: None  # a client that hangs up is no trouble of the server's
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.release.set()
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("path", "wanted", "fault"),
    [
        ("/health", {}, None),
        ("/health", {"contains": "is ready"}, None),
        ("/health", {"contains": "is well"}, "answered without 'is well' in its first 64 KiB"),
        ("/down", {}, "answered with status 503, not 200"),
        ("/down", {"status": 503}, None),
        ("/moved", {}, "answered with status 302, not 200"),
        ("/large", {}, None),
        ("/large", {"contains": "ready"}, "answered without 'ready' in its first 64 KiB"),
    ],
)
def test_a_real_server_is_asked_once(server, monkeypatch, path, wanted, fault):
    """Directly, whatever proxy there is; a redirect is an answer, and no more of the body is read than can matter."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    check = HttpCheck(f"http://127.0.0.1:{server.server_port}{path}", **wanted)

    assert UrllibWeb().get(check, SECONDS) == fault
    assert [asked for asked, _ in server.seen] == [path]


def test_each_try_connects_anew(server):
    """A server that holds yesterday's connection and takes no new one is not well."""
    web, check = UrllibWeb(), HttpCheck(f"http://127.0.0.1:{server.server_port}/")
    web.get(check, SECONDS)
    web.get(check, SECONDS)

    assert len({port for _, port in server.seen}) == 2


def test_a_server_that_is_silent_does_not_hold_the_agent_up(server):
    """The check is over at its time."""
    check = Check("web", http=HttpCheck(f"http://127.0.0.1:{server.server_port}/silent"))
    fault = probes(web=UrllibWeb()).fault(check, 0.3, {})

    assert str(fault).startswith("health check web ")
    assert "http://127.0.0.1:" in str(fault)


def test_nobody_listens():
    """The reason is told, without the library's own names of things around it."""
    with pytest.raises(DownloadError, match=r"http://127\.0\.0\.1:1/ does not answer: Failed to .*Connection refused"):
        UrllibWeb().get(HttpCheck("http://127.0.0.1:1/"), SECONDS)


def test_a_name_that_cannot_be_one():
    """A library's own error becomes a fault of the check."""
    with pytest.raises(DownloadError, match="does not answer"):
        UrllibWeb({}).get(HttpCheck("http://a..example/"), SECONDS)


@pytest.mark.parametrize(
    ("url", "own"),
    [
        ("http://127.0.0.1:8080/", True),
        ("http://127.9.9.9/", True),
        ("http://[::1]:80/", True),
        ("http://localhost/", True),
        ("http://gateway.localhost/", True),
        ("http://192.168.1.1/", False),
        ("https://example.org/", False),
        ("http://localhost.example.org/", False),
    ],
)
def test_which_servers_are_on_this_device(url, own):
    """Those are asked directly, never by way of a proxy."""
    assert is_own(url) is own

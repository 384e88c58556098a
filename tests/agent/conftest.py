"""Fixtures of the agent's edges: a file server with faults, a download from it, a device on the bench."""

from __future__ import annotations

import http.server
import signal
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from agent.bootloaders.file import create
from agent.cloud.channel import Offer
from agent.disk import SystemDisk
from agent.download.connections import Connections
from agent.download.fetch import HttpDownload, Limits
from agent.download.link import Links
from tests.agent.bench import FAR, NEW, OLD, Cloud, Device, Files
from tests.agent.fileserver import ARTIFACT, Fetch, FileServer, Sleeper, offer
from tests.releases import ReleaseKit


@pytest.fixture
def server() -> Iterator[FileServer]:
    """A running file server."""
    with FileServer() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


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


@pytest.fixture
def device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Device:
    """A device with the old image in slot a, that trusts the kit's first root."""
    monkeypatch.setattr(signal, "signal", lambda *_: None)  # the test run keeps its own handlers
    device = Device(tmp_path, ReleaseKit(root_expires=FAR))
    (tmp_path / "board").mkdir()
    create(tmp_path / "board", SystemDisk(), 400_000, [OLD])
    device.restart()
    (tmp_path / "root.json").write_bytes(device.kit.pinned)
    device.configure()
    return device


@pytest.fixture
def folder(device: Device) -> Path:
    """A release folder with version 2.0.0."""
    return device.publish(device.kit.package(NEW, expires=FAR))


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Cloud:
    """In place of the configured cloud."""
    cloud = Cloud()
    monkeypatch.setattr("agent.wiring.open_channel", lambda _name, _settings: cloud)
    return cloud


@pytest.fixture
def store(folder: Path) -> Iterator[str]:
    """The URL under which the release folder is served."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Files, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()

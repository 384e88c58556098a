"""How much memory an installation adds to the idle agent, and how fast it is beside `dd` and `sha256sum`.

    python benchmarks/install_memory.py [--size MIB] [--folder DIR]

Three processes: this one measures; one serves the artifact over loopback HTTP; one is the agent, the real command
`once` with the real download, decoder, boot loader of files and read-back check. Only its channel is replaced, by one
that waits at the idle point until it is told to go on and then makes one offer.
"""

from __future__ import annotations

import argparse
import http.server
import os
import random
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import IO, TypeVar

sys.path.insert(0, str(Path(__file__).parents[1]))

from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import Metadata, Root, Targets

from agent import cli, wiring
from agent.bootloaders.file import boot, create
from agent.cloud.channel import Channel, Offer, OfferWithdrawn
from agent.disk import SystemDisk
from bridge.release.manifest import Artifact, Compatibility, Release, render
from bridge.release.report import Progress, Report
from bridge.release.state import DeviceState
from bridge.release.trust import canonical

S = TypeVar("S", Root, Targets)
MIB = 1 << 20
BAR_MIB = 64
"""What an installation may add to the idle agent, whatever the image's size."""
SAMPLE_SECONDS = 0.02
FAR = datetime(2099, 1, 1, tzinfo=UTC)
ARTIFACT = "image.full"
BLOCK_BYTES = 4 * MIB
CONFIG = """
device = { model = "bench", hardware = "1" }
slots = { boot_loader = "file", directory = "board" }
trust = { root = "root.json" }
state = { directory = "state" }
channel = { cloud = "bench" }
download = { allow_http = true, proxies = {} }
reboot = { command = [] }
"""


@dataclass(frozen=True, slots=True)
class Memory:
    """Sizes of one process in bytes: resident, of it anonymous, and the most that was ever resident."""

    resident: int
    anonymous: int
    peak: int


@dataclass(frozen=True, slots=True)
class Run:
    """What one installation took. `seconds` run from the offer to the end of the process."""

    idle: Memory
    anonymous: int
    peak: int
    seconds: float


def main() -> int:
    """Measure, print, and fail when the bar is missed."""
    arguments = parse()
    if arguments.role == "agent":
        return be_agent(arguments.folder, arguments.url)
    if arguments.role == "server":
        return be_server(arguments.folder)
    with scratch(arguments.folder) as folder:
        return measure(folder, arguments.size * MIB)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=1024, metavar="MIB", help="of the image")
    parser.add_argument("--folder", type=Path, metavar="DIR", help="where to work; needs room for five images")
    parser.add_argument("--role", choices=("measure", "agent", "server"), default="measure", help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    return parser.parse_args()


@contextmanager
def scratch(chosen: Path | None) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="otabridge-bench-", dir=chosen))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def measure(folder: Path, size: int) -> int:
    artifact = prepare(folder, size)
    with server(folder / "release") as url:
        run = install(folder, url)
    require_installed(folder, size)
    reference = copy_and_hash(folder)
    added = run.peak - run.idle.resident
    print(f"image             {size / MIB:8.0f} MiB, artifact {artifact.length / MIB:.0f} MiB")
    print(f"idle agent        {run.idle.resident / MIB:8.1f} MiB resident, {run.idle.anonymous / MIB:.1f} anonymous")
    print(f"peak              {run.peak / MIB:8.1f} MiB resident, {run.anonymous / MIB:.1f} anonymous")
    print(f"added             {added / MIB:8.1f} MiB (bar: {BAR_MIB})")
    print(f"installation      {size / run.seconds / MIB:8.1f} MiB/s of image ({run.seconds:.1f} s)")
    print(f"dd + sha256sum    {size / reference / MIB:8.1f} MiB/s of image ({reference:.1f} s)")
    print(f"ratio             {reference / run.seconds:8.2f} of the speed of dd + sha256sum")
    return 0 if added <= BAR_MIB * MIB else 1


def prepare(folder: Path, size: int) -> Artifact:
    """The image, its release and a device, all in `folder`."""
    from bridge.images import Encoding, build_artifact  # here: the agent's process does not have it

    for name in ("release", "board", "state"):
        (folder / name).mkdir()
    write_image(folder / "image", size)
    artifact = build_artifact(folder / "image", folder / "release" / ARTIFACT, lambda _: None, Encoding(level=3))
    signer = CryptoSigner.generate_ed25519()
    (folder / "root.json").write_bytes(root_of(signer))
    compatibility = Compatibility("bench")
    release = Release("bench", "2", 2, compatibility, (artifact,), FAR)
    (folder / "release/release.json").write_bytes(signed(Metadata(render(release)), signer))
    create(folder / "board", SystemDisk(), size, [b"old image"])
    boot(folder / "board", SystemDisk())
    (folder / "agent.toml").write_text(CONFIG)
    return artifact


def write_image(path: Path, size: int) -> None:
    """Blocks of which a half does not compress and a half does, no two alike."""
    chance = random.Random(20)
    with path.open("wb") as file:
        for start in range(0, size, BLOCK_BYTES):
            noise = chance.randbytes(BLOCK_BYTES // 2)
            text = b"".join(b"file %d of %d\n" % (line, start) for line in range(BLOCK_BYTES // 40))
            file.write((noise + text.ljust(BLOCK_BYTES, b"\0"))[: min(BLOCK_BYTES, size - start)])


def root_of(signer: CryptoSigner) -> bytes:
    root = Root(version=1, expires=FAR)
    for role in (Root.type, Targets.type):
        root.add_key(signer.public_key, role)
    return signed(Metadata(root), signer)


def signed(metadata: Metadata[S], signer: CryptoSigner) -> bytes:
    metadata.sign(signer)
    return canonical(metadata)


def install(folder: Path, url: str) -> Run:
    line = [sys.executable, __file__, "--role", "agent", "--folder", str(folder), "--url", url]
    with subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        said = piped(process.stdout)
        said.readline()
        idle = memory_of(process.pid)
        began = time.monotonic()
        piped(process.stdin).write("go\n")
        piped(process.stdin).flush()
        seen = [memory.anonymous for memory in sample(process)]
        seconds = time.monotonic() - began
        peak = int(said.read().split()[-1])
    if process.returncode != os.EX_TEMPFAIL:
        sys.exit(f"the agent ended with {process.returncode}, expected {os.EX_TEMPFAIL}")
    return Run(idle, max(seen), peak, seconds)


def piped(stream: IO[str] | None) -> IO[str]:
    if stream is None:
        raise RuntimeError("a pipe was asked for")
    return stream


def sample(process: subprocess.Popen[str]) -> Iterator[Memory]:
    while process.poll() is None:
        try:
            yield memory_of(process.pid)
        except (FileNotFoundError, ProcessLookupError, KeyError):
            return  # it ended meanwhile
        time.sleep(SAMPLE_SECONDS)


def memory_of(process: int | str) -> Memory:
    status = sizes(Path(f"/proc/{process}/status"))
    return Memory(status["VmRSS"], sizes(Path(f"/proc/{process}/smaps_rollup"))["Anonymous"], status["VmHWM"])


def sizes(path: Path) -> dict[str, int]:
    return {name: int(kib) * 1024 for name, kib in re.findall(r"^(\w+):\s+(\d+) kB$", path.read_text(), re.MULTILINE)}


def require_installed(folder: Path, size: int) -> None:
    line = ["cmp", f"--bytes={size}", str(folder / "image"), str(folder / "board/b.img")]
    subprocess.run(line, check=True)


def copy_and_hash(folder: Path) -> float:
    """Seconds that `dd`, synced, and `sha256sum` of what it wrote take."""
    target = folder / "copy"
    began = time.monotonic()
    copy = ["dd", f"if={folder / 'image'}", f"of={target}", "bs=1M", "conv=fsync", "status=none"]
    subprocess.run(copy, check=True)
    subprocess.run(["sha256sum", str(target)], check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - began


@contextmanager
def server(folder: Path) -> Iterator[str]:
    line = [sys.executable, __file__, "--role", "server", "--folder", str(folder)]
    with subprocess.Popen(line, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield f"http://127.0.0.1:{int(piped(process.stdout).readline())}/{ARTIFACT}"
        finally:
            process.terminate()


def be_server(folder: Path) -> int:
    """Serve `folder`; the port goes to stdout."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(RangeHandler, folder)) as files:
        print(files.server_port, flush=True)
        files.serve_forever()
    return 0


class RangeHandler(http.server.BaseHTTPRequestHandler):
    """One folder over HTTP with byte ranges, by sendfile."""

    protocol_version = "HTTP/1.1"

    def __init__(
        self,
        folder: Path,
        request: socket.socket,
        client: tuple[str, int],
        server: http.server.HTTPServer,
    ) -> None:
        self._folder = folder
        super().__init__(request, client, server)

    def do_GET(self) -> None:
        with (self._folder / Path(self.path).name).open("rb") as file:
            length = os.fstat(file.fileno()).st_size
            asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
            start = int(asked[1]) if asked else 0
            self.send_response(206 if asked else 200)
            if asked:
                self.send_header("Content-Range", f"bytes {start}-{length - 1}/{length}")
            self.send_header("Content-Length", str(length - start))
            self.end_headers()
            self.connection.sendfile(file, start)

    def log_message(self, *_: object) -> None:
        """The figures stand alone on the terminal."""


def be_agent(folder: Path, url: str) -> int:
    """The command `once` over a channel that waits for the measuring process; its peak goes to stdout."""
    vars(wiring)["open_channel"] = lambda _cloud, _settings: BenchChannel(folder, url)
    code = cli.main(["--config", str(folder / "agent.toml"), "once"])
    print(memory_of("self").peak, flush=True)
    return code


class BenchChannel(Channel):
    """Makes one offer when it is told to."""

    def __init__(self, folder: Path, url: str) -> None:
        self._release = folder / "release/release.json"
        self._url = url

    def next_offer(self, timeout: float) -> Offer:  # noqa: ARG002 - the port's face
        print("idle", flush=True)
        sys.stdin.readline()
        return Offer("bench", self._release.read_bytes(), (), {ARTIFACT: self._url})

    def renew(self, offer_id: str) -> Offer:
        raise OfferWithdrawn(f"the URL of offer {offer_id} does not expire here")

    def progress(self, offer_id: str, progress: Progress) -> None:
        """Not measured."""

    def conclude(self, offer_id: str, report: Report) -> None:
        """The process ends otherwise if the installation does."""

    def state(self, state: DeviceState) -> None:
        """Not measured."""

    def close(self) -> None:
        """Nothing to hang up."""


if __name__ == "__main__":
    sys.exit(main())
